"""The command line as such: help, misuse, exit codes, and the commands that only tell something."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import smartsim
from smartsim.cli import info, output
from smartsim.cli.main import main, make_parser
from smartsim.error import LauncherError, SmartSimError, SSUnsupportedError
from smartsim.plugin.catalogue import Catalogue, PluginReport
from smartsim.values import DatabaseInfo

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "cli.md"
COMMANDS = [
    "ps", "stop", "teardown", "telemetry", "plugins", "info", "site", "dbcli", "version", "validate", "dashboard",
    "build", "clean", "clobber",
]  # fmt: skip


def subparsers(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield name, sub
                yield from ((f"{name} {below}", deeper) for below, deeper in subparsers(sub))


def test_no_command_shows_the_help(capsys):
    assert main([]) == 64
    assert "commands:" in capsys.readouterr().out


def test_an_unknown_command_shows_the_help(capsys):
    assert main(["nosuch"]) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "commands:" in captured.err
    assert "nosuch" in captured.err


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS if name != "dashboard")])
def test_help(words, capsys):
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("usage: smart")
    assert captured.err == ""


def test_every_command_is_known():
    assert [name for name, _ in subparsers(make_parser()) if " " not in name] == COMMANDS


def test_every_option_says_what_it_does():
    for name, parser in subparsers(make_parser()):
        assert parser.description, name
        for action in parser._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), f"{name}: {action.dest}"


@pytest.mark.parametrize(
    "words",
    [
        ["ps", "a", "b"],
        ["ps", "--nosuch"],
        ["stop", "--all", "name"],
        ["stop"],
        ["stop", "--grace", "-1", "x"],
        ["stop", "--grace", "inf", "x"],
        ["stop", "--grace", "soon", "x"],
        ["telemetry"],
        ["telemetry", "import"],
        ["validate", "--port", "0"],
        ["validate", "--port", "65536"],
        ["validate", "--port", "six"],
        ["validate", "--device", "tpu"],
        ["build", "--nosuch"],
        ["info", "x"],
    ],
)
def test_misuse(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"smart {words[0]}" in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_version(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out == f"smart {smartsim.__version__}\n"


def test_site(capsys):
    assert main(["site"]) == 0
    assert Path(capsys.readouterr().out.strip()) == Path(smartsim.__file__).parent


@pytest.mark.parametrize(
    "words",
    [
        ["build"],
        ["build", "-v", "--device", "cuda-12", "--dragon", "--skip-python-packages", "--skip-backends", "--skip-torch"],
        ["build", "--skip-tensorflow", "--skip-onnx", "--config-dir", "/x", "--keydb"],
        ["clean"],
        ["clean", "--clobber"],
        ["clobber"],
    ],
)
def test_nothing_needs_building(words, capsys):
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Nothing needs ")
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "error", [SmartSimError("sad"), LauncherError("sad"), SSUnsupportedError("sad"), OSError("sad")]
)
def test_a_failure_is_told_without_a_traceback(error, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(info, "_site", fail)
    assert main(["site"]) == 70
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "smart: sad\n"


def test_interruption(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "_site", interrupt)
    assert main(["site"]) == 130
    assert capsys.readouterr().err == "smart: interrupted\n"


def test_as_a_module_and_as_a_script(tmp_path):
    smart = Path(sys.executable).with_name("smart")
    for command in ([sys.executable, "-m", "smartsim"], [str(smart)]):
        done = subprocess.run([*command, "nosuch"], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 64
        assert "nosuch" in done.stderr


def test_whoever_reads_may_stop_reading(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "smartsim", "plugins", "--json"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 70
    assert done.stderr == ""


# --- plugins ---------------------------------------------------------------------------------------------------------

GOOD = PluginReport(
    name="good", kind="launcher", distribution="a-good", version="1", api=(1, 0), capabilities=("mpmd", "push")
)
BAD = PluginReport(name="bad", kind="database", distribution="a-bad", version="2", error="it cannot be loaded: why")


@pytest.fixture
def installed(monkeypatch):
    def pretend(*reports):
        monkeypatch.setattr(Catalogue, "survey", lambda self: list(reports))

    return pretend


def test_plugins_as_json(installed, capsys):
    installed(GOOD, BAD)
    assert main(["plugins", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "good",
            "kind": "launcher",
            "distribution": "a-good",
            "version": "1",
            "api": "1.0",
            "capabilities": ["mpmd", "push"],
            "error": None,
        },
        {
            "name": "bad",
            "kind": "database",
            "distribution": "a-bad",
            "version": "2",
            "api": None,
            "capabilities": [],
            "error": "it cannot be loaded: why",
        },
    ]


def test_plugins_as_a_table(installed, capsys):
    installed(GOOD, BAD)
    assert main(["plugins"]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0].split() == [
        "Name", "Kind", "Distribution", "Version", "API", "Capabilities", "Problem",
    ]  # fmt: skip
    assert "mpmd, push" in captured.out
    assert captured.err == "database bad: it cannot be loaded: why\n"


def test_plugins_all_well(installed, capsys):
    installed(GOOD)
    assert main(["plugins"]) == 0
    assert capsys.readouterr().err == ""


def test_no_plugins(installed, capsys):
    installed()
    assert main(["plugins"]) == 0
    assert "pip install smartsim" in capsys.readouterr().out


def test_the_installed_plugins_work(capsys):
    assert main(["plugins", "--json"]) == 0
    assert {"local", "redis"} <= {report["name"] for report in json.loads(capsys.readouterr().out)}


# --- info and dbcli --------------------------------------------------------------------------------------------------


def test_info(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for heading in ("Smart Python Packages", "Orchestrator Configuration", "Machine Learning Backends"):
        assert heading in printed
    assert re.search(rf"smartsim-core +{re.escape(smartsim.__version__)}", printed)


def test_info_about_a_server_that_cannot_be_used(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("REDIS_PATH", str(tmp_path / "absent"))
    assert main(["info"]) == 0
    assert "cannot be used" in capsys.readouterr().out


def test_info_without_a_database_plugin(capsys, monkeypatch):
    monkeypatch.setattr(info, "_engines", tuple)
    assert main(["info"]) == 0
    assert "pip install smartsim-plugin-redis" in capsys.readouterr().out


@pytest.mark.parametrize(("cli", "code"), [("/somewhere/redis-cli", 0), (None, 70)])
def test_dbcli(cli, code, monkeypatch, capsys):
    monkeypatch.setattr(info, "_database", lambda engine: DatabaseInfo(type="redis", executable="/x", cli=cli))
    assert main(["dbcli"]) == code
    captured = capsys.readouterr()
    if cli:
        assert captured.out == f"{cli}\n"
    else:
        assert "REDIS_CLI_PATH" in captured.err


# --- dashboard -------------------------------------------------------------------------------------------------------


def test_dashboard_is_missing(capsys):
    assert main(["dashboard", "--port", "3", "-h"]) == 78
    assert "not installed" in capsys.readouterr().err


def test_dashboard_gets_every_word(tmp_path):
    (tmp_path / "smartdashboard.py").write_text("import sys; print(sys.argv[1:]); sys.exit(5)\n")
    done = subprocess.run(
        [sys.executable, "-m", "smartsim", "dashboard", "-h", "--port", "3"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert done.stdout == "['-h', '--port', '3']\n"


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_on_a_terminal_has_a_frame(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    output.say_table(("Name", "Status"), [("[red]x[/red]", "Failed")], "Title")
    printed = terminal.getvalue()
    assert "│" in printed
    assert "[red]x[/red]" in printed
    assert "Title" in printed


def test_a_table_elsewhere_is_plain(capsys):
    output.say_table(("Name", "Number"), [("x", "007"), ("y", "1e5")], "Title")
    assert capsys.readouterr().out.splitlines() == [
        "Title",
        "Name    Number",
        "------  --------",
        "x       007",
        "y       1e5",
    ]


# --- the page --------------------------------------------------------------------------------------------------------


def help_of(name: str, parser: argparse.ArgumentParser) -> str:
    return f"```text\n$ smart {name} --help\n{parser.format_help().rstrip()}\n```\n"


def test_the_page_has_every_help_text(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    page = PAGE.read_text(encoding="utf-8")
    for name, parser in subparsers(make_parser()):
        if name != "dashboard":
            assert help_of(name, parser) in page, f"update {PAGE}: python -m smartsim {name} --help, 100 columns wide"
