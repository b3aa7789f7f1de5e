"""What `smartsim.log` promises to driver scripts."""

from __future__ import annotations

import contextvars
import io
import logging
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from smartsim import log


@pytest.fixture(autouse=True)
def _loggers_as_before(monkeypatch):
    monkeypatch.delenv("SMARTSIM_LOG_LEVEL", raising=False)
    monkeypatch.setenv("SMARTSIM_FLAG_TELEMETRY", "0")
    monkeypatch.delenv("SMARTSIM_FLAG_TELEMETRY_DEFAULTED", raising=False)
    shared = logging.getLogger("SmartSim")
    level, handlers = shared.level, list(shared.handlers)
    yield
    for handler in list(shared.handlers):
        if handler not in handlers:
            shared.removeHandler(handler)
    shared.setLevel(level)
    for handler in shared.handlers:
        handler.setLevel(level)
        handler.setFormatter(log._ColourFormatter(log.DEFAULT_LOG_FORMAT, log.DEFAULT_DATE_FORMAT))
    log._level_words.clear()


@pytest.fixture
def asked_for_telemetry(monkeypatch):
    monkeypatch.setenv("SMARTSIM_FLAG_TELEMETRY", "1")


def in_experiment(path: Path, call):
    context = contextvars.copy_context()
    context.run(log.ctx_exp_path.set, str(path))
    return context.run(call)


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("quiet", logging.WARNING),
        ("warning", logging.WARNING),
        ("info", logging.INFO),
        ("debug", logging.DEBUG),
        ("developer", logging.DEBUG),
        ("DEBUG", logging.DEBUG),
        ("", logging.INFO),
        ("llama", logging.INFO),
    ],
)
def test_level_from_the_environment(monkeypatch, word, level):
    monkeypatch.setenv("SMARTSIM_LOG_LEVEL", word)
    assert log.get_logger(f"level.{word}").level == level


def test_argument_beats_environment(monkeypatch):
    monkeypatch.setenv("SMARTSIM_LOG_LEVEL", "quiet")
    assert log.get_logger("x", "debug").level == logging.DEBUG


def test_late_import_does_not_undo_a_chosen_level():
    log.get_logger("x", "debug")
    assert log.get_logger("smartsim.some.module").level == logging.DEBUG


def test_changed_environment_takes_effect(monkeypatch):
    log.get_logger("x")
    monkeypatch.setenv("SMARTSIM_LOG_LEVEL", "quiet")
    assert log.get_logger("x").level == logging.WARNING


def test_all_share_one_name_except_for_developers(monkeypatch):
    assert log.get_logger("a").name == log.get_logger("b").name == "SmartSim"
    monkeypatch.setenv("SMARTSIM_LOG_LEVEL", "developer")
    assert log.get_logger("a.b").name == "a.b"


def test_asking_again_adds_no_handler(capsys):
    for _ in range(3):
        logger = log.get_logger("x")
    logger.info("once")
    assert capsys.readouterr().out.count("once") == 1


def test_parent_and_child_show_a_record_once(capsys):
    name = f"p{uuid.uuid4().hex}"
    log.get_logger(name, "developer")
    log.get_logger(f"{name}.child", "developer").info("once")
    assert capsys.readouterr().out.count("once") == 1


def test_goes_to_the_standard_output_of_the_moment(monkeypatch):
    logger = log.get_logger("x")
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    logger.info("one")
    monkeypatch.setattr(sys, "stdout", second)
    logger.info("two")
    assert "one" in first.getvalue()
    assert "two" not in first.getvalue()
    assert "two" in second.getvalue()


def test_no_standard_output_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    log.get_logger("x").info("into the void")


def test_default_format(capsys):
    log.get_logger("x").warning("spoken")
    time, host, source, level, message = capsys.readouterr().out.split(maxsplit=4)
    assert time.count(":") == 2
    assert host == log.HostnameFilter().hostname
    assert source.startswith("SmartSim[")
    assert (level, message.strip()) == ("WARNING", "spoken")


def test_own_format(capsys):
    log.get_logger("x", fmt="<%(hostname)s|%(exp_path)s> %(message)s").info("spoken")
    assert capsys.readouterr().out == f"<{log.HostnameFilter().hostname}|> spoken\n"


def test_colour_on_a_terminal_only(monkeypatch, capsys):
    logger = log.get_logger("x")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    logger.warning("bright")
    assert "\x1b[33mWARNING\x1b[0m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "")
    logger.warning("dull")
    assert "\x1b" not in capsys.readouterr().out


def test_records_reach_the_root_logger(caplog):
    log.get_logger("x").info("heard")
    assert "heard" in caplog.messages


def test_a_logger_that_was_there_before_is_taken_over(tmp_path, asked_for_telemetry):
    name = f"early{uuid.uuid4().hex}"
    early = logging.getLogger(name)
    assert log.get_logger(name, "developer") is early
    in_experiment(tmp_path, lambda: early.info("kept"))
    assert "kept" in (tmp_path / ".smartsim/telemetry/logs/smartsim.out").read_text()


def test_a_record_keeps_no_exception_alive(caplog):
    error = ValueError("it went wrong")
    log.get_logger("x").error(error)
    assert caplog.records[-1].msg == "it went wrong"


def test_foreign_loggers_keep_their_class():
    log.get_logger("x")
    assert type(logging.getLogger(f"foreign{uuid.uuid4().hex}")) is logging.Logger


# --- files -----------------------------------------------------------------------------------------------------------


def test_log_to_file_empties_and_fills_it(tmp_path):
    target = tmp_path / "new" / "driver.log"
    target.parent.mkdir()
    target.write_text("old\n")
    log.log_to_file(str(target))
    log.get_logger("x").debug("only in the file")
    text = target.read_text()
    assert "old" not in text
    assert "only in the file" in text


def test_log_to_file_leaves_the_console_alone(tmp_path, capsys):
    log.get_logger("x")
    log.log_to_file(str(tmp_path / "driver.log"))
    log.get_logger("x").debug("only in the file")
    assert "only in the file" not in capsys.readouterr().out


def test_log_to_file_twice_writes_once(tmp_path):
    target = tmp_path / "driver.log"
    log.log_to_file(str(target))
    log.log_to_file(str(target), "info")
    log.get_logger("x").info("once")
    assert target.read_text().count("once") == 1


def test_log_to_file_that_cannot_be_written(tmp_path):
    (tmp_path / "driver").mkdir()
    with pytest.raises(OSError, match="driver"):
        log.log_to_file(str(tmp_path / "driver"))


def test_log_to_exp_file_is_lazy_and_filtered(tmp_path):
    logger = log.get_logger("x")
    target = tmp_path / "a" / "b" / "warnings.log"
    handler = log.log_to_exp_file(str(target), logger)
    try:
        logger.info("not this")
        assert not target.exists()
        in_experiment(tmp_path, lambda: logger.warning("this"))
    finally:
        logger.removeHandler(handler)
    text = target.read_text()
    assert f"SmartSim {{{tmp_path}}} [" in text
    assert "not this" not in text


def test_log_to_exp_file_takes_a_filter(tmp_path):
    logger = log.get_logger("x")
    target = tmp_path / "info.log"
    handler = log.log_to_exp_file(str(target), logger, "info", log_filter=log.LowPassFilter("INFO"))
    try:
        logger.info("low")
        logger.error("high")
    finally:
        logger.removeHandler(handler)
    assert "low" in target.read_text()
    assert "high" not in target.read_text()


def test_experiment_files(tmp_path, asked_for_telemetry):
    logger = log.get_logger("x")

    def speak():
        logger.debug("too quiet")
        logger.info("fine")
        logger.warning("careful")

    in_experiment(tmp_path, speak)
    logger.info("outside")
    folder = tmp_path / ".smartsim" / "telemetry" / "logs"
    out, err = (folder / "smartsim.out").read_text(), (folder / "smartsim.err").read_text()
    assert "fine" in out
    assert "careful" in err
    for unwanted in ("careful", "outside", "too quiet"):
        assert unwanted not in out
    assert "fine" not in err


@pytest.mark.parametrize(
    ("flag", "defaulted"),
    [("0", None), ("1", "1"), ("", None), ("llama", None)],
)
def test_no_experiment_files_unless_asked(tmp_path, monkeypatch, flag, defaulted):
    monkeypatch.setenv("SMARTSIM_FLAG_TELEMETRY", flag)
    if defaulted:
        monkeypatch.setenv("SMARTSIM_FLAG_TELEMETRY_DEFAULTED", defaulted)
    in_experiment(tmp_path, lambda: log.get_logger("x").warning("careful"))
    assert list(tmp_path.iterdir()) == []


def test_experiment_log_paths(tmp_path):
    assert log.get_exp_log_paths() == (None, None)
    folder = tmp_path / ".smartsim" / "telemetry" / "logs"
    assert in_experiment(tmp_path, log.get_exp_log_paths) == (folder / "smartsim.out", folder / "smartsim.err")


def test_a_log_file_that_fails_stops_nobody(tmp_path, asked_for_telemetry, capsys, monkeypatch):
    (tmp_path / ".smartsim").write_text("in the way")
    monkeypatch.setattr(logging, "raiseExceptions", False)
    in_experiment(tmp_path, lambda: log.get_logger("x").info("goes on"))
    assert "goes on" in capsys.readouterr().out


# --- filters and contexts --------------------------------------------------------------------------------------------


def record(level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("name", level, __file__, 1, "message", None, None)


@pytest.mark.parametrize("maximum", ["DEBUG", "INFO", "WARNING", "ERROR"])
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_low_pass(maximum, level):
    numbers = logging.getLevelNamesMapping()
    assert log.LowPassFilter(maximum).filter(record(numbers[level])) == (numbers[level] <= numbers[maximum])


def test_injecting_filters(tmp_path):
    item = record()
    assert log.ContextInjectingLogFilter().filter(item)
    assert item.exp_path == ""
    in_experiment(tmp_path, lambda: log.ContextInjectingLogFilter(name="x").filter(item))
    assert item.exp_path == str(tmp_path)
    assert log.HostnameFilter().filter(item)
    assert item.hostname


def test_context_thread_inherits(tmp_path):
    seen = []
    thread = in_experiment(
        tmp_path,
        lambda: log.ContextThread(
            name="heir", target=lambda word: seen.append((word, log.ctx_exp_path.get())), args=("a",)
        ),
    )
    thread.start()
    thread.join()
    assert seen == [("a", str(tmp_path))]
    assert isinstance(thread, threading.Thread)


def test_method_contextualizer():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")

    class Place:
        def __init__(self, name):
            self.name = name

        @log.method_contextualizer(variable, lambda self: self.name)
        def visit(self, *words, sep=" "):
            """Where one is."""
            return sep.join([variable.get(), *words])

    assert Place("here").visit("a", "b", sep="-") == "here-a-b"
    assert variable.get() == "nowhere"
    assert Place.visit.__doc__ == "Where one is."


def test_contextualized_method_passes_exceptions_on():
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")

    class Place:
        @log.method_contextualizer(variable, lambda _: "here")
        def fail(self):
            raise ValueError(variable.get())

    with pytest.raises(ValueError, match="here"):
        Place().fail()
    assert variable.get() == "nowhere"


def test_a_script_leaves_no_open_file(tmp_path):
    script = (
        "from smartsim.log import get_logger, log_to_file, ctx_exp_path\n"
        f"log_to_file({str(tmp_path / 'a.log')!r})\n"
        f"ctx_exp_path.set({str(tmp_path)!r})\n"
        "get_logger('x').warning('done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script],
        env={"PATH": "/usr/bin:/bin", "SMARTSIM_FLAG_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "done" in done.stdout
    assert (tmp_path / ".smartsim/telemetry/logs/smartsim.err").read_text().count("done") == 1
