"""What commands print: plain lines, tables, problems, exit codes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EX_CONFIG",
    "EX_INTERRUPTED",
    "EX_OK",
    "EX_SOFTWARE",
    "EX_USAGE",
    "complain",
    "is_terminal",
    "say",
    "say_table",
]

EX_OK = os.EX_OK
EX_USAGE = os.EX_USAGE
"""64: the command line cannot be understood."""
EX_SOFTWARE = os.EX_SOFTWARE
"""70: what was asked for failed."""
EX_CONFIG = os.EX_CONFIG
"""78: a program that the command needs is not installed."""
EX_INTERRUPTED = 130
"""Ctrl-C."""


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{text}\n")


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    try:
        return sys.stdout.isatty()
    except ValueError:  # closed
        return False


def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Write a table: with frame and colour on a terminal, plain text with aligned columns elsewhere.

    Args:
        columns: the headings.
        rows: the cells, as text.
        title: written above it.
    """
    if is_terminal():
        _say_rich_table(columns, rows, title)
        return
    from tabulate import tabulate

    if title:
        say(title)
    say(tabulate([list(row) for row in rows], headers=list(columns), tablefmt="simple", disable_numparse=True))


def _say_rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(file=sys.stdout).print(table)


_STYLES = {"Completed": "green", "Failed": "red", "Cancelled": "yellow", "Running": "cyan"}
