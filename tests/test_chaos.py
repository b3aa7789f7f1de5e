"""Faults injected below running experiments: nothing is orphaned, nothing counts as success that is not known to be."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ports import free_ports
from smartsim import Experiment
from smartsim.cli.main import main as smart
from smartsim.engine.supervisor.journal import JournalView, fold, journal_path, read
from smartsim.entity import Ensemble, Model
from smartsim.error import SmartSimError
from smartsim.status import SmartSimStatus
from supervised import alive, marked, supervisors, wait_for

RUNNING, COMPLETED, FAILED, CANCELLED, NEVER = (
    SmartSimStatus.STATUS_RUNNING,
    SmartSimStatus.STATUS_COMPLETED,
    SmartSimStatus.STATUS_FAILED,
    SmartSimStatus.STATUS_CANCELLED,
    SmartSimStatus.STATUS_NEVER_STARTED,
)


def sh(exp: Experiment, name: str, script: str) -> Model:
    return exp.create_model(name, exp.create_run_settings("/bin/sh", exe_args=["-c", script]))


def python(exp: Experiment, name: str, script: str) -> Model:
    return exp.create_model(name, exp.create_run_settings(sys.executable, exe_args=["-S", "-c", script]))


def sleepers(exp: Experiment, count: int) -> Ensemble:
    settings = exp.create_run_settings("/bin/sleep", exe_args=["1000"])
    return exp.create_ensemble("sleepers", run_settings=settings, replicas=count)


def view(path: Path) -> JournalView:
    return fold(read(journal_path(str(path))))


def pids(path: Path) -> list[int]:
    return [int(job.record["pid"]) for job in view(path).jobs.values()]


def words(path: Path, count: int) -> list[str]:
    """The words that a job has written, once there are `count` of them."""
    return wait_for(lambda: path.exists() and len(found := path.read_text().split()) >= count and found, f"{path}")


def returncodes(exp: Experiment) -> list[str]:
    return [row.split()[-1] for row in exp.summary("plain").splitlines()[1:]]


# --- children ---------------------------------------------------------------------------------------------------------


def test_a_child_that_ignores_term_is_killed_after_the_grace(
    exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTSIM_STOP_GRACE", "0.2")
    model = sh(exp, "stubborn", "trap '' TERM; echo ready; while :; do sleep 1000; done")
    exp.start(model, block=False)
    words(tmp_path / "stubborn/stubborn.out", 1)
    begin = time.monotonic()
    exp.stop(model)
    assert 0.2 <= time.monotonic() - begin < 5
    assert exp.get_status(model) == [CANCELLED]
    assert returncodes(exp) == ["-9"]
    (job,) = view(tmp_path).jobs.values()
    actions = [rung["action"] for rung in job.rungs]
    assert actions[0] == "term"
    assert "kill" in actions


FAMILY = """
import os, signal, sys, time
def child(*, session, stubborn):
    if os.fork():
        return
    if session:
        os.setsid()
        if os.fork():
            os._exit(0)
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, b"%d " % os.getpid())
    time.sleep(1000)
for session in (False, True):
    for stubborn in (False, True):
        child(session=session, stubborn=stubborn)
os.write(1, b"%d " % os.getpid())
time.sleep(1000)
"""


def test_grandchildren_end_with_their_job(exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that made a session of their own and lost their parent, and those that ignore TERM."""
    monkeypatch.setenv("SMARTSIM_STOP_GRACE", "0.2")
    model = python(exp, "family", FAMILY)
    exp.start(model, block=False)
    family = [int(word) for word in words(tmp_path / "family/family.out", 5)]
    assert all(map(alive, family))
    exp.stop(model)
    assert not any(map(alive, family))
    assert exp.get_status(model) == [CANCELLED]


@pytest.mark.serial
def test_a_thousand_children_killed_at_once(exp: Experiment, tmp_path: Path) -> None:
    ensemble = sleepers(exp, 1000)
    exp.start(ensemble, block=False)
    assert exp.get_status(ensemble) == [RUNNING] * 1000
    begin = time.monotonic()
    for pid in pids(tmp_path):
        os.kill(pid, signal.SIGKILL)
    exp.poll(verbose=False)
    assert time.monotonic() - begin < 10
    assert exp.get_status(ensemble) == [FAILED] * 1000
    assert returncodes(exp) == ["-9"] * 1000


@pytest.mark.serial
def test_a_thousand_children_stopped(exp: Experiment, tmp_path: Path) -> None:
    ensemble = sleepers(exp, 1000)
    exp.start(ensemble, block=False)
    begin = time.monotonic()
    exp.stop(ensemble)
    assert time.monotonic() - begin < 10
    assert exp.get_status(ensemble) == [CANCELLED] * 1000
    assert returncodes(exp) == ["-15"] * 1000
    assert not any(map(alive, pids(tmp_path)))


# --- full disks -------------------------------------------------------------------------------------------------------


def test_output_that_cannot_be_written(exp: Experiment, tmp_path: Path) -> None:
    """The disk of one member is full: that is this member's failure, and nobody else's."""
    full = sh(exp, "full", "echo something; exit $?")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/full.out").symlink_to("/dev/full")
    limited = sh(exp, "limited", "ulimit -f 1; exec head -c 100000 /dev/zero")
    good = sh(exp, "good", "echo fine")
    exp.start(full, limited, good)
    assert exp.get_status(full, limited, good) == [FAILED, FAILED, COMPLETED]
    assert (tmp_path / "good/good.out").read_text() == "fine\n"
    assert "error" in (tmp_path / "full/full.err").read_text()
    ends = {job.text("entity"): job for job in view(tmp_path).jobs.values()}
    assert ends["full"].returncode not in {None, 0}
    assert ends["limited"].returncode == -signal.SIGXFSZ


LIMIT = 32768

FULL_JOURNAL = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, resource.RLIM_INFINITY))
members = [sh(f"m{{i}}", f"exit {{i % 3}}") for i in range(50)]
exp.start(*members)
print(json.dumps([str(status) for status in exp.get_status(*members)]))
sys.stdout.flush()
sys.stdin.read()
"""


def test_a_full_disk_costs_no_status_and_no_exit_code(tmp_path: Path) -> None:
    driver = Driver(tmp_path, FULL_JOURNAL)
    statuses = json.loads(driver.line())
    assert statuses == ["Failed" if number % 3 else "Completed" for number in range(50)]
    assert (tmp_path / ".smartsim/journal.jsonl").stat().st_size <= LIMIT
    (supervisor,) = supervisors(tmp_path)
    for pid in (supervisor, driver.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert driver.end() == 0
    wait_for(lambda: not supervisors(tmp_path), "the end of the supervisor")
    found = view(tmp_path)
    assert [job.returncode for job in found.jobs.values()] == [number % 3 for number in range(50)]
    assert len(found.runs) == 1


# --- the supervisor dies ----------------------------------------------------------------------------------------------


def kill_supervisor(path: Path) -> float:
    (pid,) = supervisors(path)
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def test_a_supervisor_killed_while_the_driver_waits(
    exp: Experiment, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    models = [sh(exp, f"model{number}", "exec sleep 1000") for number in range(3)]
    killed: list[float] = []

    def kill() -> None:
        wait_for(lambda: exp.get_status(*models) == [RUNNING] * 3, "the start")
        killed.append(kill_supervisor(tmp_path))

    killer = threading.Thread(target=kill)
    killer.start()
    exp.start(*models)
    assert time.monotonic() - killed[0] < 1
    killer.join()
    assert exp.get_status(*models) == [FAILED] * 3
    assert returncodes(exp) == ["None"] * 3
    said = capfd.readouterr().out
    assert "killed by SIGKILL" in said
    assert "exit code is not known" in said
    assert "smart teardown" in said

    orphans = pids(tmp_path)
    assert all(map(alive, orphans))
    later = sh(exp, "later", "exit 3")
    exp.start(later)
    assert exp.get_status(later) == [FAILED]
    assert returncodes(exp) == ["None"] * 3 + ["3"]

    capfd.readouterr()
    assert smart(["ps", str(tmp_path), "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capfd.readouterr().out)}
    assert {listed[model.name]["status"] for model in models} == {"Running"}
    assert smart(["teardown", str(tmp_path)]) == 0
    assert not any(map(alive, orphans))


def test_a_supervisor_killed_while_nobody_waits(exp: Experiment, tmp_path: Path) -> None:
    model = sh(exp, "model", "exec sleep 1000")
    exp.start(model, block=False)
    killed = kill_supervisor(tmp_path)
    wait_for(lambda: exp.get_status(model) == [FAILED], "the loss of the supervisor")
    assert time.monotonic() - killed < 1
    assert exp.finished(model)
    exp.poll()
    exp.stop(model)
    assert exp.get_status(model) == [FAILED]
    assert smart(["teardown", str(tmp_path)]) == 0


def test_a_supervisor_killed_during_a_launch(exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had started before is ended, although nobody keeps it any more."""
    from smartsim.engine.supervisor.link import LaunchRequest

    take = LaunchRequest.take

    def killed(self: LaunchRequest, message: dict[str, Any]) -> bool:
        if supervisors(tmp_path):
            kill_supervisor(tmp_path)
        return take(self, message)

    monkeypatch.setattr(LaunchRequest, "take", killed)
    ensemble = sleepers(exp, 1000)
    with pytest.raises(SmartSimError, match=r"supervisor.*SIGKILL"):
        exp.start(ensemble, block=False)
    assert not marked(tmp_path)
    assert set(exp.get_status(ensemble)) == {NEVER}
    assert smart(["teardown", str(tmp_path)]) == 0


def test_a_supervisor_killed_under_a_database(exp: Experiment, tmp_path: Path) -> None:
    """The database answers on; its status is that it is not known to run."""
    database = exp.create_database(port=free_ports(), interface="lo")
    exp.start(database)
    kill_supervisor(tmp_path)
    wait_for(lambda: exp.get_status(database) == [FAILED], "the loss of the supervisor")
    exp.stop(database)
    assert smart(["teardown", str(tmp_path)]) == 0
    assert not marked(tmp_path)


# --- the driver dies --------------------------------------------------------------------------------------------------


class Driver:
    """A driver script in a process of its own, so that signals meet only it."""

    def __init__(self, path: Path, body: str, **environ: str) -> None:
        head = f"""
            import json, os, signal, sys, threading
            from smartsim import Experiment
            exp = Experiment("exp", exp_path={str(path)!r})
            def sh(name, script):
                return exp.create_model(name, exp.create_run_settings("/bin/sh", exe_args=["-c", script]))
            def sleepers(count):
                settings = exp.create_run_settings("/bin/sleep", exe_args=["1000"])
                return exp.create_ensemble("sleepers", run_settings=settings, replicas=count)
        """
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(body)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "SMARTSIM_LOG_LEVEL": "quiet", **environ},
        )
        self.pid = self._process.pid
        self.output = ""

    def line(self) -> str:
        """The next line that it prints of its own accord, not a record of the log."""
        assert self._process.stdout is not None
        for text in self._process.stdout:
            self.output += text
            if " SmartSim[" not in text:
                return text
        raise AssertionError(f"the driver ended: {self.output}")

    def tell(self, text: str) -> None:
        """Give it a line to read."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        output, _ = self._process.communicate(timeout=60)
        self.output += output
        return self._process.returncode


def test_jobs_of_a_killed_driver_run_on_and_are_seen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "go").mkdir()
    os.mkfifo(tmp_path / "go/on")
    body = f"""
        models = [sh("waits", "read x < {tmp_path}/go/on; exit 5"), sh("sleeps", "exec sleep 1000")]
        exp.start(*models, block=False)
        print("started", flush=True)
        exp.poll()
    """
    driver = Driver(tmp_path, body)
    assert driver.line() == "started\n"
    driver.kill()

    def listed() -> dict[str, tuple[str, int | None]]:
        capfd.readouterr()
        assert smart(["ps", str(tmp_path), "--json"]) == 0
        found = json.loads(capfd.readouterr().out)
        return {entry["name"]: (entry["status"], entry["returncode"]) for entry in found}

    assert listed() == {"waits": ("Running", None), "sleeps": ("Running", None)}
    (tmp_path / "go/on").write_text("\n")
    wait_for(lambda: listed()["waits"] == ("Failed", 5), "the exit code of a job whose driver is gone")
    assert smart(["teardown", str(tmp_path)]) == 0
    assert listed()["sleeps"][0] == "Cancelled"
    assert not marked(tmp_path)
    assert not supervisors(tmp_path)


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------

INTERRUPT_AT = """
    import importlib

    def interrupt_at(place, moment, nth=1, condition=lambda *args: True):
        module, _, path = place.partition(":")
        owner = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        original = getattr(owner, name)
        calls = 0

        def press():
            print("pressed", flush=True)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        def patched(*args, **kwargs):
            nonlocal calls
            calls += condition(*args)
            now = calls == nth and condition(*args)
            if now and moment == "before":
                calls += 1
                press()
            result = original(*args, **kwargs)
            if now and moment == "after":
                calls += 1
                press()
            return result

        setattr(owner, name, patched)
"""

ENGINE = "smartsim.engine"
SUPERVISOR = "smartsim.engine.supervisor"
START = "exp.start(sleepers(20), sh('single', 'exec sleep 1000'))"
BULK = "exp.start(sleepers(1000))"
STOP = "members = sleepers(20)\nexp.start(members, block=False)\nexp.stop(members)"


def database(shards: int) -> str:
    return f"exp.start(exp.create_database(port=PORT, interface='lo', db_nodes={shards}), sleepers(3))"


PHASES = {
    "before anything": (START, f"'{ENGINE}.session:Session._refuse_duplicates', 'after'"),
    "while plans are made": (BULK, f"'{ENGINE}.session:model_spec', 'after', 500"),
    "while folders are made": (BULK, "'smartsim.generation.undo:Changes.make_folder', 'after', 500"),
    "while the supervisor is spawned": (START, f"'{SUPERVISOR}.boot:_spawn', 'after'"),
    "while the supervisor is connected": (START, f"'{SUPERVISOR}.link:Link.__init__', 'after'"),
    "while the supervisor boots": (START, f"'{ENGINE}.backend:ProcessBackend.prepare', 'after'"),
    "while the journal is written": (START, f"'{SUPERVISOR}.journal:Journal.append', 'before', 2"),
    "when the launch is sent": (START, f"'{SUPERVISOR}.link:Link.submit', 'after'"),
    "while launching in bulk": (BULK, f"'{SUPERVISOR}.link:LaunchRequest.take', 'after'"),
    "after the launch": (BULK, f"'{SUPERVISOR}.client:SupervisorClient.launch', 'after'"),
    "before the table": (START, f"'{ENGINE}.runtime:Runtime._enter', 'before'"),
    "inside the table": (START, f"'{ENGINE}.table:_event', 'before', 10"),
    "after the table": (START, f"'{ENGINE}.runtime:Runtime._enter', 'after'"),
    "while a database is awaited": (database(1), "'smartsim_redis.startup:_await_answers', 'before'"),
    "before a cluster is formed": (database(3), "'smartsim_redis.startup:form_cluster', 'before'"),
    "while a cluster is formed": (database(3), "'smartsim_redis.cluster:Connection.command', 'after', 5"),
    "after a cluster is formed": (database(3), "'smartsim_redis.startup:form_cluster', 'after'"),
    "while a checkpoint is written": (database(1), f"'{ENGINE}.deploy:write_checkpoint', 'before'"),
    "when members follow the database": (database(1), f"'{ENGINE}.deploy:Databases._await', 'after'"),
    "while blocking": (START, f"'{ENGINE}.table:JobTable.wait_until_done', 'before'"),
    "when a stop begins": (STOP, f"'{ENGINE}.runtime:Runtime.stop', 'before'"),
    "while a stop waits": (
        STOP,
        f"'{SUPERVISOR}.link:Link.submit', 'after', 1, lambda link, request: request.asks()[0] == 'stop'",
    ),
    "after a stop": (STOP, f"'{ENGINE}.runtime:Runtime.stop', 'after'"),
    "when the experiment is closed": (STOP, f"'{ENGINE}.observers:Observers.close', 'before'"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_interrupt_in_every_phase(tmp_path: Path, phase: str) -> None:
    body, place = PHASES[phase]
    script = textwrap.dedent(INTERRUPT_AT) + f"interrupt_at({place})\n" + body.replace("PORT", str(free_ports(3)))
    driver = Driver(tmp_path, script)
    code = driver.end()
    assert "pressed\n" in driver.output, driver.output
    assert "KeyboardInterrupt" in driver.output, driver.output
    if phase != "when the experiment is closed":  # Python reports what is raised while it exits, and exits
        assert code == -signal.SIGINT, driver.output
    check_nothing_left(tmp_path)


def check_nothing_left(path: Path) -> None:
    wait_for(lambda: not supervisors(path), "the end of the supervisor")
    assert not marked(path)
    jobs = view(path).jobs.values()
    assert all(job.state.terminal for job in jobs)
    outputs = {job.text(stream) for job in jobs for stream in ("stdout", "stderr")}
    own = {str(path / ".smartsim/journal.jsonl")}
    written = {str(entry) for entry in path.rglob("*") if not entry.is_dir()}
    servers = str(path / "orchestrator")
    assert not [name for name in written - outputs - own if not name.startswith(servers)]


SWEEP = """
    import sys
    count, target = 0, {target}
    def look(frame, event, arg):
        global count
        count += 1
        if count == target:
            sys.setprofile(None)
            print("pressed", flush=True)
            signal.raise_signal(signal.SIGINT)
    members = sleepers(5), sh("single", "exec sleep 1000")
    sys.setprofile(look)
    exp.start(*members, block=False)
    sys.setprofile(None)
    print(count, flush=True)
    exp.stop(*members)
"""


def test_interrupt_at_any_function_call(tmp_path: Path) -> None:
    """Between the first and the last function call of a start, at points that are spread over it."""
    first = tmp_path / "first"
    first.mkdir()
    driver = Driver(first, SWEEP.format(target=0))
    calls = int(driver.line())
    assert driver.end() == 0
    for number in range(1, 9):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        driver = Driver(folder, SWEEP.format(target=calls * number // 9))
        assert driver.end() == -signal.SIGINT, driver.output
        assert "pressed" in driver.output
        check_nothing_left(folder)


@pytest.mark.parametrize("place", ["runtime:Runtime._enter", "table:JobTable.wait_until_done"])
def test_a_second_interrupt_forces(tmp_path: Path, place: str) -> None:
    """While the launch is being taken back, and while the handler stops what runs."""
    body = f"""
        interrupt_at("{ENGINE}.{place}", "before", 1, lambda *args: ready.wait() or True)
        ready = threading.Event()
        threading.Thread(target=lambda: sys.stdin.readline() and ready.set(), daemon=True).start()
        exp.start(sh("stubborn", "trap '' TERM; echo $$; while :; do sleep 1000; done"))
    """
    driver = Driver(tmp_path, textwrap.dedent(INTERRUPT_AT) + textwrap.dedent(body), SMARTSIM_STOP_GRACE="1000")
    (pid,) = words(tmp_path / "stubborn/stubborn.out", 1)
    driver.tell("go")
    assert driver.line() == "pressed\n"
    wait_for(lambda: any(job.rungs for job in view(tmp_path).jobs.values()), "the first rung")
    assert alive(int(pid))
    driver.interrupt()
    assert driver.end() == -signal.SIGINT
    assert not alive(int(pid))
    (job,) = view(tmp_path).jobs.values()
    assert job.returncode == -9


def test_a_driver_that_catches_the_interrupt_goes_on(tmp_path: Path) -> None:
    body = f"""
        interrupt_at("{ENGINE}.table:_event", "before", 10)
        members = sleepers(20)
        try:
            exp.start(members)
        except KeyboardInterrupt:
            print("caught", flush=True)
        exp.start(members, block=False)
        print(json.dumps([str(status) for status in exp.get_status(members)]), flush=True)
        exp.stop(members)
        other = sh("other", "exit 3")
        exp.start(other)
        print(json.dumps([str(status) for status in exp.get_status(members, other)]), flush=True)
    """
    driver = Driver(tmp_path, textwrap.dedent(INTERRUPT_AT) + textwrap.dedent(body))
    assert driver.line() == "pressed\n"
    assert driver.line() == "caught\n"
    assert json.loads(driver.line()) == ["Running"] * 20
    assert json.loads(driver.line()) == ["Failed"] + ["Cancelled"] * 20
    assert driver.end() == 0, driver.output
    check_nothing_left_but_runs(tmp_path, 20 + 20 + 1)


def check_nothing_left_but_runs(path: Path, count: int) -> None:
    wait_for(lambda: not supervisors(path), "the end of the supervisor")
    assert not marked(path)
    assert len(view(path).jobs) == count


# --- odd drivers ------------------------------------------------------------------------------------------------------


def test_two_experiments_in_one_folder(new_experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    one, two = new_experiment("one", tmp_path), new_experiment("two", tmp_path)
    first, second = sh(one, "model", "exec sleep 1000"), sh(two, "model", "exec sleep 1000")
    one.start(first, block=False)
    two.start(second, block=False)
    assert len(supervisors(tmp_path)) == 1
    one.stop(first)
    assert one.get_status(first) == [CANCELLED]
    assert two.get_status(second) == [RUNNING]
    two.stop(second)
    assert returncodes(one) == returncodes(two) == ["-15"]
    assert len({job.id for job in view(tmp_path).jobs.values()}) == 2


def test_an_experiment_that_is_dropped_lets_its_jobs_run(tmp_path: Path) -> None:
    exp = Experiment("exp", exp_path=str(tmp_path))
    model = sh(exp, "model", "exec sleep 1000")
    threads = threading.active_count()
    exp.start(model, block=False)
    del exp, model
    gc.collect()
    assert threading.active_count() == threads
    (pid,) = pids(tmp_path)
    assert alive(pid)
    assert smart(["teardown", str(tmp_path)]) == 0
    assert not alive(pid)


def _in_child(exp: Experiment, model: Model, answers: Any) -> None:
    answers.put([str(status) for status in exp.get_status(model)])
    try:
        exp.start(sh(exp, "forbidden", "true"))
    except SmartSimError as error:
        answers.put(str(error))
    else:
        answers.put("started")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_does_not_disturb_its_parent(exp: Experiment) -> None:
    model = sh(exp, "model", "exec sleep 1000")
    exp.start(model, block=False)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(exp, model, answers))
    child.start()
    assert answers.get() == ["Running"]
    assert "forked" in answers.get()
    child.join(30)
    assert child.exitcode == 0
    child.close()
    answers.close()
    assert exp.get_status(model) == [RUNNING]
    later = sh(exp, "later", "exit 4")
    exp.start(later, block=False)
    wait_for(lambda: exp.get_status(later) == [FAILED])
    exp.stop(model)
    assert exp.get_status(model) == [CANCELLED]


def test_a_fork_that_exits_as_scripts_do(tmp_path: Path) -> None:
    body = """
        model = sh("model", "exec sleep 1000")
        exp.start(model, block=False)
        pid = os.fork()
        if pid == 0:
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        print(json.dumps([str(status) for status in exp.get_status(model)]), flush=True)
        exp.stop(model)
        print(json.dumps([str(status) for status in exp.get_status(model)]), flush=True)
    """
    driver = Driver(tmp_path, body)
    assert json.loads(driver.line()) == ["Running"]
    assert json.loads(driver.line()) == ["Cancelled"]
    assert driver.end() == 0, driver.output


def test_start_from_another_thread(exp: Experiment) -> None:
    handler = signal.getsignal(signal.SIGINT)
    model = sh(exp, "model", "exit 3")
    errors: list[Exception] = []

    def run() -> None:
        try:
            exp.start(model)
        except Exception as error:  # noqa: BLE001 - whatever it is
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not errors
    assert exp.get_status(model) == [FAILED]
    assert signal.getsignal(signal.SIGINT) is handler


def test_starts_from_many_threads_at_once(exp: Experiment) -> None:
    models = [sh(exp, f"model{number}", f"exit {number}") for number in range(8)]
    threads = [threading.Thread(target=exp.start, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert exp.get_status(*models) == [COMPLETED] + [FAILED] * 7
    assert sorted(returncodes(exp)) == [str(number) for number in range(8)]


def test_a_driver_that_ignores_interrupts_is_not_interrupted(tmp_path: Path) -> None:
    """As one that a shell has started in the background."""
    body = """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        model = sh("model", "read x < go; exit 5")
        os.mkdir(model.path)
        os.mkfifo(model.path + "/go")
        exp.start(model, block=False)
        signal.raise_signal(signal.SIGINT)
        open(model.path + "/go", "w").write("\\n")
        exp.poll()
        print(exp.summary("plain").split()[-1], flush=True)
    """
    driver = Driver(tmp_path, body)
    assert driver.line() == "5\n"
    assert driver.end() == 0
