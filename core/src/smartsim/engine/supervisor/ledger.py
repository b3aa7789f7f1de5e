"""The supervisor's side of the journal: records are collected, written together, and kept while the disk is full."""

from __future__ import annotations

import time

from smartsim.engine.supervisor.journal import Journal, line

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FIRST_PAUSE = 1.0
"""Seconds after which a journal that could not be written is tried again; each further pause is twice as long."""
LONGEST_PAUSE = 60.0
"""Seconds that no pause exceeds."""
PATIENCE = 3600.0
"""Seconds after which unwritten records no longer keep the supervisor alive."""


class Ledger:
    """Collects records and writes them with `flush`.

    Args:
        path: the journal.

    Raises:
        OSError: it cannot be opened for appending.
    """

    def __init__(self, path: str) -> None:
        self._journal = Journal(path)
        self._lines: list[bytes] = []
        self._pause = 0.0
        self._give_up_at = 0.0
        self.due: float | None = None
        """When to call `flush` even if there is no news, by `time.monotonic`; None for never."""

    def add(self, kind: str, fields: Mapping[str, Any], at: float | None = None) -> None:
        """Record something at the next `flush`; see `smartsim.engine.supervisor.journal.line`."""
        self._lines.append(line(kind, fields, at))

    def flush(self) -> None:
        """Write what was added, and what could not be written before."""
        if not self._lines and self.due is None:
            return
        lines, self._lines = self._lines, []
        now = time.monotonic()
        if self._journal.write(lines):
            self.due = None
            self._pause = 0.0
            return
        if self._pause == 0.0:
            self._give_up_at = now + PATIENCE
        if self.due is None or now >= self.due:
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._pause))
            self.due = now + self._pause

    @property
    def unsettled(self) -> bool:
        """Whether there are records that are worth waiting for room on the disk."""
        return bool(self._lines or (self._journal.pending and time.monotonic() < self._give_up_at))
