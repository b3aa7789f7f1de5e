"""``smart ps``, ``stop`` and ``teardown``: what runs, and how to end it, with or without its driver."""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import TYPE_CHECKING, Any

from smartsim.cli.output import EX_OK, EX_SOFTWARE, EX_USAGE, complain, say, say_table
from smartsim.plugin.exports import RUNTIMES, installation_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smartsim.engine.operations import Entry

__all__ = ["add_commands", "split_names"]

_PATH_HELP = (
    "folder of the experiment, or a folder that has experiments directly below it (default: the current folder)"
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    ps = commands.add_parser(
        "ps",
        help="list the jobs of an experiment",
        description="List every job of an experiment: what runs, and how the others ended. Works while the driver "
        "runs, after it has ended, and after it was killed.",
    )
    ps.add_argument("path", nargs="?", default=".", metavar="PATH", help=_PATH_HELP)
    ps.add_argument(
        "--json",
        action="store_true",
        help="print a JSON list of objects with name, type, id, status, returncode, start and end (seconds since the "
        "epoch), and experiment (its folder) when PATH has several",
    )
    ps.set_defaults(run=_ps)

    stop = commands.add_parser(
        "stop",
        help="stop jobs of an experiment",
        usage="smart stop [-h] [--all] [--grace SECONDS] [--path PATH] [NAME ...] [PATH]",
        description="Stop jobs: each is asked to end, and after a while ended by force; a database is shut down "
        "cleanly first. NAME is the name of a model, of an ensemble or one of its members, or of a database. The "
        "last word is the PATH when it has a `/`, is `.` or `..`, or is a folder with an experiment; `--path` says "
        "it beyond doubt.",
    )
    stop.add_argument("names", nargs="*", metavar="NAME", help="what to stop")
    stop.add_argument("--all", action="store_true", help="stop everything that runs")
    stop.add_argument("--path", metavar="PATH", help=_PATH_HELP)
    _add_grace(stop)
    stop.set_defaults(run=_stop)

    teardown = commands.add_parser(
        "teardown",
        help="end everything of an experiment",
        description="End everything that an experiment has left running: its jobs, its databases, its supervisor and "
        "that one's socket. Files stay. May be repeated.",
    )
    teardown.add_argument("path", nargs="?", default=".", metavar="PATH", help=_PATH_HELP)
    for runtime, spelt in RUNTIMES.items():
        teardown.add_argument(
            f"--{runtime}",
            dest="runtimes",
            action="append_const",
            const=runtime,
            default=[],
            help=f"end the runtime of {spelt}, too",
        )
    _add_grace(teardown)
    teardown.set_defaults(run=_teardown)


def _add_grace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grace",
        type=_seconds,
        metavar="SECONDS",
        help="how long a job may take to end by itself (default: SMARTSIM_STOP_GRACE, else 5)",
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: give a number of seconds, 0 or more")
    return value


# --- ps --------------------------------------------------------------------------------------------------------------


def _ps(arguments: argparse.Namespace) -> int:
    from smartsim.engine.operations import find_experiments, has_journal, survey

    experiments = find_experiments(arguments.path)
    several = not has_journal(arguments.path)
    surveys = [survey(path) for path in experiments]
    for one in surveys:
        for warning in one.warnings:
            complain(f"smart ps: {warning}")
    if arguments.json:
        say(json.dumps([_as_json(entry, several) for one in surveys for entry in one.entries], indent=2))
        return EX_OK
    for index, one in enumerate(surveys):
        if several:
            say(("" if index == 0 else "\n") + one.path)
        _show(one.entries)
    return EX_OK


def _show(entries: Sequence[Entry]) -> None:
    if not entries:
        say("No job was ever started.")
        return
    say_table(
        ("Name", "Type", "ID", "Status", "Returncode", "Start", "End"),
        [
            (
                entry.name,
                entry.type,
                entry.id,
                entry.status,
                "" if entry.returncode is None else str(entry.returncode),
                _clock(entry.start),
                "" if entry.end is None else _clock(entry.end),
            )
            for entry in entries
        ],
    )


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _as_json(entry: Entry, several: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": entry.name,
        "type": entry.type,
        "id": entry.id,
        "status": entry.status,
        "returncode": entry.returncode,
        "start": entry.start,
        "end": entry.end,
    }
    return {**fields, "experiment": entry.experiment} if several else fields


# --- stop and teardown -----------------------------------------------------------------------------------------------


def split_names(words: Sequence[str], path: str | None) -> tuple[list[str], str]:
    """Tell the names from the path among the words after ``smart stop``.

    The last word is the path when it cannot be a name, because it has a ``/`` or is ``.`` or ``..``, or when it is a
    folder with an experiment.

    Args:
        words: the words.
        path: what ``--path`` says; then all words are names.

    Returns:
        The names, and the path; the current folder when there is none.

    Raises:
        ValueError: the last word is the name of something in the current folder's experiment, and a folder with an
            experiment, too.
    """
    from smartsim.engine.operations import has_journal, known_names

    if path is not None:
        return list(words), path
    *names, last = words or [""]
    if "/" in last or last in {".", ".."}:
        return names, last
    if last and has_journal(last):
        if has_journal(".") and last in known_names("."):
            raise ValueError(
                f"{last!r} is the name of something in this experiment and the folder of another one: "
                f"write `--path . {last}` for the first, `--path {last}` for the second"
            )
        return names, last
    return list(words), "."


def _stop(arguments: argparse.Namespace) -> int:
    from smartsim.engine.operations import find_experiments, plan_stop, stop

    try:
        names, path = split_names(arguments.names, arguments.path)
    except ValueError as error:
        complain(f"smart stop: {error}")
        return EX_USAGE
    if bool(names) == arguments.all:
        complain("smart stop: name what to stop, or give --all; `smart ps` lists the names")
        return EX_USAGE
    experiments = find_experiments(path)
    chosen = plan_stop(experiments, names or None)
    return _report([entry for one in chosen for entry in stop(one, names or None, arguments.grace)])


def _teardown(arguments: argparse.Namespace) -> int:
    from smartsim.engine.operations import find_experiments, teardown
    from smartsim.plugin.catalogue import LAUNCHERS, catalogue

    for runtime in arguments.runtimes:
        if runtime not in catalogue().names(LAUNCHERS):
            say(f"There is no runtime of {RUNTIMES[runtime]} to end: {installation_hint(runtime)} if you need it.")
    ended = [entry for path in find_experiments(arguments.path) for entry in teardown(path, arguments.grace)]
    return _report(ended)


def _report(entries: Sequence[Entry]) -> int:
    """Say what became of the jobs that were to be ended."""
    if not entries:
        say("Nothing was running.")
    for entry in entries:
        say(f"{entry.name} ({entry.id}): {entry.status}")
    return EX_SOFTWARE if any(entry.active for entry in entries) else EX_OK
