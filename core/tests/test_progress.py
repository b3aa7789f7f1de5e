"""The progress line, on real pseudo-terminals."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smartsim.engine import progress as module
from smartsim.engine.progress import progress
from smartsim.log import get_logger
from smartsim.status import SmartSimStatus

RUNNING, COMPLETED, FAILED = (
    SmartSimStatus.STATUS_RUNNING,
    SmartSimStatus.STATUS_COMPLETED,
    SmartSimStatus.STATUS_FAILED,
)
STYLE = re.compile(r"\x1b\[[\d;]*m")


class Terminal:
    """A pseudo-terminal: programs write to `stream`, and `screen` is what a user then sees."""

    def __init__(self, columns: int = 100) -> None:
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        self.stream = os.fdopen(slave, "w", buffering=1, encoding="utf-8")
        self.received = ""
        self._bytes = b""

    def read_until(self, text: str, timeout: float = 20.0) -> None:
        """Wait until `text` has arrived since the last call."""
        start = len(self.received)
        end = time.monotonic() + timeout
        while text not in self.received[start:]:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not appear: {self.received[start:]!r}"
            self._receive(left)

    def drain(self) -> None:
        while self._receive(0):
            pass

    def _receive(self, timeout: float) -> bool:
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        try:
            self._bytes += os.read(self._master, 65536)
        except OSError:  # the last program has closed the terminal
            return False
        self.received = self._bytes.decode("utf-8", "ignore")
        return True

    @property
    def screen(self) -> list[str]:
        """The lines that are visible in the end; the last one is where the cursor is."""
        self.drain()
        lines, column = [""], 0
        for part in re.findall(r"\x1b\[2K|\r|\n|[^\x1b\r\n]+", STYLE.sub("", self.received)):
            if part == "\x1b[2K":
                lines[-1] = ""
            elif part == "\r":
                column = 0
            elif part == "\n":
                lines.append("")
            else:
                lines[-1] = lines[-1][:column].ljust(column) + part + lines[-1][column + len(part) :]
                column += len(part)
        return lines

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        os.close(self._master)


def on_terminal(test: Callable[..., None]) -> Callable[..., None]:
    """Make standard output and error the terminal. A fixture cannot: pytest sets them anew before each test runs."""

    @functools.wraps(test)
    def run(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, **fixtures: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal.stream)
            patch.setattr(sys, "stderr", terminal.stream)
            test(terminal=terminal, monkeypatch=patch, **fixtures)

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """A terminal; the line appears at once."""
    made = Terminal()
    monkeypatch.setattr(module, "_DELAY", 0.0)
    monkeypatch.setattr(module, "_PERIOD", 0.01)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield made
    made.close()


@pytest.fixture
def logger():
    made = logging.getLogger("test_progress")
    made.setLevel(logging.INFO)
    made.propagate = False
    yield made
    made.handlers.clear()


def painters() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "smartsim-progress"]


@on_terminal
def test_the_line_shows_counts_and_goes_away(terminal, monkeypatch, logger):
    with progress(4, logger=logger) as display:
        display.update({RUNNING: 3, COMPLETED: 1}, "sim_1 ended")
        terminal.read_until("sim_1 ended")
        (line,) = terminal.screen
        assert "1/4" in line
        assert "3 Running, 1 Completed" in line
        assert "0:00:0" in line
        display.update({COMPLETED: 3, FAILED: 1})
        terminal.read_until("1 Failed")
        assert "4/4" in terminal.screen[-1]
    assert terminal.screen == [""]
    assert painters() == []
    assert sys.stdout is terminal.stream
    assert sys.stderr is terminal.stream


@on_terminal
def test_the_display_asks_for_the_counts_itself(terminal, monkeypatch, logger):
    ended = iter(range(100_000))
    with progress(4, source=lambda: {COMPLETED: min(next(ended), 4)}, logger=logger) as display:
        terminal.read_until("4/4")
        display.update({}, "beside it")
        terminal.read_until("beside it")
    assert terminal.screen == [""]


@on_terminal
def test_whatever_is_written_stays_above(terminal, monkeypatch, logger):
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    shared = get_logger("smartsim.test")
    expected = []
    with progress(9, logger=logger) as display:
        display.update({RUNNING: 9})
        terminal.read_until("9 Running")
        for number in range(20):
            logger.info("record %d", number)
            print("printed", number)  # in two writes: the text, then the line end
            sys.stderr.writelines(["part ", f"{number}\n"])
            expected += [f"record {number}", f"printed {number}", f"part {number}"]
            terminal.read_until(f"part {number}")
        shared.warning("shared")
        terminal.read_until("9 Running")
    assert handler.stream is terminal.stream
    *lines, tail = terminal.screen
    assert lines[:-1] == expected
    assert lines[-1].endswith("WARNING shared")
    assert tail == ""


@on_terminal
def test_an_unfinished_line_is_not_overwritten(terminal, monkeypatch, logger):
    with progress(2, logger=logger) as display:
        display.update({RUNNING: 2})
        terminal.read_until("2 Running")
        print("Continue", end="", flush=True)
        terminal.read_until("Continue")
        display.update({RUNNING: 1})
        assert not select.select([terminal._master], [], [], 0.1)[0]  # ten periods
        print("d")
        terminal.read_until("1 Running")
    assert terminal.screen == ["Continued", ""]


@on_terminal
def test_threads_that_write_all_the_time(terminal, monkeypatch, logger):
    logger.addHandler(logging.StreamHandler(sys.stdout))

    def talk(who: int) -> None:
        for number in range(50):
            logger.info("thread %d says %d", who, number)

    with progress(2, logger=logger) as display:
        display.update({RUNNING: 2})
        terminal.read_until("2 Running")
        threads = [threading.Thread(target=talk, args=(who,)) for who in range(4)]
        reader_done = threading.Event()
        reader = threading.Thread(target=lambda: [terminal._receive(0.05) for _ in iter(reader_done.is_set, True)])
        reader.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader_done.set()
        reader.join()
    *lines, tail = terminal.screen
    assert sorted(lines) == sorted(f"thread {who} says {number}" for who in range(4) for number in range(50))
    assert tail == ""


@pytest.mark.parametrize("columns", [1, 2, 10, 25, 40, 80, 300])
def test_the_line_is_narrower_than_the_terminal(columns):
    narrow = Terminal(columns)
    try:
        painter = module._Painter(narrow.stream, 12345, time.monotonic())
        line = painter.line({RUNNING: 12000, COMPLETED: 345}, "a long name " * 20 + "\n\x1b[2J")
    finally:
        narrow.close()
    assert "\n" not in line
    assert "\x1b[2J" not in line
    assert len(STYLE.sub("", line)) <= max(columns - 1, 1)


@on_terminal
def test_a_stream_that_somebody_kept_works_afterwards(terminal, monkeypatch, logger):
    with progress(1, logger=logger) as display:
        display.update({RUNNING: 1})
        terminal.read_until("1 Running")
        kept = sys.stdout
    print("later", file=kept)
    assert terminal.screen == ["later", ""]
    assert kept.isatty()
    assert kept.encoding == "utf-8"


@on_terminal
def test_what_is_over_soon_shows_nothing_and_costs_nothing(terminal, logger, monkeypatch):
    monkeypatch.setattr(module, "_DELAY", 30.0)
    before = time.monotonic()
    with progress(1, logger=logger) as display:
        display.update({COMPLETED: 1})
    assert time.monotonic() - before < 5
    assert terminal.screen == [""]
    assert painters() == []


@on_terminal
def test_an_exception_passes_and_the_terminal_is_restored(terminal, monkeypatch, logger):
    def interrupted() -> None:
        with progress(1, logger=logger) as display:
            display.update({RUNNING: 1})
            terminal.read_until("1 Running")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.screen == [""]
    assert sys.stdout is terminal.stream


@on_terminal
def test_one_line_at_a_time(terminal, monkeypatch, logger):
    with progress(1, logger=logger), progress(1, logger=logger) as second:
        second.update({RUNNING: 1})
        assert len(painters()) == 1
    with progress(1, logger=logger):
        assert len(painters()) == 1


@on_terminal
def test_a_driver_in_the_background_does_not_paint(terminal, monkeypatch):
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp())
    assert module._in_foreground(terminal.stream)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp() + 1)
    assert not module._in_foreground(terminal.stream)


def assert_silent(total: int, logger: logging.Logger | None = None) -> None:
    with progress(total, logger=logger) as display:
        display.update({RUNNING: 1}, "text")
        assert painters() == []


@on_terminal
def test_silent_when_nothing_is_waited_for(terminal, monkeypatch, logger):
    assert_silent(0, logger)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["none", "no terminal"])
@on_terminal
def test_silent_when_one_stream_is_not_a_terminal(terminal, logger, monkeypatch, name, stream):
    monkeypatch.setattr(sys, name, stream)
    assert_silent(1, logger)
    assert terminal.screen == [""]


@pytest.mark.parametrize("kind", ["dumb", "unknown", "", None])
@on_terminal
def test_silent_on_a_terminal_that_cannot_erase(terminal, logger, monkeypatch, kind):
    if kind is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", kind)
    assert_silent(1, logger)


@on_terminal
def test_silent_when_the_log_is_quiet(terminal, monkeypatch, logger, tmp_path: Path):
    logger.setLevel(logging.WARNING)
    assert_silent(1, logger)
    # A log file that wants everything does not make the screen talkative.
    logger.setLevel(logging.DEBUG)
    screen = logging.StreamHandler(sys.stdout)
    screen.setLevel(logging.WARNING)
    file = logging.FileHandler(tmp_path / "log")
    logger.addHandler(screen)
    logger.addHandler(file)
    assert_silent(1, logger)
    file.close()


SCRIPT = """
import fcntl, signal, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from smartsim.engine import progress as module
from smartsim.log import get_logger
from smartsim.status import SmartSimStatus
module._DELAY = 0
logger = get_logger("x", log_level="info")
try:
    with module.progress(2, logger=logger) as display:
        display.update({SmartSimStatus.STATUS_RUNNING: 2})
        logger.info("waiting")
        signal.pause()
except KeyboardInterrupt:
    logger.info("interrupted")
"""


def test_control_c_at_a_controlling_terminal():
    terminal = Terminal()

    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=terminal.stream,
        stdout=terminal.stream,
        stderr=terminal.stream,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    ) as driver:
        try:
            terminal.read_until("2 Running")
            os.write(terminal._master, b"\x03")
            assert driver.wait(30) == 0
        finally:
            if driver.poll() is None:
                driver.send_signal(signal.SIGKILL)
    screen = [line.replace("^C", "") for line in terminal.screen]
    terminal.close()
    assert [line.rpartition("INFO ")[2] for line in screen] == ["waiting", "interrupted", ""]
