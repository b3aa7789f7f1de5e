"""One line at the bottom of a terminal that tells how far the jobs are while a driver waits for them.

Everything that is written to the terminal meanwhile, log lines above all, appears unchanged above that line.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from smartsim.status import TERMINAL_STATUSES, SmartSimStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Display", "progress"]

_DELAY = 0.4
"""Seconds before the line appears: what is over sooner needs none, and is not slowed down by an import."""
_PERIOD = 0.5
"""Seconds between two drawings at most."""
_COLUMNS = 80
"""Width of a terminal that does not tell its own."""
_ERASE = "\r\x1b[2K"
_one_at_a_time = threading.Lock()


class Display(Protocol):
    """Where a waiting driver tells how far its jobs are."""

    def update(self, counts: Mapping[SmartSimStatus, int], text: str = "") -> None:
        """Take note of the state of affairs; cheap, returns at once.

        Args:
            counts: how many jobs are in which status.
            text: what to say beside it, for instance the name of the job that ended last.
        """


class _Nothing:
    """The display where none can or should be seen."""

    def update(self, counts: Mapping[SmartSimStatus, int], text: str = "") -> None:
        pass


@contextlib.contextmanager
def progress(
    total: int,
    *,
    source: Callable[[], Mapping[SmartSimStatus, int]] | None = None,
    logger: logging.Logger | None = None,
) -> Iterator[Display]:
    """Show the progress of `total` jobs while the block runs.

    Nothing is shown, and no thread is started, when standard output or standard error is not a terminal that can erase
    a line, when `logger` does not show INFO records, when there are no jobs, or when another line is being shown.

    Args:
        total: number of jobs that are waited for.
        source: tells how many jobs are in which status; asked on a thread of the display whenever the line is drawn,
            so that whoever waits need not wake up for it. Without it, `Display.update` tells.
        logger: the logger whose level counts, by default SmartSim's.
    """
    logger = logging.getLogger("SmartSim") if logger is None else logger
    if total < 1 or not _talkative(logger) or not _terminals() or not _one_at_a_time.acquire(blocking=False):
        yield _Nothing()
        return
    try:
        line = _Line(total, sys.stderr, source)
        try:
            yield line
        finally:
            line.close()
    finally:
        _one_at_a_time.release()


def _talkative(logger: logging.Logger) -> bool:
    """Whether INFO records of `logger` reach the terminal: a log file may want more than the screen."""
    if not logger.isEnabledFor(logging.INFO):
        return False
    screens = [handler for handler in logger.handlers if _is_terminal(getattr(handler, "stream", None))]
    return not screens or any(handler.level <= logging.INFO for handler in screens)


def _terminals() -> bool:
    """Whether standard output and standard error are terminals that can erase a line."""
    if os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}:
        return False
    return _is_terminal(sys.stdout) and _is_terminal(sys.stderr)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # it is no stream, or it has been closed
        return False


class _Above:
    """A stream whose text appears above the line; after the line has gone it is as good as the stream itself.

    Args:
        stream: the stream.
        write: how text gets there.
    """

    def __init__(self, stream: TextIO, write: Callable[[TextIO, str], int]) -> None:
        self._stream = stream
        self._write = write

    def write(self, text: str) -> int:
        return self._write(self._stream, text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Line:
    """The line, and the thread that draws it.

    Args:
        total: number of jobs.
        terminal: where to draw.
        source: tells how many jobs are in which status, or None.
    """

    def __init__(self, total: int, terminal: TextIO, source: Callable[[], Mapping[SmartSimStatus, int]] | None) -> None:
        self._total = total
        self._terminal = terminal
        self._source = source
        self._counts: Mapping[SmartSimStatus, int] = {}
        self._text = ""
        self._since = time.monotonic()
        # Reentrant, because a signal handler may log while its own thread is inside.
        self._lock = threading.RLock()
        self._painted = ""
        self._mid_line = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="smartsim-progress", daemon=True)
        self._thread.start()

    def update(self, counts: Mapping[SmartSimStatus, int], text: str = "") -> None:
        self._counts, self._text = dict(counts), text

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        if self._over.wait(_DELAY):
            return
        painter = _Painter(self._terminal, self._total, self._since)
        with self._redirected():
            while not self._over.is_set():
                # Not under our lock: whoever counts may hold another one while it logs.
                counts = self._counts if self._source is None else self._source()
                line = painter.line(counts, self._text)
                with self._lock:
                    self._paint(line)
                self._over.wait(_PERIOD)
            with self._lock:
                self._erase()

    def _paint(self, line: str) -> None:
        if not self._mid_line and _in_foreground(self._terminal):
            self._send(_ERASE + line)
            self._painted = line

    def _erase(self) -> None:
        if self._painted:
            self._send(_ERASE)
            self._painted = ""

    def _send(self, text: str) -> None:
        # A terminal that has gone away must not turn into an error of the driver.
        with contextlib.suppress(OSError, ValueError):
            self._terminal.write(text)
            self._terminal.flush()

    def _write_above(self, stream: TextIO, text: str) -> int:
        with self._lock:
            line = self._painted
            self._erase()
            written = stream.write(text)
            stream.flush()
            if text:
                self._mid_line = not text.endswith("\n")
            if line:
                self._paint(line)
            return written

    @contextlib.contextmanager
    def _redirected(self) -> Iterator[None]:
        """Let what others write to the terminal go through `_write_above`."""
        raw: dict[str, TextIO] = {"stdout": sys.stdout, "stderr": sys.stderr}
        above = {name: cast("TextIO", _Above(stream, self._write_above)) for name, stream in raw.items()}
        for name, stream in above.items():
            setattr(sys, name, stream)
        moved = []
        for handler in _stream_handlers():
            for name, stream in above.items():
                # Not under our lock: a handler that is writing holds its own and waits for ours.
                if handler.stream is raw[name]:
                    handler.setStream(stream)
                    moved.append((handler, stream, raw[name]))
        try:
            yield
        finally:
            for handler, stream, before in moved:
                if handler.stream is stream:
                    handler.setStream(before)
            for name, stream in above.items():
                if getattr(sys, name) is stream:
                    setattr(sys, name, raw[name])


def _stream_handlers() -> list[logging.StreamHandler[TextIO]]:
    """Every handler that writes to a stream which somebody chose for it."""
    known = list(logging.root.manager.loggerDict.values())
    loggers = [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]
    return [
        handler
        for logger in loggers
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler) and "stream" in vars(handler)
    ]


def _in_foreground(terminal: TextIO) -> bool:
    """Whether the terminal is ours now: a driver in the background must not write over its user's shell."""
    try:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # it is a terminal, but not the one that controls us
        return True


_ORDER = (
    SmartSimStatus.STATUS_RUNNING,
    SmartSimStatus.STATUS_PAUSED,
    SmartSimStatus.STATUS_QUEUED,
    SmartSimStatus.STATUS_NEW,
    SmartSimStatus.STATUS_COMPLETED,
    SmartSimStatus.STATUS_CANCELLED,
    SmartSimStatus.STATUS_FAILED,
)
_STYLES = {SmartSimStatus.STATUS_COMPLETED: "green", SmartSimStatus.STATUS_FAILED: "bold red"}


class _Painter:
    """Composes the line.

    Args:
        terminal: where it is going to be drawn; decides about width and colours.
        total: number of jobs.
        since: when the waiting began, in the time of `time.monotonic`.
    """

    def __init__(self, terminal: TextIO, total: int, since: float) -> None:
        from rich.console import Console

        self._terminal = terminal
        self._console = Console(file=terminal, highlight=False)
        self._total = total
        self._since = since

    def line(self, counts: Mapping[SmartSimStatus, int], text: str) -> str:
        """Return the line, narrower than the terminal and without a line end."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        ended = sum(count for status, count in counts.items() if status in TERMINAL_STATUSES)
        total = max(self._total, sum(counts.values()))
        words = [
            Text(f"{counts[status]} {status}", style=_STYLES.get(status, ""))
            for status in _ORDER
            if counts.get(status, 0)
        ]
        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(5):
            grid.add_column(no_wrap=True, overflow="ellipsis")
        printable = "".join(char if char.isprintable() else "?" for char in text)
        grid.add_row(
            ProgressBar(total=total, completed=ended, width=20),
            Text(f"{ended}/{total}"),
            Text(", ").join(words),
            Text(_clock(time.monotonic() - self._since)),
            Text(printable, style="dim"),
        )
        # In the last column a terminal may already have moved on to the next line.
        self._console.width = max(_columns(self._terminal) - 1, 1)
        with self._console.capture() as captured:
            self._console.print(grid, end="")
        return captured.get().split("\n", 1)[0]


def _columns(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
