"""The command line: which commands there are, and how each ends."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import smartsim
from smartsim.cli import dashboard, info, nothing_to_build, operator, plugins, telemetry, validate
from smartsim.cli.output import EX_INTERRUPTED, EX_OK, EX_SOFTWARE, EX_USAGE, complain
from smartsim.error import SmartSimError, SSInternalError, SSUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "make_parser"]

PROGRAM = "smart"


class _Formatter(argparse.HelpFormatter):
    """Puts what a command does on the line of its name."""

    def add_argument(self, action: argparse.Action) -> None:
        """Take `action` into account, and that the names of commands are indented, which the base class forgets."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse has no public name for it
            self._action_max_length += self._indent_increment


class _Parser(argparse.ArgumentParser):
    """Reports misuse with its own help text and the exit code for it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Formatter, **options)
        self.set_defaults(parser=self)  # of a command, its own

    def error(self, message: str) -> NoReturn:
        """End with the command's help and `message`."""
        self.print_help(sys.stderr)
        self.exit(EX_USAGE, f"\n{self.prog}: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog=PROGRAM,
        description="Look after SmartSim: its experiments, its plugins, its installation.",
        epilog="`smart COMMAND --help` explains a command. Exit codes: 0 done, 64 misused, 70 failed, 78 something "
        "that the command needs is not installed, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {smartsim.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for module in (operator, telemetry, plugins, info, validate, dashboard, nothing_to_build):
        module.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``smart``.

    Args:
        argv: the words after the command's name, those of this process when None.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        complain("smart: interrupted")
        return EX_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough. Nothing more can be written there, not even at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EX_SOFTWARE
    except (SmartSimError, SSInternalError, SSUnsupportedError, OSError) as error:
        complain(f"smart: {error}")
        return EX_SOFTWARE


def _run(words: list[str]) -> int:
    parser = make_parser()
    if not words:
        parser.print_help()
        return EX_USAGE
    if words[0] == dashboard.NAME:
        return dashboard.run(words[1:])
    try:
        arguments, unknown = parser.parse_known_args(words)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as end:  # help, the version or misuse; its text has been written
        return end.code if isinstance(end.code, int) else EX_OK
    code: int = arguments.run(arguments)
    sys.stdout.flush()
    return code
