"""The states of a job, as users see them and as the engine orders them."""

from __future__ import annotations

from enum import Enum

__all__ = ["TERMINAL_STATUSES", "SmartSimStatus", "State"]


class SmartSimStatus(Enum):
    """What `Experiment.get_status` answers for an entity.

    The value is the plain word; so is ``str()``, which is what tables and logs print.
    """

    STATUS_RUNNING = "Running"
    STATUS_COMPLETED = "Completed"
    STATUS_CANCELLED = "Cancelled"
    STATUS_FAILED = "Failed"
    STATUS_NEW = "New"
    STATUS_PAUSED = "Paused"
    STATUS_NEVER_STARTED = "NeverStarted"
    STATUS_QUEUED = "Queued"

    def __str__(self) -> str:
        return str(self.value)


TERMINAL_STATUSES = frozenset(
    {SmartSimStatus.STATUS_CANCELLED, SmartSimStatus.STATUS_COMPLETED, SmartSimStatus.STATUS_FAILED}
)
"""The statuses that never change again."""


class State(Enum):
    """The state of one job; it moves forward only, see `State.can_become`.

    `UNKNOWN` is a third answer beside "alive" and "ended": the scheduler was asked and does not know.
    """

    NEW = "new"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    UNKNOWN = "unknown"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self in _TERMINAL

    @property
    def status(self) -> SmartSimStatus:
        """The published status that stands for this state."""
        return _STATUS[self]

    def can_become(self, later: State) -> bool:
        """Whether a job in this state may be reported as `later` next.

        Nothing follows a terminal state, so a late poll can never un-finish a job. A job that has run does not
        queue again. `RUNNING`, `PAUSED` and `UNKNOWN` may follow each other.
        """
        return not self.terminal and _ORDER[later] >= _ORDER[self]


_TERMINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
_ORDER = {
    State.NEW: 0,
    State.QUEUED: 1,
    State.RUNNING: 2,
    State.PAUSED: 2,
    State.UNKNOWN: 2,
    State.COMPLETED: 3,
    State.FAILED: 3,
    State.CANCELLED: 3,
}
_STATUS = {
    State.NEW: SmartSimStatus.STATUS_NEW,
    State.QUEUED: SmartSimStatus.STATUS_QUEUED,
    State.RUNNING: SmartSimStatus.STATUS_RUNNING,
    State.PAUSED: SmartSimStatus.STATUS_PAUSED,
    State.UNKNOWN: SmartSimStatus.STATUS_RUNNING,
    State.COMPLETED: SmartSimStatus.STATUS_COMPLETED,
    State.FAILED: SmartSimStatus.STATUS_FAILED,
    State.CANCELLED: SmartSimStatus.STATUS_CANCELLED,
}
