"""The stop ladder: whatever a job started ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from smartsim.engine.supervisor import processes
from smartsim.engine.supervisor.ladder import Ladder
from smartsim.status import State
from supervised import Watch, alive, marked, read_view, wait_for

IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(1000)"
FAMILY = """
import os, subprocess, sys, time
sleep = ["sleep", "1000"]
stubborn = [sys.executable, "-S", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
children = [
    subprocess.Popen(sleep),
    subprocess.Popen(sleep, start_new_session=True),
    subprocess.Popen(sleep, start_new_session=True, env={}),
    subprocess.Popen(stubborn, start_new_session=True),
]
# One whose parent has gone: the daemon's way.
here, there = os.pipe()
if os.fork() == 0:
    os.setsid()
    daemon = os.fork()
    if daemon:
        os.write(there, str(daemon).encode())
        os._exit(0)
    os.close(there)
    os.execvp("sleep", sleep)
os.close(there)
os.wait()
print("ready", *(child.pid for child in children), os.read(here, 20).decode(), flush=True)
"""


def family(watch: Watch, then: str) -> list[int]:
    """Start a job with grandchildren of every kind; return their process ids."""
    watch.script("family", FAMILY + then)
    out = watch.wait_output("family", b"\n")
    return [int(word) for word in out.split()[1:]]


def test_term_is_enough_for_most(watch):
    watch.run("job", "sleep", "1000")
    (end,) = watch.client.stop(["job"], 30.0)
    assert (end.returncode, end.stopped, end.reason) == (-signal.SIGTERM, True, "stopped")
    job = watch.view().jobs["job"]
    assert (job.state, job.returncode) == (State.CANCELLED, -15)
    assert [rung["action"] for rung in job.rungs] == ["term"]
    assert watch.end("job") == end


def test_exit_code_of_a_job_that_ends_in_its_own_way(watch):
    watch.script(
        "job",
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(9)); print(1, flush=True); time.sleep(1000)",
    )
    watch.wait_output("job", b"1")
    (end,) = watch.client.stop(["job"], 30.0)
    assert (end.returncode, end.stopped) == (9, True)


def test_child_that_ignores_term_is_killed_after_the_grace(watch):
    watch.script("job", IGNORES_TERM)
    watch.wait_output("job", b"ready")
    begin = time.monotonic()
    (end,) = watch.client.stop(["job"], 0.3)
    assert 0.3 <= time.monotonic() - begin < 5
    assert end.returncode == -signal.SIGKILL
    rungs = watch.view().jobs["job"].rungs
    assert [rung["action"] for rung in rungs] == ["term", "kill"]
    assert rungs[1]["t"] - rungs[0]["t"] >= 0.29


def test_no_grace_kills_at_once(watch):
    watch.run("job", "sleep", "1000")
    (end,) = watch.client.stop(["job"], 0.0)
    assert end.returncode == -signal.SIGKILL
    assert [rung["action"] for rung in watch.view().jobs["job"].rungs] == ["kill"]


def test_stopped_process_gets_its_term(watch):
    started = watch.script("job", "import os, signal; print(1, flush=True); os.kill(os.getpid(), signal.SIGSTOP)")
    watch.wait_output("job", b"1")
    (end,) = watch.client.stop(["job"], 30.0)
    assert end.returncode == -signal.SIGTERM
    assert not alive(started.pid)


def test_grandchildren_end_with_the_job(watch):
    pids = family(watch, "time.sleep(1000)")
    assert all(alive(pid) for pid in pids)
    (end,) = watch.client.stop(["family"], 0.5)
    assert end.returncode == -signal.SIGTERM
    assert not any(alive(pid) for pid in pids)
    assert set(watch.view().jobs["family"].rungs[0]["pids"]) >= set(pids)


def test_what_an_ended_job_left_behind_can_be_stopped(watch):
    pids = family(watch, "")
    assert watch.end("family").returncode == 0
    # One has an environment of its own.
    wait_for(lambda: len(set(pids).intersection(marked(watch.exp))) == len(pids) - 1, "all marks")
    marked_pids = set(pids).intersection(marked(watch.exp))
    (end,) = watch.client.stop(["family"], 0.5)
    assert (end.returncode, end.stopped) == (0, False)
    assert not any(alive(pid) for pid in marked_pids)
    watch.client.stop(None, 0.5)
    wait_for(lambda: not any(alive(pid) for pid in pids), "the end of the process without a mark")


def test_other_jobs_are_left_alone(watch):
    watch.launch(watch.command("a", "sleep", "1000"), watch.command("b", "sh", "-c", "sleep 1000; exit"))
    watch.client.stop(["a"], 5.0)
    assert [job.id for job in watch.client.jobs() if job.exited is None] == ["b"]


def test_stopping_again_or_nothing_or_the_unknown_is_no_error(watch):
    watch.run("job", "sleep", "1000")
    first = watch.client.stop(["job"], 5.0)
    assert watch.client.stop(["job"], 5.0) == first
    assert watch.client.stop([], 5.0) == []
    assert watch.client.stop(["nobody"], 5.0) == []
    assert watch.client.stop(None, 5.0) == first


def test_job_that_ended_by_itself_keeps_its_code(watch):
    watch.run("job", "sh", "-c", "exit 4")
    watch.end("job")
    (end,) = watch.client.stop(None, 5.0)
    assert (end.returncode, end.stopped) == (4, False)
    assert watch.view().jobs["job"].state is State.FAILED


def test_two_stops_at_once_with_different_patience(watch):
    watch.script("job", IGNORES_TERM)
    watch.wait_output("job", b"ready")
    slow = threading.Thread(target=watch.client.stop, args=(["job"], 1000.0))
    slow.start()
    wait_for(lambda: watch.view().jobs["job"].rungs, "the first rung")
    (end,) = watch.client.stop(["job"], 0.1)
    assert end.returncode == -signal.SIGKILL
    slow.join()


@pytest.mark.parametrize("grace", [float("nan"), float("inf"), -1.0])
def test_odd_grace(watch, grace):
    watch.run("job", "sleep", "1000")
    (end,) = watch.client.stop(["job"], grace)
    assert end.stopped


def test_stop_overtakes_a_launch(watch):
    commands = [watch.command(f"job-{k}", "sleep", "1000") for k in range(3000)]
    results = []
    launch = threading.Thread(target=lambda: results.extend(watch.launch(*commands)))
    launch.start()
    wait_for(lambda: watch.view().jobs, "the first job")
    watch.client.stop(None, 5.0)
    launch.join()
    assert len(results) == 3000
    started = [result.id for result in results if result.error is None]
    assert 0 < len(started) < 3000
    assert {result.error for result in results} == {None, "it was stopped before it was started"}
    assert all(end.stopped for end in watch.wait(*started))
    assert not marked(watch.exp)


@pytest.mark.serial
def test_a_thousand_children_at_once(watch):
    ids = [f"job-{k}" for k in range(1000)]
    watch.launch(*(watch.command(job, "sleep", "1000") for job in ids))
    begin = time.monotonic()
    ends = watch.client.stop(None, 30.0)
    assert time.monotonic() - begin < 5
    assert [end.returncode for end in ends] == [-signal.SIGTERM] * 1000
    watch.wait(*ids)
    assert {job.state for job in watch.view().jobs.values()} == {State.CANCELLED}


@pytest.mark.serial
def test_a_thousand_children_killed_by_somebody(watch):
    ids = [f"job-{k}" for k in range(1000)]
    started = watch.launch(*(watch.command(job, "sleep", "1000") for job in ids))
    for result in started:
        os.kill(result.pid, signal.SIGKILL)
    ends = watch.wait(*ids)
    assert {(end.returncode, end.stopped) for end in ends} == {(-signal.SIGKILL, False)}
    assert {job.returncode for job in watch.view().jobs.values()} == {-signal.SIGKILL}


def test_shutdown_ends_everything(exp):
    watch, other = Watch(exp), Watch(exp)
    watch.run("job", "sleep", "1000")
    (end,) = watch.client.shutdown(5.0)
    assert end.stopped
    assert watch.losses == []
    assert "shut down" in other.wait_lost()
    assert other.exits.keys() == {"job"}
    other.client.close()
    assert read_view(exp).supervisor is None


def test_supervisor_told_to_terminate_stops_its_jobs(exp):
    watch = Watch(exp)
    watch.run("job", "sleep", "1000")
    os.kill(watch.client.pid, signal.SIGTERM)
    assert "told to terminate" in watch.wait_lost()
    assert watch.end("job").stopped
    watch.client.close()


def test_ids_are_opaque(watch):
    odd = ["", " ", "a/b\n", "x" * 10_000, "\udcff", "日本", "None"]
    outputs = {job: str(watch.exp / f"{k}.out") for k, job in enumerate(odd)}
    watch.launch(*(watch.command(job, "sleep", "1000", stdout=out, stderr=out) for job, out in outputs.items()))
    for job in odd:
        (end,) = watch.client.stop([job], 5.0)
        assert end.id == job
    assert set(watch.view().jobs) == set(odd)


def test_system_without_proc(tmp_path, monkeypatch):
    """The process group is stopped as a whole, also what outlives the group's first process."""
    monkeypatch.setattr(processes, "HAS_PROC", False)
    monkeypatch.setattr(processes, "table", dict)
    script = (
        "import os, signal, time; os.fork() or signal.signal(15, signal.SIG_IGN)\n"
        "os.write(1, b'%7d' % os.getpid()); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-S", "-c", script], process_group=0, stdout=subprocess.PIPE) as process:
        leaders = {"job": process.pid}
        (child,) = {int(process.stdout.read(7)), int(process.stdout.read(7))} - {process.pid}
        rungs = []
        members = processes.Membership({process.pid: "job"}, {"job"}, set(), str(tmp_path))
        ladder = Ladder(leaders, members.scan, 0.2, lambda *rung: rungs.append(rung))
        ladder.start(0.0)
        assert process.wait() == -signal.SIGTERM
        leaders.clear()
        assert not ladder.climb(0.1)
        assert alive(child)
        ladder.climb(0.2)
        wait_for(lambda: not alive(child), "the end of the grandchild")
    assert rungs == [("job", "term", [process.pid])]
