"""Telemetry while an experiment runs: only when somebody asked, and with nothing of its own running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from smartsim import Experiment
from smartsim.error import SSConfigError
from smartsim.telemetry import ExperimentTelemetryConfiguration
from smartsim.telemetry.observer import TelemetryObserver
from smartsim.values import Context

FLAG, DEFAULTED = "SMARTSIM_FLAG_TELEMETRY", "SMARTSIM_FLAG_TELEMETRY_DEFAULTED"


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (FLAG, DEFAULTED):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    for name in (FLAG, DEFAULTED):
        os.environ.pop(name, None)


def state():
    return os.environ.get(FLAG), os.environ.get(DEFAULTED)


@pytest.mark.parametrize(
    ("before", "enabled", "after"),
    [
        ({}, True, ("1", "1")),
        ({FLAG: "1"}, True, ("1", None)),
        ({FLAG: "7"}, True, ("1", None)),
        ({FLAG: "0"}, False, ("0", None)),
        ({FLAG: "-1"}, False, ("0", None)),
        ({FLAG: "1", DEFAULTED: "1"}, True, ("1", "1")),
    ],
)
def test_initial_state(monkeypatch, before, enabled, after):
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    assert ExperimentTelemetryConfiguration().is_enabled is enabled
    assert state() == after


def test_asking_and_declining():
    telemetry = ExperimentTelemetryConfiguration()
    telemetry.enable()
    assert telemetry.is_enabled
    assert state() == ("1", None)
    telemetry.disable()
    assert not telemetry.is_enabled
    assert state() == ("0", None)
    assert not ExperimentTelemetryConfiguration().is_enabled


def test_a_default_stays_a_default():
    ExperimentTelemetryConfiguration()
    ExperimentTelemetryConfiguration()
    assert state() == ("1", "1")


def test_a_bad_flag_is_named(monkeypatch):
    monkeypatch.setenv(FLAG, "yes")
    with pytest.raises(SSConfigError, match="SMARTSIM_FLAG_TELEMETRY='yes'"):
        ExperimentTelemetryConfiguration()
    assert state() == ("yes", None)


def run_one(path: Path, ask: bool) -> list[str]:
    experiment = Experiment("exp", exp_path=str(path))
    if ask:
        experiment.telemetry.enable()
    model = experiment.create_model("one", experiment.create_run_settings("sh", ["-c", "exit 4"]))
    experiment.start(model, block=True)
    root = path / ".smartsim" / "telemetry"
    return sorted(str(item.relative_to(root)) for item in root.rglob("*.json")) if root.exists() else []


def test_no_files_unless_asked(tmp_path):
    assert run_one(tmp_path, ask=False) == []


@pytest.mark.parametrize("by_hand", [True, False])
def test_files_while_it_runs(tmp_path, monkeypatch, by_hand):
    if by_hand:
        monkeypatch.setenv(FLAG, "1")
    files = run_one(tmp_path, ask=not by_hand)
    assert [Path(file).name for file in files] == ["start.json", "stop.json", "manifest.json"]
    root = tmp_path / ".smartsim" / "telemetry"
    stop = json.loads((root / files[1]).read_text())
    assert stop["return_code"] == 4
    manifest = json.loads((root / "manifest.json").read_text())
    model = manifest["runs"][0]["model"][0]
    assert model["name"] == "one"
    assert Path(model["telemetry_metadata"]["status_dir"]) == (root / files[1]).parent
    assert Path(model["out_file"]).is_file()
    assert "one" in Path(manifest["experiment"]["err_file"]).read_text()


def test_asked_for_in_the_middle(tmp_path):
    experiment = Experiment("exp", exp_path=str(tmp_path))
    settings = experiment.create_run_settings("true")
    experiment.start(experiment.create_model("one", settings), block=True)
    experiment.telemetry.enable()
    experiment.start(experiment.create_model("two", settings), block=True)
    manifest = json.loads((tmp_path / ".smartsim" / "telemetry" / "manifest.json").read_text())
    assert [run["model"][0]["name"] for run in manifest["runs"]] == ["one", "two"]
    assert len(list(tmp_path.rglob("stop.json"))) == 2


def test_switched_off(tmp_path):
    experiment = Experiment("exp", exp_path=str(tmp_path))
    experiment.telemetry.enable()
    experiment.telemetry.disable()
    experiment.start(experiment.create_model("one", experiment.create_run_settings("true")), block=True)
    assert not (tmp_path / ".smartsim" / "telemetry").exists()


def test_a_child_does_not_take_our_default_for_a_wish(tmp_path):
    Experiment("exp", exp_path=str(tmp_path))
    code = "import os; from smartsim.config import telemetry_requested; print(telemetry_requested(os.environ))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(FLAG, "1")
    (tmp_path / ".smartsim").mkdir()
    (tmp_path / ".smartsim" / "journal.jsonl").write_text('{"v":1,"t":1.0,"kind":"run","run_id":"abc1234"}\n')
    (tmp_path / ".smartsim" / "telemetry").write_text("in the way")
    observer = TelemetryObserver()
    observer.smartsim_open(Context(experiment="exp", path=str(tmp_path), launcher="local"))
    observer.smartsim_close()
    observer.smartsim_close()
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"smart telemetry export {tmp_path}" in message


def test_before_anything_was_opened(monkeypatch):
    monkeypatch.setenv(FLAG, "1")
    TelemetryObserver().smartsim_close()
