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
        return _RANKS[self._value_] == _ENDED

    @property
    def status(self) -> SmartSimStatus:
        """The published status that stands for this state."""
        return _STATUS[self._value_]

    def can_become(self, later: State) -> bool:
        """Whether a job in this state may be reported as `later` next.

        Nothing follows a terminal state, so a late poll can never un-finish a job. A job that has run does not
        queue again. `RUNNING`, `PAUSED` and `UNKNOWN` may follow each other.
        """
        return _ENDED > _RANKS[self._value_] <= _RANKS[later._value_]


# By the words, whose hashes are remembered: those of members are computed anew each time, for thousands of jobs.
_ENDED = 3
_RANKS = {
    "new": 0,
    "queued": 1,
    "running": 2,
    "paused": 2,
    "unknown": 2,
    "completed": _ENDED,
    "failed": _ENDED,
    "cancelled": _ENDED,
}
_STATUS = {
    "new": SmartSimStatus.STATUS_NEW,
    "queued": SmartSimStatus.STATUS_QUEUED,
    "running": SmartSimStatus.STATUS_RUNNING,
    "paused": SmartSimStatus.STATUS_PAUSED,
    "unknown": SmartSimStatus.STATUS_RUNNING,
    "completed": SmartSimStatus.STATUS_COMPLETED,
    "failed": SmartSimStatus.STATUS_FAILED,
    "cancelled": SmartSimStatus.STATUS_CANCELLED,
}
