"""``smart dashboard``: hands over to the dashboard, a distribution of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from smartsim.cli.output import EX_CONFIG, complain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["NAME", "add_commands", "run"]

NAME = "dashboard"
_MODULE = "smartdashboard"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command, for the list of commands; its arguments are passed on unparsed."""
    commands.add_parser(
        NAME,
        help="start the dashboard, when it is installed",
        description="Start the dashboard. All arguments are passed on to it.",
        add_help=False,
    )


def run(words: Sequence[str]) -> int:
    """Run the dashboard with `words` as arguments.

    Returns:
        Its exit code, or 78 when it is not installed.
    """
    if find_spec(_MODULE) is None:
        complain(
            f"smart {NAME}: the dashboard is not installed: no module named {_MODULE!r} was found. "
            "`smart ps` and `smart telemetry export` work without it"
        )
        return EX_CONFIG
    return subprocess.run([sys.executable, "-m", _MODULE, *words], check=False).returncode
