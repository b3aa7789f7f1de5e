"""Experiments on the local launcher, as a driver script uses them: real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from smartsim import Experiment
from smartsim.error import SmartSimError, SSUnsupportedError
from smartsim.status import SmartSimStatus

COMPLETED, FAILED, CANCELLED = (
    SmartSimStatus.STATUS_COMPLETED,
    SmartSimStatus.STATUS_FAILED,
    SmartSimStatus.STATUS_CANCELLED,
)


def sh(exp: Experiment, name: str, script: str, **kwargs: object):
    return exp.create_model(name, exp.create_run_settings("/bin/sh", exe_args=["-c", script], **kwargs))


def wait_for(path: Path, seconds: float = 20) -> str:
    """The content of a file that a job writes; the job is the only one that can say when."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_size:
            return path.read_text()
        threading.Event().wait(0.01)
    raise AssertionError(f"{path} was not written")


def test_output_and_exit_codes(exp: Experiment, tmp_path: Path) -> None:
    good, bad = sh(exp, "good", "echo out; echo err >&2"), sh(exp, "bad", "exit 3")
    exp.start(good, bad)
    assert exp.get_status(good, bad) == [COMPLETED, FAILED]
    assert (tmp_path / "good/good.out").read_text() == "out\n"
    assert (tmp_path / "good/good.err").read_text() == "err\n"
    rows = exp.summary("plain").splitlines()
    assert len(rows) == 3
    assert rows[1].split()[-2:] == ["Completed", "0"]
    assert rows[2].split()[-2:] == ["Failed", "3"]


def test_a_signal_is_the_return_code(exp: Experiment) -> None:
    model = sh(exp, "killed", "kill -9 $$")
    exp.start(model)
    assert exp.get_status(model) == [FAILED]
    assert exp.summary("plain").split()[-1] == "-9"


def test_arguments_and_variables_arrive_as_they_are(exp: Experiment, tmp_path: Path) -> None:
    odd = ["a b", "$HOME", "`id`", '"', "'", "*", "\n", "", "é", "\udcff"]
    script = "import os, sys; print(repr([os.fsencode(a) for a in sys.argv[1:]]), repr(os.environb[b'ODD']))"
    settings = exp.create_run_settings(
        sys.executable, exe_args=["-c", script, *odd], env_vars={"ODD": "$x;`y`\n\udcfe"}
    )
    exp.start(exp.create_model("odd", settings))
    expected = f"{[os.fsencode(word) for word in odd]!r} {os.fsencode('$x;`y`' + chr(10) + chr(0xDCFE))!r}\n"
    assert (tmp_path / "odd/odd.out").read_text() == expected


def test_the_driver_environment_is_inherited_and_the_model_wins(
    exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_DRIVER", "1")
    monkeypatch.setenv("BOTH", "driver")
    exp.start(sh(exp, "env", 'echo "$FROM_DRIVER $BOTH"', env_vars={"BOTH": "model"}))
    assert (tmp_path / "env/env.out").read_text() == "1 model\n"


def test_not_blocking_then_poll(exp: Experiment, tmp_path: Path) -> None:
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    model = sh(exp, "waits", f"read x < {fifo}")
    exp.start(model, block=False)
    assert exp.get_status(model) == [SmartSimStatus.STATUS_RUNNING]
    assert not exp.finished(model)
    fifo.write_text("\n")
    exp.poll(interval=1)
    assert exp.finished(model)
    assert exp.get_status(model) == [COMPLETED]


def test_stop_cancels_and_is_idempotent(exp: Experiment) -> None:
    model = sh(exp, "sleeper", "exec sleep 1000")
    exp.start(model, block=False)
    exp.stop(model)
    exp.stop(model)
    assert exp.get_status(model) == [CANCELLED]
    assert exp.finished(model)


def test_stopping_what_never_ran_is_both_errors(exp: Experiment) -> None:
    model, other = sh(exp, "never", "true"), sh(exp, "sleeper", "exec sleep 1000")
    exp.start(other, block=False)
    with pytest.raises(KeyError, match="never"):
        exp.stop(other, model)
    with pytest.raises(SmartSimError, match="nothing was stopped"):
        exp.stop(other, model)
    assert exp.get_status(other) == [SmartSimStatus.STATUS_RUNNING]
    exp.stop(other)


def test_a_second_run_counts_up_and_keeps_the_first_output(exp: Experiment, tmp_path: Path) -> None:
    model = sh(exp, "again", "echo $RUN", env_vars={"RUN": "first"})
    exp.start(model)
    model.run_settings.update_env({"RUN": "second"})
    exp.start(model)
    assert (tmp_path / "again/again.out").read_text() == "second\n"
    assert (tmp_path / "again/again.0.out").read_text() == "first\n"
    rows = exp.summary("plain").splitlines()[1:]
    assert [row.split()[4] for row in rows] == ["0", "1"]


def test_a_running_entity_cannot_be_started_again_nor_its_name_reused(exp: Experiment) -> None:
    model = sh(exp, "twice", "exec sleep 1000")
    exp.start(model, block=False)
    with pytest.raises(SSUnsupportedError, match=r"duplicate names.*running"):
        exp.start(model)
    with pytest.raises(SSUnsupportedError, match="duplicate names"):
        exp.start(sh(exp, "twice", "true"))
    exp.stop(model)
    with pytest.raises(SSUnsupportedError, match="another entity had that name"):
        exp.start(sh(exp, "twice", "true"))
    exp.start(model, block=False)
    exp.stop(model)


def test_nothing_runs_when_one_of_several_cannot_be_launched(exp: Experiment, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    lost = exp.create_model("lost", exp.create_run_settings(str(program)))
    other = sh(exp, "other", "exec sleep 1000")
    program.unlink()
    with pytest.raises(SmartSimError, match=r"Job step lost-0 failed to launch.*program"):
        exp.start(other, lost)
    assert exp.get_status(other, lost) == [SmartSimStatus.STATUS_NEVER_STARTED] * 2
    assert exp.summary("plain").splitlines()[1:] == []


def test_ensembles_run_side_by_side(exp: Experiment, tmp_path: Path) -> None:
    settings = exp.create_run_settings("/bin/sh", exe_args=["-c", "pwd"])
    ensemble = exp.create_ensemble("ens", run_settings=settings, replicas=4)
    exp.start(ensemble)
    assert exp.get_status(ensemble) == [COMPLETED] * 4
    for index in range(4):
        folder = tmp_path / f"ens/ens_{index}"
        assert (folder / f"ens_{index}.out").read_text() == f"{folder}\n"


def test_key_prefixing_and_sources_reach_the_environment(exp: Experiment, tmp_path: Path) -> None:
    source = sh(exp, "source", "true")
    reader = sh(exp, "reader", 'echo "$SSKEYIN $SSKEYOUT"')
    reader.register_incoming_entity(source)
    reader.enable_key_prefixing()
    exp.start(reader)
    assert (tmp_path / "reader/reader.out").read_text() == "source reader\n"


def test_the_journal_tells_every_start_and_end(exp: Experiment, tmp_path: Path) -> None:
    exp.start(sh(exp, "good", "true"), sh(exp, "bad", "exit 4"))
    records = [json.loads(line) for line in (tmp_path / ".smartsim/journal.jsonl").read_text().splitlines()]
    kinds = [record["kind"] for record in records]
    assert kinds[0] == "experiment"
    jobs = {record["entity"]: record for record in records if record["kind"] == "job"}
    ends = {
        record["id"]: record for record in records if record["kind"] == "state" and record["returncode"] is not None
    }
    assert ends[jobs["good"]["id"]]["returncode"] == 0
    assert ends[jobs["bad"]["id"]]["returncode"] == 4
    assert kinds.count("run") == 1


def driver(tmp_path: Path, body: str) -> subprocess.Popen[str]:
    """A driver script in a process of its own, so that signals meet only it."""
    script = tmp_path / "driver.py"
    head = f"""
        from smartsim import Experiment
        exp = Experiment("exp", exp_path={str(tmp_path)!r})
        def sh(name, script):
            return exp.create_model(name, exp.create_run_settings("/bin/sh", exe_args=["-c", script]))
    """
    script.write_text(textwrap.dedent(head) + textwrap.dedent(body))
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("waiting", ["exp.start(*models)", "exp.start(*models, block=False)\nexp.poll()"])
def test_interrupt_ends_the_jobs_and_then_the_driver(tmp_path: Path, waiting: str) -> None:
    process = driver(tmp_path, f"models = [sh(f's{{i}}', 'echo $$; exec sleep 1000') for i in range(3)]\n{waiting}\n")
    pids = [int(wait_for(tmp_path / f"s{index}/s{index}.out")) for index in range(3)]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in output
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_jobs_outlive_the_driver_where_the_user_says_so(tmp_path: Path) -> None:
    process = driver(tmp_path, "exp.start(sh('stays', 'echo $$; exec sleep 1000'), kill_on_interrupt=False)\n")
    pid = int(wait_for(tmp_path / "stays/stays.out"))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert f"with id: {pid}" in output
    os.kill(pid, signal.SIGTERM)
    state = wait_for_end(tmp_path)
    assert state["returncode"] == -15


def test_an_exit_code_is_recorded_after_the_driver_was_killed(tmp_path: Path) -> None:
    process = driver(tmp_path, "exp.start(sh('late', 'echo $$; read x < go; exit 7'))\n")
    (tmp_path / "late").mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "late/go")
    wait_for(tmp_path / "late/late.out")
    process.kill()
    process.communicate(timeout=30)
    (tmp_path / "late/go").write_text("\n")
    assert wait_for_end(tmp_path)["returncode"] == 7


def wait_for_end(tmp_path: Path, seconds: float = 20) -> dict[str, object]:
    """The first final state in the journal, once the supervisor has ended itself."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        records = [json.loads(line) for line in (tmp_path / ".smartsim/journal.jsonl").read_text().splitlines()]
        if any(record["kind"] == "supervisor-end" for record in records):
            return next(r for r in records if r["kind"] == "state" and r["state"] in {"failed", "completed"})
        threading.Event().wait(0.01)
    raise AssertionError("the supervisor did not end")


def test_the_log_tells_of_every_model_and_of_the_members_that_failed(
    exp: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (exp.create_run_settings("/bin/sh", exe_args=["-c", script]) for script in ("true", "exit 3"))
    exp.start(
        exp.create_model("alone", good),
        exp.create_ensemble("fine", run_settings=good, replicas=2),
        exp.create_ensemble("broken", run_settings=bad, replicas=2),
    )
    said = capsys.readouterr().out
    assert [name for name in ("alone", "fine_0", "fine_1", "broken_0", "broken_1") if f" {name}(" in said] == [
        "alone",
        "broken_0",
        "broken_1",
    ]
