"""``smart plugins``: which plugins are installed, and whether each can be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from smartsim.cli.output import EX_OK, complain, say, say_table

if TYPE_CHECKING:
    import argparse

    from smartsim.plugin.catalogue import PluginReport

__all__ = ["add_commands"]

_BROKEN = 1


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "plugins",
        help="list the installed plugins",
        description="Load every installed plugin and say what it is, or why it cannot be used. The exit code is 1 "
        "when one cannot be used.",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object for each plugin")
    parser.set_defaults(run=_plugins)


def _plugins(arguments: argparse.Namespace) -> int:
    from smartsim.plugin.catalogue import catalogue

    reports = catalogue().survey()
    if arguments.json:
        say(json.dumps([_as_json(report) for report in reports], indent=2))
    elif reports:
        say_table(
            ("Name", "Kind", "Distribution", "Version", "API", "Capabilities", "Problem"),
            [_as_row(report) for report in reports],
        )
        for report in reports:
            if report.error is not None:
                complain(f"{report.kind} {report.name}: {report.error}")
    else:
        say("No plugin is installed. `pip install smartsim` brings those that a laptop needs.")
    return _BROKEN if any(report.error is not None for report in reports) else EX_OK


def _as_json(report: PluginReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "kind": report.kind,
        "distribution": report.distribution,
        "version": report.version,
        "api": None if report.api is None else _dotted(report.api),
        "capabilities": list(report.capabilities),
        "error": report.error,
    }


def _as_row(report: PluginReport) -> tuple[str, ...]:
    return (
        report.name,
        report.kind,
        report.distribution,
        report.version,
        "" if report.api is None else _dotted(report.api),
        ", ".join(report.capabilities),
        "" if report.error is None else "cannot be used, see below",
    )


def _dotted(api: tuple[int, int]) -> str:
    return ".".join(map(str, api))
