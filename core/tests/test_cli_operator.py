"""`smart ps`, `stop` and `teardown` on real experiments: while the driver runs, after it ended, after it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ports import free_ports
from smartsim.cli import operator
from smartsim.cli.main import main
from supervised import wait_for

FIELDS = ["name", "type", "id", "status", "returncode", "start", "end"]
LIVES = "print('ready', flush=True); import sys; sys.stdin.read()"
ENDS = "print('ready', flush=True)"
IS_KILLED = "print('ready', flush=True); import os; os.kill(os.getpid(), 9)"


class Driver:
    """A driver script in a process of its own, which has started what it should when this returns."""

    def __init__(self, folder: Path, body: str, last: str) -> None:
        script = textwrap.dedent(
            """\
            from smartsim import Experiment
            exp = Experiment("exp", exp_path={path!r})
            run = exp.create_run_settings
            """
        ).format(path=str(folder))
        self.process = subprocess.Popen(
            [sys.executable, "-c", script + textwrap.dedent(body) + "\n" + last],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SMARTSIM_LOG_LEVEL": "critical"},
            cwd=folder,
            text=True,
        )
        self.output = ""
        self.goes_on = last not in {ENDS, IS_KILLED}

    def wait_until_started(self) -> None:
        assert self.process.stdout.readline() == "ready\n"
        if not self.goes_on:
            self.end()

    def end(self) -> int:
        """Let it end, wait for that, keep what it has written; return its exit code."""
        if not self.process.stdout.closed:
            self.output = self.process.communicate()[0]
        return self.process.returncode


@pytest.fixture
def driver(tmp_path):
    drivers = []

    def start(body, last, folder=tmp_path):
        drivers.append(Driver(folder, body, last))
        drivers[-1].wait_until_started()
        return drivers[-1]

    yield start
    for one in drivers:
        one.end()
    for journal in tmp_path.rglob("journal.jsonl"):
        assert main(["teardown", "--grace", "1", str(journal.parents[1])]) == 0


MODELS = """
long = exp.create_model("long", run("sleep", ["100"]))
bad = exp.create_model("bad", run("sh", ["-c", "exit 3"]))
exp.start(bad)
exp.start(long, block=False)
"""


def jobs(path: Path, capsys) -> list[dict]:
    capsys.readouterr()
    assert main(["ps", "--json", str(path)]) == 0
    return json.loads(capsys.readouterr().out)


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except FileNotFoundError:
        return True


def statuses(path: Path, capsys) -> dict[str, str]:
    return {job["name"]: job["status"] for job in jobs(path, capsys)}


@pytest.mark.parametrize("last", [LIVES, ENDS, IS_KILLED])
def test_ps_whatever_became_of_the_driver(driver, last, tmp_path, capsys):
    driver(MODELS, last)
    bad, long = jobs(tmp_path, capsys)
    assert list(bad) == list(long) == FIELDS
    assert (bad["name"], bad["type"], bad["status"], bad["returncode"]) == ("bad", "Model", "Failed", 3)
    assert bad["end"] >= bad["start"] > 1_000_000_000
    assert (long["name"], long["status"], long["returncode"], long["end"]) == ("long", "Running", None, None)
    assert not has_ended(int(long["id"]))


@pytest.mark.parametrize("last", [LIVES, ENDS, IS_KILLED])
def test_stop_whatever_became_of_the_driver(driver, last, tmp_path, capsys):
    driver(MODELS, last)
    assert main(["stop", "long", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(": Cancelled\n")
    _, long = jobs(tmp_path, capsys)
    assert (long["status"], long["returncode"]) == ("Cancelled", -15)
    assert has_ended(int(long["id"]))
    assert main(["stop", "long", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing was running.\n"


def test_a_driver_hears_of_a_job_that_is_stopped_from_outside(driver, tmp_path, capsys):
    waits = "print('ready', flush=True); exp.poll(interval=1, verbose=False); print(exp.get_status(long)[0])"
    script = driver(MODELS, waits)
    assert main(["stop", "long", str(tmp_path)]) == 0
    assert script.end() == 0
    assert script.output == "Cancelled\n"


def test_exit_codes_of_jobs_that_end_after_their_driver(driver, tmp_path, capsys):
    os.mkfifo(tmp_path / "gate")
    body = f"""
    late = exp.create_model("late", run("sh", ["-c", "read word < {tmp_path}/gate; exit 7"]))
    exp.start(late, block=False)
    """
    driver(body, IS_KILLED)
    assert statuses(tmp_path, capsys) == {"late": "Running"}
    (tmp_path / "gate").write_text("go\n")
    wait_for(lambda: statuses(tmp_path, capsys) != {"late": "Running"}, "the end of the job")
    (late,) = jobs(tmp_path, capsys)
    assert (late["status"], late["returncode"]) == ("Failed", 7)


def test_after_the_supervisor_was_killed(driver, tmp_path, capsys):
    driver(MODELS, IS_KILLED)
    records = [json.loads(line) for line in (tmp_path / ".smartsim" / "journal.jsonl").read_text().splitlines()]
    supervisors = [record["pid"] for record in records if record["kind"] == "supervisor"]
    os.kill(supervisors[-1], signal.SIGKILL)
    assert statuses(tmp_path, capsys) == {"bad": "Failed", "long": "Running"}
    assert main(["stop", "--all", str(tmp_path)]) == 0
    _, long = jobs(tmp_path, capsys)
    assert (long["status"], long["returncode"]) == ("Cancelled", None)
    assert has_ended(int(long["id"]))


@pytest.mark.parametrize("last", [LIVES, IS_KILLED])
def test_a_database_is_shut_down_cleanly(driver, last, tmp_path, capsys):
    port = free_ports()
    body = f"""
    database = exp.create_database(port={port}, interface="lo")
    long = exp.create_model("long", run("sleep", ["100"]))
    exp.start(database, long, block=False)
    """
    driver(body, last)
    assert main(["stop", "orchestrator", str(tmp_path)]) == 0
    assert "orchestrator_0" in capsys.readouterr().out
    shard, long = jobs(tmp_path, capsys)
    assert (shard["type"], shard["status"], shard["returncode"]) == ("DBNode", "Cancelled", 0)
    assert long["status"] == "Running"
    assert main(["teardown", str(tmp_path)]) == 0
    assert statuses(tmp_path, capsys)["long"] == "Cancelled"


def test_teardown_leaves_nothing_and_may_be_repeated(driver, tmp_path, capsys):
    port = free_ports()
    body = f"""
    database = exp.create_database(port={port}, interface="lo")
    many = exp.create_ensemble("many", run_settings=run("sleep", ["100"]), replicas=3)
    exp.start(database, many, block=False)
    """
    driver(body, IS_KILLED)
    running = [int(job["id"]) for job in jobs(tmp_path, capsys)]
    assert main(["teardown", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("Cancelled") == 4
    assert all(has_ended(pid) for pid in running)
    assert main(["teardown", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing was running.\n"


def test_an_ensemble_and_its_members(driver, tmp_path, capsys):
    body = """
    many = exp.create_ensemble("many", run_settings=run("sleep", ["100"]), replicas=3)
    exp.start(many, block=False)
    """
    driver(body, ENDS)
    assert main(["stop", "many_1", str(tmp_path)]) == 0
    assert statuses(tmp_path, capsys) == {"many_0": "Running", "many_1": "Cancelled", "many_2": "Running"}
    assert main(["stop", "many", str(tmp_path)]) == 0
    assert set(statuses(tmp_path, capsys).values()) == {"Cancelled"}


def test_a_stubborn_job_is_ended_by_force(driver, tmp_path, capsys):
    body = """
    stubborn = exp.create_model("stubborn", run("sh", ["-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"]))
    exp.start(stubborn, block=False)
    """
    driver(body, ENDS)
    wait_for(lambda: "up" in (tmp_path / "stubborn" / "stubborn.out").read_text(), "the trap")
    assert main(["stop", "--all", "--grace", "0.2", str(tmp_path)]) == 0
    (stubborn,) = jobs(tmp_path, capsys)
    assert (stubborn["status"], stubborn["returncode"]) == ("Cancelled", -9)


# --- folders ---------------------------------------------------------------------------------------------------------


def test_several_experiments_below_a_folder(driver, tmp_path, capsys, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        driver(MODELS, ENDS, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["ps", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [job["experiment"] for job in listed] == [str(tmp_path / name) for name in ("one", "one", "two", "two")]
    assert main(["ps"]) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'one'}\nName " in printed
    assert "Returncode" in printed
    monkeypatch.chdir(tmp_path / "one")
    assert main(["stop", "long"]) == 0
    assert "Running" not in statuses(tmp_path / "one", capsys).values()
    assert "Running" in statuses(tmp_path / "two", capsys).values()
    monkeypatch.chdir(tmp_path)
    assert main(["telemetry", "export"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / name / ".smartsim" / "telemetry" / "manifest.json") for name in ("one", "two")
    ]


@pytest.mark.parametrize("command", [["ps"], ["stop", "--all"], ["teardown"], ["telemetry", "export"]])
@pytest.mark.parametrize("path", [".", "./absent"])
def test_no_experiment(command, path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command, path]) == 70
    assert "give the folder of an experiment" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_stops_nothing(driver, tmp_path, capsys):
    driver(MODELS, ENDS)
    assert main(["stop", "long", "nosuch", str(tmp_path)]) == 70
    problem = capsys.readouterr().err
    assert "'nosuch'" in problem
    assert "bad, long" in problem
    assert statuses(tmp_path, capsys)["long"] == "Running"


def test_a_runtime_that_nobody_has(driver, tmp_path, capsys):
    driver(MODELS, ENDS)
    assert main(["teardown", "--dragon", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "no runtime of Dragon" in printed
    assert "smartsim-plugin-dragon" in printed


def test_nothing_was_ever_started(tmp_path, capsys):
    (tmp_path / ".smartsim").mkdir()
    (tmp_path / ".smartsim" / "journal.jsonl").touch()
    assert main(["ps", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "No job was ever started.\n"


# --- which word is the path ------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """An experiment in the current folder that has an entity ``a``, and experiments in the folders ``a`` and ``b``."""
    for folder in (tmp_path, tmp_path / "a", tmp_path / "b"):
        (folder / ".smartsim").mkdir(parents=True)
        (folder / ".smartsim" / "journal.jsonl").touch()
    (tmp_path / "plain").mkdir()
    (tmp_path / ".smartsim" / "journal.jsonl").write_text(
        '{"v":1,"t":1.0,"kind":"job","id":"a-0.x","entity":"a","group":"","entity_type":"Model"}\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "path", "expected"),
    [
        ([], None, ([], ".")),
        (["x"], None, (["x"], ".")),
        (["x", "y"], None, (["x", "y"], ".")),
        (["x", "b"], None, (["x"], "b")),
        (["b", "x"], None, (["b", "x"], ".")),
        (["x", "plain"], None, (["x", "plain"], ".")),
        (["x", "./plain"], None, (["x"], "./plain")),
        (["x", "."], None, (["x"], ".")),
        (["x", ".."], None, (["x"], "..")),
        (["/"], None, ([], "/")),
        (["x", "b"], "a", (["x", "b"], "a")),
        (["a"], ".", (["a"], ".")),
        (["x\0"], None, (["x\0"], ".")),
    ],
)
def test_which_word_is_the_path(folders, words, path, expected):
    assert operator.split_names(words, path) == expected


@given(st.lists(st.text(min_size=1, max_size=4), max_size=4))
def test_no_word_is_lost(words):
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        names, path = operator.split_names(words, None)
    assert [*names, path] in ([*words, "."], words)
    assert operator.split_names(words, "x") == (words, "x")


def test_a_word_that_could_be_both(folders, capsys):
    assert main(["stop", "a"]) == 64
    assert "`--path . a`" in capsys.readouterr().err
