"""The table of what has ended, as ``Experiment.summary`` returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from smartsim.engine.html import table
from smartsim.engine.rows import COLUMNS, MISSING, Row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smartsim.engine.table import Job

__all__ = ["Summary", "summary"]


class Summary(str):
    """The text of a summary; a notebook shows it as a table.

    Args:
        text: the text.
        rows: the cells that it was made from.

    Attributes:
        rows: as above.
    """

    __slots__ = ("rows",)

    rows: tuple[Row, ...]

    def __new__(cls, text: str, rows: Iterable[Row] = ()) -> Self:
        """Make the text, which a `str` takes here rather than in `__init__`."""
        self = super().__new__(cls, text)
        self.rows = tuple(rows)
        return self

    def _repr_html_(self) -> str:
        return table(COLUMNS, self.rows)


def summary(jobs: Iterable[Job], style: str = "github") -> Summary:
    """Return the table of the jobs that have ended, one row for each run of an entity.

    Args:
        jobs: jobs in the order of their rows; those that have not ended are left out.
        style: name of a table format of the package ``tabulate``.

    Raises:
        ValueError: there is no such style; names those that exist.
    """
    from tabulate import tabulate, tabulate_formats

    if style not in tabulate_formats:
        raise ValueError(f"style={style!r} is not one of {', '.join(tabulate_formats)}")
    cells = rows(job for job in jobs if not job.active)
    text = tabulate(cells, headers=COLUMNS, tablefmt=style, showindex=True, missingval=MISSING, disable_numparse=True)
    return Summary(str(text), cells)
