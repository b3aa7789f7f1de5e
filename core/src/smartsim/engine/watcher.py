"""Follows jobs whose end nobody reports by itself, such as batch jobs.

All of them are asked about with one query, at growing intervals.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from smartsim.config import JM_INTERVAL
from smartsim.error import SmartSimError, SSInternalError
from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from smartsim.values import JobHandle, JobStatus

__all__ = ["FIRST_INTERVAL", "Watcher"]

logger = get_logger(__name__)

FIRST_INTERVAL = 0.1
"""Seconds between the launch and the first query. Short jobs are seen soon, long queues are asked about rarely."""
GROWTH = 1.5
JITTER = 0.2


class Watcher:
    """Asks about jobs until each has ended.

    The interval starts at `FIRST_INTERVAL`, grows by half each time, varies by a fifth so that many experiments do not
    ask in step, and stays below ``SMARTSIM_JM_INTERVAL``. A newly watched job, or any change, makes it short again.

    Args:
        ask: answers for several jobs with one query; raises when the scheduler does not answer.
        report: receives what was answered.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[JobHandle]], Iterable[tuple[JobHandle, JobStatus]]],
        report: Callable[[Iterable[tuple[JobHandle, JobStatus]]], None],
    ) -> None:
        self._ask = ask
        self._report = report
        self._changed = threading.Condition()
        self._handles: dict[JobHandle, JobStatus | None] = {}
        self._interval = FIRST_INTERVAL
        self._closed = False
        self._silent = False
        self._thread: threading.Thread | None = None

    def watch(self, handles: Iterable[JobHandle]) -> None:
        """Follow further jobs."""
        with self._changed:
            self._handles |= dict.fromkeys(handles)
            self._interval = FIRST_INTERVAL
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(name="SmartSim-watcher", target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Follow nothing any more and end the thread."""
        with self._changed:
            self._closed = True
            self._handles.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while handles := self._wait():
            try:
                answers = list(self._ask(handles))
            except (SSInternalError, SmartSimError, OSError) as error:
                self._unanswered(error)
                continue
            if self._silent:
                logger.info("The scheduler answers again")
                self._silent = False
            self._note(answers)
            self._report(answers)

    def _wait(self) -> list[JobHandle]:
        """Sleep for one interval; the jobs to ask about, none when there is nothing left to do."""
        import random

        with self._changed:
            if self._handles:
                self._changed.wait(self._interval * random.uniform(1 - JITTER, 1))  # noqa: S311 - no secret
                self._interval = min(self._interval * GROWTH, JM_INTERVAL.read())
            if not self._handles:
                self._thread = None
            return list(self._handles)

    def _note(self, answers: Iterable[tuple[JobHandle, JobStatus]]) -> None:
        with self._changed:
            for handle, status in answers:
                if handle not in self._handles:
                    continue
                before = self._handles[handle]
                if before is None or before.state is not status.state:
                    self._interval = FIRST_INTERVAL
                if status.state.terminal:
                    del self._handles[handle]
                else:
                    self._handles[handle] = status

    def _unanswered(self, error: Exception) -> None:
        if not self._silent:
            logger.warning("The scheduler does not answer; the last known states stand until it does: %s", error)
        self._silent = True
