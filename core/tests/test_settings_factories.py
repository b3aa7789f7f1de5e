"""Making settings for a launcher: which class results, and what is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartsim.error import LauncherError, MissingPluginError, SmartSimError, SSUnsupportedError
from smartsim.settings import (
    MpiexecSettings,
    MpirunSettings,
    OrterunSettings,
    RunSettings,
    Singularity,
    make_run_settings,
)
from smartsim.settings.base import BatchSettings
from smartsim.settings.settings import (
    batch_settings_from,
    create_batch_settings,
    create_run_settings,
    run_settings_from,
)

ECHO = shutil.which("echo")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a run command on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(name: str) -> Path:
        path = folder / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    return put


@pytest.mark.parametrize("run_command", ["auto", "", None, "AUTO"])
def test_the_local_launcher_needs_no_run_command(run_command: str | None):
    made = create_run_settings("local", "echo", "a b", run_command, None, {"A": "1"})
    assert type(made) is RunSettings
    assert (made.exe, made.exe_args, made.run_command, made.run_args) == ([ECHO], ["a", "b"], None, {})
    assert made.env_vars == {"A": "1"}


@pytest.mark.parametrize(
    ("run_command", "kind"),
    [
        ("mpirun", MpirunSettings),
        ("MPIRUN", MpirunSettings),
        ("mpiexec", MpiexecSettings),
        ("orterun", OrterunSettings),
        ("mywrapper", RunSettings),
    ],
)
def test_the_class_follows_from_the_run_command(run_command: str, kind: type, install: Callable[[str], Path]):
    path = install(run_command.lower())
    made = create_run_settings("local", "echo", ["a"], run_command, {"n": 2}, {"A": "1"})
    assert type(made) is kind
    assert (made.run_command, made.run_args, made.env_vars) == (str(path), {"n": 2}, {"A": "1"})


def test_a_run_command_given_by_its_path_is_plain(install: Callable[[str], Path]):
    path = install("mpirun")
    made = create_run_settings("local", "echo", run_command=str(path))
    assert type(made) is RunSettings
    assert made.run_command == str(path)


def test_a_run_command_that_nobody_knows_keeps_its_spelling():
    assert create_run_settings("local", "echo", run_command="MyRunner").run_command == "MyRunner"


def test_both_spellings_of_the_arguments():
    assert create_run_settings("local", exe="echo", exec_args="hello world").exe_args == ["hello", "world"]
    with pytest.raises(TypeError, match="two spellings"):
        create_run_settings("local", "echo", "a", exec_args="b")


def test_further_arguments_go_to_the_class(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(LauncherError, match="mpirun"):
        create_run_settings("local", "echo", run_command="mpirun")
    made = create_run_settings("local", "echo", run_command="mpirun", fail_if_missing_exec=False)
    assert type(made) is MpirunSettings
    caplog.clear()
    # Plain settings take none; scripts for several machines give them anyway.
    assert type(create_run_settings("local", "echo", fail_if_missing_exec=False)) is RunSettings
    assert not caplog.records


def test_a_container_is_passed_on(install: Callable[[str], Path]):
    install("mpirun")
    container = Singularity("i.sif")
    assert create_run_settings("local", "/inside", container=container).container is container
    assert create_run_settings("local", "/inside", container=container, run_command="mpirun").container is container


@pytest.mark.parametrize(
    ("launcher", "error", "says"),
    [
        ("nowhere", SSUnsupportedError, "Launcher type not supported: nowhere"),
        ("slurm", SSUnsupportedError, "pip install smartsim-plugin-slurm"),
        ("sge", SSUnsupportedError, "which SmartSim does not have"),
        (None, TypeError, "launcher must be a str"),
    ],
)
def test_launchers_that_are_not_there(launcher: Any, error: type[Exception], says: str):
    from smartsim.plugin.catalogue import LAUNCHERS, catalogue

    if launcher in catalogue().names(LAUNCHERS):
        pytest.skip(f"the plugin of {launcher} is installed")
    with pytest.raises(error) as caught:
        create_run_settings(launcher, "echo")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"exe": "no-such-program"}, FileNotFoundError),
        ({"exe": "echo", "exe_args": 5}, TypeError),
        ({"exe": "echo", "run_command": 5}, TypeError),
        ({"exe": "echo", "run_args": "n=2"}, TypeError),
        ({"exe": "echo", "env_vars": "A=1"}, TypeError),
        ({"exe": "echo", "container": "i.sif"}, TypeError),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], error: type[Exception]):
    with pytest.raises(error):
        create_run_settings("local", **arguments)


class Answering:
    """Plugins whose launcher answers as told."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.asked: dict[str, Any] = {}

    def run_settings(self, **kwargs: Any) -> Any:
        self.asked = kwargs
        return self.answer

    batch_settings = run_settings


def test_the_launcher_is_asked_first(install: Callable[[str], Path]):
    install("mpirun")
    own = RunSettings("true")
    plugins: Any = Answering(own)
    assert run_settings_from(plugins, "echo", exec_args="a", run_command="MpiRun", colour="red") is own
    assert plugins.asked == {
        "exe": "echo",
        "exe_args": "a",
        "run_command": "mpirun",
        "run_args": None,
        "env_vars": None,
        "container": None,
        "options": {"colour": "red"},
    }
    silent: Any = Answering(None)
    assert type(run_settings_from(silent, "echo", run_command="mpirun")) is MpirunSettings
    assert type(run_settings_from(silent, "echo", run_command="auto")) is RunSettings


# --- run commands of other plugins -----------------------------------------------------------------------------------


class Owned(RunSettings):
    """What a plugin would bring."""

    def __init__(self, exe: str, *args: Any, colour: str = "", **kwargs: Any) -> None:
        super().__init__(exe, *args, **kwargs)
        self.colour = colour


def test_a_run_command_that_a_plugin_owns(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("smartsim.settings.settings.lazy_attribute", lambda module, name: Owned)
    made = make_run_settings("srun", "echo", ["a"], {"n": 1}, {"A": "1"}, options={"colour": "red"})
    assert isinstance(made, Owned)
    assert (made.exe_args, made.run_args, made.env_vars, made.colour) == (["a"], {"n": 1}, {"A": "1"}, "red")


def test_a_plugin_that_returns_something_else(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("smartsim.settings.settings.lazy_attribute", lambda module, name: dict)
    with pytest.raises(SSUnsupportedError, match="instead of RunSettings"):
        make_run_settings("srun", "echo")


def test_a_run_command_whose_plugin_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("smartsim.plugin.exports._entry_point", lambda group, name: None)
    with pytest.raises(MissingPluginError, match="pip install smartsim-plugin-slurm"):
        create_run_settings("local", "echo", run_command="srun")


# --- batch settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", ["local", "nowhere", "LOCAL"])
def test_launchers_without_batch_jobs(launcher: str):
    with pytest.raises(SmartSimError):
        create_batch_settings(launcher)


def test_the_launcher_makes_batch_settings():
    own = BatchSettings("submit")
    plugins: Any = Answering(own)
    assert batch_settings_from(plugins, "x", 2, "1:00", "q", "acct", {"a": None}, colour="red") is own
    assert plugins.asked == {
        "nodes": 2,
        "time": "1:00",
        "queue": "q",
        "account": "acct",
        "batch_args": {"a": None},
        "options": {"colour": "red"},
    }
    batch_settings_from(plugins, "x")
    assert plugins.asked == {"nodes": 0, "time": "", "queue": "", "account": "", "batch_args": {}, "options": {}}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"nodes": -1}, ValueError),
        ({"nodes": "many"}, ValueError),
        ({"nodes": True}, TypeError),
        ({"time": 5}, TypeError),
        ({"queue": 5}, TypeError),
        ({"account": 5}, TypeError),
        ({"batch_args": ["a"]}, TypeError),
    ],
)
def test_wrong_batch_requests_are_refused(arguments: dict[str, Any], error: type[Exception]):
    plugins: Any = Answering(BatchSettings("submit"))
    with pytest.raises(error, match=next(iter(arguments))):
        batch_settings_from(plugins, "x", **arguments)
    assert plugins.asked == {}
