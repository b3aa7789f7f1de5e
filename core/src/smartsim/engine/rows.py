"""The columns in which jobs are shown, as text and in notebooks, and the line about one job in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smartsim.engine.table import Job

__all__ = ["COLUMNS", "MISSING", "Row", "job_line", "row", "rows"]

Row = tuple[str, str, str, str, str, str, str]
COLUMNS: Row = ("Name", "Entity-Type", "JobID", "RunID", "Time", "Status", "Returncode")
"""Titles of the columns."""
MISSING = "None"
"""What stands for a value that is not known."""


def row(job: Job, now: float | None = None) -> Row:
    """Return the cells of one job.

    Args:
        job: the job.
        now: seconds since the epoch until which the time of a job counts that has not ended; None leaves it out.
    """
    until = now if job.ended is None else job.ended
    return (
        job.entity,
        job.entity_type,
        job.handle.native_id or MISSING,
        str(job.run),
        MISSING if until is None else f"{max(until - job.started, 0.0):.4f}",
        str(job.status.state.status),
        MISSING if job.status.returncode is None else str(job.status.returncode),
    )


def rows(jobs: Iterable[Job], now: float | None = None) -> list[Row]:
    """Return the cells of several jobs, in order; see `row`."""
    return [row(job, now) for job in jobs]


def job_line(job: Job) -> str:
    """Return the log line of one job: ``name(id): status``, without the parentheses while there is no id."""
    number = f"({job.handle.native_id})" if job.handle.native_id else ""
    return f"{job.entity}{number}: {job.status.state.status}"
