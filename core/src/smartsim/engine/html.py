"""How experiments and tables look in a notebook: HTML that needs nothing beside it, on light and on dark pages."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from smartsim.engine.rows import Row

__all__ = ["experiment", "table"]

MAX_ROWS = 60
"""A longer table shows its beginning and its end; a page with tens of thousands of rows is slow and unread."""

# Text keeps the colour of the page, and a half transparent grey line can be seen on light and on dark alike.
_TABLE = "border-collapse:collapse;font-variant-numeric:tabular-nums"
_HEAD = "text-align:left;padding:.25em .75em;border-bottom:1px solid currentColor;font-weight:600"
_CELL = "text-align:left;padding:.25em .75em;border-bottom:1px solid rgba(128,128,128,.3)"
_QUIET = "opacity:.7"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table.

    Args:
        columns: titles.
        rows: cells of each row, as many as there are titles.
    """
    head = "".join(f'<th scope="col" style="{_HEAD}">{_text(title)}</th>' for title in columns)
    body = "".join(_body(columns, rows))
    return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def experiment(*, name: str, path: str, launcher: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return what a notebook shows of an Experiment: who it is, how many jobs are in which state, and each job.

    Args:
        name: name of the experiment.
        path: its folder.
        launcher: name of its launcher.
        columns: titles of the columns; one of them is ``Status``.
        rows: cells of each job.
    """
    status = columns.index("Status")
    counts = Counter(cells[status] for cells in rows)
    jobs = ", ".join(f"{count} {word}" for word, count in counts.items()) or "none yet"
    facts = "".join(
        f'<div><span style="{_QUIET}">{title}:</span> {_text(value)}</div>'
        for title, value in (("Path", path), ("Launcher", launcher), ("Jobs", jobs))
    )
    shown = table(columns, rows) if rows else ""
    return f"<div><div><strong>Experiment {_text(name)}</strong></div>{facts}{shown}</div>"


def _body(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    if len(rows) <= MAX_ROWS:
        yield from map(_row, rows)
        return
    half = MAX_ROWS // 2
    yield from map(_row, rows[:half])
    yield f'<tr><td colspan="{len(columns)}" style="{_CELL}">... {len(rows) - 2 * half} more rows ...</td></tr>'
    yield from map(_row, rows[-half:])


def _row(cells: Sequence[str]) -> str:
    inner = "".join(f'<td style="{_CELL}">{_text(cell)}</td>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _text(value: str) -> str:
    # A lone surrogate, as in a name from a file system that is not UTF-8, cannot be sent to a browser.
    return escape(value.encode("utf-8", "backslashreplace").decode("utf-8"))
