"""``smart telemetry``: the files that tell what happened in an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartsim.cli.output import EX_OK, say

if TYPE_CHECKING:
    import argparse

__all__ = ["add_commands"]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its own commands."""
    parser = commands.add_parser(
        "telemetry",
        help="write the telemetry files of an experiment",
        description="Telemetry of an experiment, taken from its journal.",
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    export = actions.add_parser(
        "export",
        help="write the telemetry files",
        description="Write the folder `.smartsim/telemetry` of an experiment from its journal: `manifest.json`, and "
        "for each job `start.json`, `stop.json` and links to its output. May be repeated at any time: what is there "
        "stays, what has happened since is added. Prints the path of the manifest.",
    )
    export.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="folder of the experiment, or a folder that has experiments directly below it (default: the current "
        "folder)",
    )
    export.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    from smartsim.engine.operations import find_experiments
    from smartsim.telemetry.export import export

    for path in find_experiments(arguments.path):
        say(str(export(path)))
    return EX_OK
