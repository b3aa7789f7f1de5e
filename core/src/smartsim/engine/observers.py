"""Delivery of job events to plugins and to the log, in order, on a thread of its own.

The thread that learns of an exit must not wait for an observer, and an observer must not be called by two threads.
"""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from smartsim.log import ContextThread, get_logger
from smartsim.status import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from smartsim.values import JobEvent

__all__ = ["Observers", "log_event"]

logger = get_logger(__name__)


class Observers:
    """Passes every event to each of `receivers`.

    The thread starts with the first event and ends with `close`; it sleeps while nothing happens.
    """

    def __init__(self, *receivers: Callable[[JobEvent], None]) -> None:
        self._receivers = receivers
        self._queue: SimpleQueue[JobEvent | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def publish(self, event: JobEvent) -> None:
        """Deliver `event` soon; returns at once."""
        if self._thread is None:
            self._thread = ContextThread(
                name="SmartSim-events", target=_deliver, args=(self._queue, self._receivers), daemon=True
            )
            self._thread.start()
        self._queue.put(event)

    def drain(self) -> None:
        """Wait until everything published so far has been delivered."""
        if self._thread is None or self._thread is threading.current_thread():
            return
        delivered = threading.Event()
        self._queue.put(delivered)
        delivered.wait()

    def close(self) -> None:
        """Deliver what is left and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._queue.put(None)
        if thread is not threading.current_thread():
            thread.join()


def _deliver(
    queue: SimpleQueue[JobEvent | threading.Event | None], receivers: tuple[Callable[[JobEvent], None], ...]
) -> None:
    while (item := queue.get()) is not None:
        if isinstance(item, threading.Event):
            item.set()
            continue
        for receive in receivers:
            receive(item)


def log_event(event: JobEvent) -> None:
    """Say in the log that a job has ended, as a warning when it failed.

    Of the members of an ensemble, which may be thousands, only the failures are for everybody.
    """
    status = event.status
    if not status.state.terminal:
        return
    name = f"{event.entity}({event.handle.native_id})"
    if status.state is State.FAILED:
        logger.warning("%s: %s, %s", name, status.state.status, status.reason or "no reason known")
    else:
        level = logging.DEBUG if event.group and event.entity_type == "Model" else logging.INFO
        logger.log(level, "%s: %s", name, status.state.status)
