"""What Ctrl-C does: the jobs of every experiment that asked for it are ended, then Python's own handling goes on."""

from __future__ import annotations

import signal
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Interruptible", "watch"]

logger = get_logger(__name__)


class Interruptible(Protocol):
    """Something that has to react to Ctrl-C."""

    def interrupt(self) -> None:
        """Called in the main thread, possibly in the middle of any other call to the same object."""


_watched: weakref.WeakSet[Interruptible] = weakref.WeakSet()
_installed: Callable[[int, FrameType | None], object] | None = None


def watch(target: Interruptible) -> None:
    """From now on tell `target` of Ctrl-C, for as long as it exists.

    Python lets only the main thread set handlers: elsewhere the target is noted, and told once any experiment has been
    started from the main thread.
    """
    _watched.add(target)
    if threading.current_thread() is threading.main_thread():
        _install()


def _install() -> None:
    global _installed  # noqa: PLW0603 - a process has one handler per signal
    previous = signal.getsignal(signal.SIGINT)
    if _installed is not None and previous is _installed:
        return

    def handle(number: int, frame: FrameType | None) -> object:
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

    _installed = handle
    signal.signal(signal.SIGINT, handle)
