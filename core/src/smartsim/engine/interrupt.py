"""What Ctrl-C does: the jobs of every experiment that asked for it are ended, then Python's own handling goes on.

Python runs the handler in the main thread between any two of its instructions. What must not be left half done, or
entered a second time, is therefore shielded: Ctrl-C then waits until it is done.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol, Self

from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Interruptible", "Monitor", "Shield", "raises", "shield", "watch"]

logger = get_logger(__name__)


class Interruptible(Protocol):
    """Something that has to react to Ctrl-C."""

    def interrupt(self) -> None:
        """Called in the main thread, possibly in the middle of any other call to the same object."""


class Shield:
    """A context manager that puts Ctrl-C off until it is left; for what takes milliseconds. Reentrant.

    Other threads than the main one are never interrupted, so it does nothing there.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._pending = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth -= 1
            if self._pending and not self._depth:
                self._pending = False
                signal.raise_signal(signal.SIGINT)

    def put_off(self) -> bool:
        """Asked by the handler: whether it has to come back later, which is seen to."""
        self._pending = self._pending or self._depth > 0
        return self._depth > 0

    def reset(self) -> None:
        """In a forked process: the thread that was inside does not exist."""
        self._depth = 0
        self._pending = False


shield = Shield()
"""The shield of this process."""
os.register_at_fork(after_in_child=shield.reset)


class Monitor:
    """A lock with a waiting room, like `threading.Condition`, whose owner is shielded from Ctrl-C.

    So the handler never runs while its own thread has the lock, and may use what the lock protects. Who waits can be
    interrupted.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waiting: set[threading.Lock] = set()

    def __enter__(self) -> Self:
        shield.__enter__()
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        shield.__exit__()

    def notify_all(self) -> None:
        """Wake whoever waits; the caller has the lock."""
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            waiter.release()

    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `condition` is true, at most `timeout` seconds; the caller does not have the lock.

        Args:
            condition: is asked, with the lock, now and after each `notify_all`.
            timeout: seconds, None for ever.

        Returns:
            What it said last.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self:
                left = None if end is None else end - time.monotonic()
                if condition():
                    return True
                if left is not None and left <= 0:
                    return False
                waiter = threading.Lock()
                waiter.acquire()
                self._waiting.add(waiter)
            try:
                waiter.acquire(timeout=-1 if left is None else min(left, threading.TIMEOUT_MAX))
            finally:
                with self:
                    self._waiting.discard(waiter)


_watched: weakref.WeakSet[Interruptible] = weakref.WeakSet()
_installed: Callable[[int, FrameType | None], object] | None = None
_replaced: object = None


def watch(target: Interruptible) -> None:
    """From now on tell `target` of Ctrl-C, for as long as it exists.

    Python lets only the main thread set handlers: elsewhere the target is noted, and told once any experiment has been
    started from the main thread. Where Ctrl-C is ignored, as in a script that a shell runs in the background, it still
    is.
    """
    _watched.add(target)
    if threading.current_thread() is threading.main_thread():
        _install()


def raises() -> bool:
    """Whether Ctrl-C is expected to raise KeyboardInterrupt in this thread.

    An exception that a handler raises while Python finalises an object is lost, so whoever was told of Ctrl-C and goes
    on nevertheless may ask this.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and _replaced in (signal.default_int_handler, signal.SIG_DFL)


def _install() -> None:
    global _installed, _replaced
    previous = signal.getsignal(signal.SIGINT)
    if previous is signal.SIG_IGN or (_installed is not None and previous is _installed):
        return

    def handle(number: int, frame: FrameType | None) -> object:
        if shield.put_off():
            return None
        for target in list(_watched):
            try:
                target.interrupt()
            except Exception:
                logger.exception("Jobs could not be ended on interrupt; see `smart ps`")
        if callable(previous):
            return previous(number, frame)
        if previous is signal.SIG_DFL:
            raise KeyboardInterrupt
        return None

    _installed, _replaced = handle, previous
    signal.signal(signal.SIGINT, handle)
