"""Logging: what SmartSim says, where it goes, and how a driver script joins in.

The environment variable ``SMARTSIM_LOG_LEVEL`` chooses how much is said: ``quiet`` (the same as ``warning``), ``info``,
``debug``, ``developer`` (``debug``, and each logger keeps its own name instead of ``SmartSim``), ``error`` or
``critical``; anything else counts as ``info``. Records go to standard output, whatever `sys.stdout` is at that moment.

While telemetry is asked for, the records that arise inside the methods of an Experiment also go to two files in the
experiment's folder, see `get_exp_log_paths`. A file is opened for one record at a time, so no handle stays open.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TextIO, TypeVar

from smartsim.config import TELEMETRY_SUBDIR, telemetry_requested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "DEFAULT_DATE_FORMAT",
    "DEFAULT_LOG_FORMAT",
    "EXPERIMENT_LOG_FORMAT",
    "ContextAwareLogger",
    "ContextInjectingLogFilter",
    "ContextThread",
    "HostnameFilter",
    "LowPassFilter",
    "ctx_exp_path",
    "get_exp_log_paths",
    "get_logger",
    "log_to_exp_file",
    "log_to_file",
    "method_contextualizer",
]

_T = TypeVar("_T")
_RT = TypeVar("_RT")
_PR = ParamSpec("_PR")
_ContextT = TypeVar("_ContextT")

DEFAULT_DATE_FORMAT = "%H:%M:%S"
"""How times are written."""
DEFAULT_LOG_FORMAT = "%(asctime)s %(hostname)s %(name)s[%(process)d:%(threadName)s] %(levelname)s %(message)s"
"""What a line on standard output looks like."""
EXPERIMENT_LOG_FORMAT = DEFAULT_LOG_FORMAT.replace("s[%", "s {%(exp_path)s} [%")
"""What a line of an experiment's own log files looks like."""

ctx_exp_path: contextvars.ContextVar[str] = contextvars.ContextVar("exp_path", default="")
"""Folder of the experiment that the current call belongs to; empty outside of an experiment's methods."""

_SHARED_NAME = "SmartSim"
_LEVEL_VARIABLE = "SMARTSIM_LOG_LEVEL"
_LEVELS = {
    "developer": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "quiet": logging.WARNING,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_COLOURS = {"DEBUG": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
_RECORD_MARK = "smartsim_shown"
_lock = threading.Lock()


def _level(word: str) -> int:
    """Return the number of the level called `word`; an unknown word means ``info``."""
    return _LEVELS.get(word.strip().lower(), logging.INFO)


# --- filters ---------------------------------------------------------------------------------------------------------


class LowPassFilter(logging.Filter):
    """Lets records up to a level through, and none above it."""

    def __init__(self, maximum_level: str = "INFO") -> None:
        """Make the filter.

        Args:
            maximum_level: name of the highest level that passes, for instance ``"INFO"``.
        """
        super().__init__()
        self.maximum_level = _level(maximum_level)

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether `record` is at or below the level."""
        return record.levelno <= self.maximum_level


class HostnameFilter(logging.Filter):
    """Adds the attribute ``hostname`` to records, so that a format may name the machine."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self._hostname = os.uname().nodename

    @property
    def hostname(self) -> str:
        """Name of this machine."""
        return self._hostname

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the machine's name; every record passes."""
        record.hostname = self._hostname
        return True


class ContextInjectingLogFilter(logging.Filter):
    """Adds the attribute ``exp_path`` to records: the folder of the experiment they belong to, or the empty string."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the experiment's folder; every record passes."""
        record.exp_path = ctx_exp_path.get()
        return True


# --- handlers --------------------------------------------------------------------------------------------------------


class _ColourFormatter(logging.Formatter):
    """Colours the name of the level when standard output is a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        colour = _COLOURS.get(record.levelname)
        if colour is None or not _wants_colour():
            return super().format(record)
        plain = record.levelname
        record.levelname = f"\x1b[{colour}m{plain}\x1b[0m"
        try:
            return super().format(record)
        finally:
            record.levelname = plain


def _wants_colour() -> bool:
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):  # there is no standard output, or it has been closed
        return False


class _ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stdout` is when a record arrives; shows a record once, however many loggers it passes."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.addFilter(HostnameFilter())
        self.addFilter(ContextInjectingLogFilter())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class has an attribute here, fixed at construction
        return sys.stdout

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, _RECORD_MARK, False) or sys.stdout is None:
            return
        setattr(record, _RECORD_MARK, True)
        super().emit(record)


class _FileHandler(logging.Handler):
    """Appends records to a file that is open only while a record is written."""

    def __init__(self, path: Path, level: int, fmt: str | None) -> None:
        super().__init__(level)
        self.path = path
        self.addFilter(HostnameFilter())
        self.addFilter(ContextInjectingLogFilter())
        self.setFormatter(logging.Formatter(fmt, DEFAULT_DATE_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            try:
                file = self.path.open("a", encoding="utf-8", errors="backslashreplace")
            except FileNotFoundError:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                file = self.path.open("a", encoding="utf-8", errors="backslashreplace")
            with file:
                file.write(line)
        except Exception:  # noqa: BLE001 - a log file that cannot be written must not stop the program that logs
            self.handleError(record)


# --- loggers ---------------------------------------------------------------------------------------------------------


class ContextAwareLogger(logging.Logger):
    """A logger that also writes the records of an experiment's methods into the experiment's log files.

    It does so while telemetry is asked for: by ``exp.telemetry.enable()`` or ``SMARTSIM_FLAG_TELEMETRY=1`` set by hand.
    """

    def makeRecord(  # noqa: N802 - the name that `logging` calls
        self, name: str, level: int, fn: str, lno: int, msg: object, *args: Any, **kwargs: Any
    ) -> logging.LogRecord:
        """Make a record; an exception that is the message becomes its text, so that no record keeps frames alive."""
        if isinstance(msg, BaseException):
            msg = str(msg)
        return super().makeRecord(name, level, fn, lno, msg, *args, **kwargs)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that `logging` calls
        """Pass `record` to the handlers, then to the files of the experiment it belongs to."""
        super().callHandlers(record)
        exp_path = ctx_exp_path.get()
        if not exp_path or not telemetry_requested(os.environ):
            return
        out, err = _log_files(exp_path)
        if record.levelno <= max(self.getEffectiveLevel(), logging.INFO):
            _experiment_handler(out).handle(record)
        if record.levelno >= logging.WARNING:
            _experiment_handler(err).handle(record)


@functools.lru_cache(maxsize=64)
def _experiment_handler(path: Path) -> _FileHandler:
    return _FileHandler(path, logging.DEBUG, EXPERIMENT_LOG_FORMAT)


def get_exp_log_paths() -> tuple[Path | None, Path | None]:
    """Return the two log files of the experiment that the current call belongs to, or (None, None) outside of one.

    The first receives everything up to INFO, the second WARNING and above.
    """
    exp_path = ctx_exp_path.get()
    return _log_files(exp_path) if exp_path else (None, None)


def _log_files(exp_path: str) -> tuple[Path, Path]:
    folder = Path(exp_path) / TELEMETRY_SUBDIR / "logs"
    return folder / "smartsim.out", folder / "smartsim.err"


@contextlib.contextmanager
def _logger_class(cls: type[logging.Logger]) -> Iterator[None]:
    """Let `logging.getLogger` make loggers of `cls` inside the block only."""
    previous = logging.getLoggerClass()
    logging.setLoggerClass(cls)
    try:
        yield
    finally:
        logging.setLoggerClass(previous)


def _console_of(logger: logging.Logger) -> _ConsoleHandler | None:
    return next((handler for handler in logger.handlers if isinstance(handler, _ConsoleHandler)), None)


def _apply_level(logger: logging.Logger, console: _ConsoleHandler, level: int) -> None:
    """Show records from `level` on, and let the files that want more have more."""
    console.setLevel(level)
    files = [handler.level for handler in logger.handlers if isinstance(handler, _FileHandler)]
    logger.setLevel(min([level, *files]))


_level_words: dict[str, str] = {}
"""The value of SMARTSIM_LOG_LEVEL that each logger was last set up with."""


def get_logger(name: str, log_level: str | None = None, fmt: str | None = None) -> logging.Logger:
    """Return a logger that writes to standard output in SmartSim's format.

    Except at the level ``developer``, all callers share one logger, which is named ``SmartSim``.

    Args:
        name: name of the logger at the level ``developer``.
        log_level: how much to show; None means what ``SMARTSIM_LOG_LEVEL`` says. See the module's description.
        fmt: format of a line, in the style of `logging`; None leaves it as it is. Besides the standard attributes
            ``%(hostname)s`` and ``%(exp_path)s`` may be used.

    Returns:
        The logger. Asking again returns the same one, with no second handler.
    """
    word = os.environ.get(_LEVEL_VARIABLE, "")
    asked = log_level or word
    if asked.strip().lower() != "developer":
        name = _SHARED_NAME
    with _lock:
        with _logger_class(ContextAwareLogger):
            logger = logging.getLogger(name)
        if type(logger) is logging.Logger:  # somebody asked `logging` for that name before us
            logger.__class__ = ContextAwareLogger
        console = _console_of(logger)
        if console is None:
            console = _ConsoleHandler()
            console.setFormatter(_ColourFormatter(DEFAULT_LOG_FORMAT, DEFAULT_DATE_FORMAT))
            logger.addHandler(console)
            _level_words.pop(logger.name, None)
        if fmt is not None:
            console.setFormatter(_ColourFormatter(fmt, DEFAULT_DATE_FORMAT))
        # A module that is imported late must not undo the level that a script has chosen in the meantime.
        if log_level or _level_words.get(logger.name) != word:
            _level_words[logger.name] = word
            _apply_level(logger, console, _level(asked))
    return logger


def log_to_file(filename: str, log_level: str = "debug") -> None:
    """Send what SmartSim logs to a file as well, from now on.

    Args:
        filename: the file; emptied first, its folder is made.
        log_level: how much to write, independent of what is shown.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(filename).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    logger = get_logger(_SHARED_NAME)
    shared = logging.getLogger(_SHARED_NAME) if logger.name != _SHARED_NAME else logger
    with _lock:
        for handler in list(shared.handlers):
            if isinstance(handler, _FileHandler) and handler.path == path:
                shared.removeHandler(handler)
                handler.close()
        shared.addHandler(_FileHandler(path, _level(log_level), DEFAULT_LOG_FORMAT))
        shared.setLevel(min(shared.level or logging.DEBUG, _level(log_level)))


def log_to_exp_file(
    filename: str,
    logger: logging.Logger,
    log_level: str = "warn",
    fmt: str | None = EXPERIMENT_LOG_FORMAT,
    log_filter: logging.Filter | None = None,
) -> logging.Handler:
    """Append what `logger` receives to a file.

    Args:
        filename: the file; it and its folder are made when the first record arrives.
        logger: whose records.
        log_level: the lowest level to write.
        fmt: format of a line.
        log_filter: a further condition, for instance a `LowPassFilter`.

    Returns:
        The handler, already added to `logger`; ``logger.removeHandler`` ends it.
    """
    handler = _FileHandler(Path(filename).absolute(), _level(log_level), fmt)
    if log_filter is not None:
        handler.addFilter(log_filter)
    logger.addHandler(handler)
    return handler


# --- contexts --------------------------------------------------------------------------------------------------------


class ContextThread(threading.Thread):
    """A thread that inherits the context variables of the code that makes it, `ctx_exp_path` among them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the thread; the arguments are those of `threading.Thread`."""
        super().__init__(*args, **kwargs)
        self.ctx = contextvars.copy_context()

    def run(self) -> None:
        """Run the target in the inherited context."""
        self.ctx.run(super().run)


def method_contextualizer(
    ctx_var: contextvars.ContextVar[_ContextT], ctx_map: Callable[[_T], _ContextT]
) -> Callable[[Callable[Concatenate[_T, _PR], _RT]], Callable[Concatenate[_T, _PR], _RT]]:
    """Return a decorator for methods that run with a context variable set.

    Args:
        ctx_var: the variable.
        ctx_map: tells the value from the object whose method is called.

    Returns:
        The decorator. The variable is unchanged for the caller.
    """

    def decorate(method: Callable[Concatenate[_T, _PR], _RT]) -> Callable[Concatenate[_T, _PR], _RT]:
        @functools.wraps(method)
        def call(self: _T, /, *args: _PR.args, **kwargs: _PR.kwargs) -> _RT:
            context = contextvars.copy_context()
            context.run(ctx_var.set, ctx_map(self))
            return context.run(method, self, *args, **kwargs)

        return call

    return decorate
