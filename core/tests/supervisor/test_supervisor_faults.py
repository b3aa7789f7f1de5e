"""What the supervisor and its clients survive."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from smartsim.engine.supervisor import boot, journal, protocol, recovery, runtime_dir
from smartsim.engine.supervisor.client import SupervisorClient
from smartsim.error import LauncherError
from smartsim.status import State
from supervised import Watch, alive, marked, read_view, supervisors, wait_for


def kill_supervisor(watch: Watch) -> int:
    pid = watch.client.pid or wait_for(lambda: watch.client.pid, "the welcome")
    os.kill(pid, signal.SIGKILL)
    return pid


def connect(exp: Path) -> socket.socket:
    """A raw connection to the supervisor."""
    folder = runtime_dir.choose(os.path.realpath(exp), os.environ)
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{folder}/{runtime_dir.SOCKET}")
    sock.settimeout(20)
    return sock


def read_all(sock: socket.socket) -> bytes:
    data = b""
    try:
        while part := sock.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


# --- the supervisor is killed -----------------------------------------------------------------------------------------


def test_killed_supervisor_is_noticed_within_a_second(watch):
    started = watch.run("job", "sleep", "1000")
    begin = time.monotonic()
    pid = kill_supervisor(watch)
    reason = watch.wait_lost()
    assert time.monotonic() - begin < 1
    assert f"process {pid}" in reason
    assert "SIGKILL" in reason
    assert watch.client.lost == reason
    assert watch.exits == {}
    for call in (lambda: watch.run("b", "/bin/true"), watch.client.jobs, lambda: watch.client.stop(None, 1.0)):
        with pytest.raises(LauncherError, match="SIGKILL"):
            call()
    assert alive(started.pid)
    (record,) = recovery.inspect(watch.exp)
    assert (record.state, record.supervised, record.pid) == (State.RUNNING, False, started.pid)
    recovery.teardown(watch.exp, 5.0)
    assert not alive(started.pid)


def test_calls_that_wait_are_told_of_the_loss(watch):
    watch.script(
        "job", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(1000)"
    )
    watch.wait_output("job", b"1")
    errors: list[str] = []

    def stop() -> None:
        with pytest.raises(LauncherError) as error:
            watch.client.stop(None, 1000.0)
        errors.append(str(error.value))

    thread = threading.Thread(target=stop)
    thread.start()
    wait_for(lambda: watch.view().jobs["job"].rungs, "the first rung")
    kill_supervisor(watch)
    thread.join()
    assert "SIGKILL" in errors[0]
    recovery.teardown(watch.exp, 0.1)


def test_new_supervisor_after_the_old_one_was_killed(watch):
    watch.run("orphan", "sleep", "1000")
    kill_supervisor(watch)
    watch.wait_lost()
    second = Watch(watch.exp)
    second.run("job", "sh", "-c", "exit 2")
    assert second.end("job").returncode == 2
    second.client.close()
    found = {record.id: record for record in recovery.inspect(watch.exp)}
    assert found["job"].returncode == 2
    assert found["orphan"].state is State.RUNNING
    recovery.teardown(watch.exp, 5.0)


def test_end_that_nobody_saw_is_a_failure_without_a_code(watch):
    started = watch.run("job", "sleep", "1000")
    kill_supervisor(watch)
    watch.wait_lost()
    os.kill(started.pid, signal.SIGKILL)
    wait_for(lambda: not alive(started.pid), "the end of the job")
    (record,) = recovery.inspect(watch.exp)
    assert (record.state, record.returncode, record.end) == (State.FAILED, None, None)
    assert "not known" in record.reason
    assert read_view(watch.exp).jobs["job"].state is State.RUNNING  # looking changes nothing
    recovery.teardown(watch.exp, 1.0)
    assert read_view(watch.exp).jobs["job"].state is State.FAILED
    assert "ended" in read_view(watch.exp).supervisors[0]


def test_orphan_family_is_stopped_without_a_supervisor(watch):
    watch.script(
        "family",
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "print('ready', child.pid, flush=True); time.sleep(1000)",
    )
    watch.run("other", "sleep", "1000")
    child = int(watch.wait_output("family", b"\n").split()[1])
    kill_supervisor(watch)
    watch.wait_lost()
    (record,) = recovery.stop(watch.exp, ["family"], 5.0)
    assert (record.state, record.returncode) == (State.CANCELLED, None)
    assert not alive(child)
    assert [rung["action"] for rung in read_view(watch.exp).jobs["family"].rungs] == ["term"]
    states = {record.id: record.state for record in recovery.inspect(watch.exp)}
    assert states == {"family": State.CANCELLED, "other": State.RUNNING}
    assert recovery.stop(watch.exp, ["family"], 5.0) == [record]
    recovery.teardown(watch.exp, 5.0)


def test_supervisor_that_cannot_boot_says_why(exp, monkeypatch):
    monkeypatch.setattr(boot, "_CODE", "raise SystemError('no way')")
    watch = Watch(exp)
    with pytest.raises(LauncherError, match="no way"):
        watch.run("job", "/bin/true")
    assert "exit code 1" in watch.wait_lost()
    watch.client.close()


def test_missing_interpreter(exp, monkeypatch):
    for name in ("/nowhere/python", ""):
        monkeypatch.setattr(sys, "executable", name)
        with pytest.raises(LauncherError, match=r"sys\.executable"):
            Watch(exp)


# --- the driver goes --------------------------------------------------------------------------------------------------

DRIVER = """
import os, sys, time
from pathlib import Path
from supervised import Watch
watch = Watch(Path(sys.argv[1]))
watch.run("short", "sh", "-c", "read line < fifo; exit 5")
watch.run("long", "sleep", "1000")
print("ready", watch.client.pid, flush=True)
time.sleep(1000)
"""


def start_driver(exp: Path) -> subprocess.Popen[str]:
    os.mkfifo(exp / "fifo")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "tests" / "support")}
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(exp)], env=environ, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    assert driver.stdout.readline().startswith("ready")
    return driver


def test_jobs_outlive_a_killed_driver(exp):
    with start_driver(exp) as driver:
        driver.kill()
    assert {record.id: record.supervised for record in recovery.inspect(exp)} == {"short": True, "long": True}
    (exp / "fifo").write_text("go\n")
    wait_for(lambda: read_view(exp).jobs["short"].returncode == 5, "the exit code")
    (record,) = recovery.stop(exp, ["long"], 5.0)
    assert (record.state, record.returncode) == (State.CANCELLED, -15)
    wait_for(lambda: not supervisors(exp), "the end of the supervisor")


def test_next_driver_takes_over(exp):
    with start_driver(exp) as driver:
        driver.kill()
    watch = Watch(exp, SupervisorClient.attach)
    assert [job.id for job in watch.client.jobs()] == ["short", "long"]
    (exp / "fifo").write_text("go\n")
    assert watch.end("short").returncode == 5
    watch.client.shutdown(5.0)
    assert watch.end("long").stopped


def test_both_killed(exp):
    with start_driver(exp) as driver:
        (pid,) = supervisors(exp)
        os.kill(pid, signal.SIGKILL)
        driver.kill()
    wait_for(lambda: len(marked(exp)) == 2, "two orphans")
    states = {record.id: record.state for record in recovery.teardown(exp, 5.0)}
    assert states == {"short": State.CANCELLED, "long": State.CANCELLED}
    assert recovery.teardown(exp, 5.0) == recovery.inspect(exp)


def test_teardown_under_a_live_driver(watch):
    watch.run("job", "sleep", "1000")
    (record,) = recovery.teardown(watch.exp, 5.0)
    assert record.state is State.CANCELLED
    assert watch.end("job").stopped
    assert "shut down" in watch.wait_lost()


def test_teardown_of_a_supervisor_whose_socket_is_gone(watch):
    watch.run("job", "sleep", "1000")
    folder = runtime_dir.choose(os.path.realpath(watch.exp), os.environ)
    runtime_dir.remove(folder)
    assert recovery.inspect(watch.exp)[0].state is State.RUNNING
    (record,) = recovery.teardown(watch.exp, 5.0)
    assert (record.state, record.returncode) == (State.CANCELLED, -15)
    watch.wait_lost()


def test_nothing_to_recover(exp):
    assert recovery.inspect(exp) == []
    assert recovery.stop(exp, None, 1.0) == []
    assert recovery.teardown(exp, 1.0) == []
    assert SupervisorClient.attach(exp) is None
    assert list(exp.iterdir()) == []


def test_process_that_was_spawned_but_not_recorded_is_found(exp):
    """The supervisor can be killed between the two."""
    environ = {**os.environ, "SMARTSIM_JOB": "lost", "SMARTSIM_JOB_EXPERIMENT": os.path.realpath(exp)}
    with subprocess.Popen(["sleep", "1000"], env=environ) as process:
        recovery.teardown(exp, 5.0)
        assert process.wait() == -15


def write_journal(exp: Path, *lines: bytes) -> None:
    book = journal.Journal(journal.journal_path(str(exp)))
    assert book.write(lines)
    book.close()


def test_other_machine(exp):
    write_journal(
        exp,
        journal.line("supervisor", {"pid": 1, "host": "elsewhere", "socket": "/tmp/smartsim-1/s"}),
        journal.line("job", {"id": "job", "pid": os.getpid(), "host": "elsewhere", "supervisor": 1}),
    )
    (record,) = recovery.inspect(exp)
    assert record.state is State.UNKNOWN
    for call in (lambda: recovery.stop(exp, None, 1.0), lambda: recovery.teardown(exp, 1.0)):
        with pytest.raises(LauncherError, match="elsewhere"):
            call()
    watch = Watch(exp)  # a supervisor of its own on this machine
    watch.run("here", "/bin/true")
    watch.end("here")
    watch.client.close()


def test_pid_that_was_used_again_is_not_our_job(exp):
    here = os.uname().nodename
    created = recovery.processes.create_time(os.getpid())
    supervisor = {"pid": os.getpid(), "host": here, "boot": recovery.processes.boot_id(), "create_time": created - 1}
    old_boot = {**supervisor, "create_time": created, "boot": "another", "pid": os.getpid()}
    write_journal(
        exp,
        journal.line("supervisor", supervisor),
        journal.line("job", {"id": "a", "pid": os.getpid(), "create_time": created - 1, "host": here, "supervisor": 1}),
        journal.line("supervisor", old_boot),
        journal.line(
            "job", {"id": "b", "pid": os.getpid(), "create_time": created, "host": here, "supervisor": os.getpid()}
        ),
    )
    assert {record.state for record in recovery.inspect(exp)} == {State.FAILED}
    recovery.teardown(exp, 1.0)


def test_managed_jobs_are_left_to_their_scheduler(exp):
    write_journal(exp, journal.line("job", {"id": "batch", "managed": True, "native_id": "123"}))
    (record,) = recovery.teardown(exp, 1.0)
    assert (record.managed, record.state, record.native_id) == (True, State.QUEUED, "123")


# --- several clients --------------------------------------------------------------------------------------------------


def test_two_drivers_share_one_supervisor(watch):
    second = Watch(watch.exp)
    watch.run("a", "sh", "-c", "exit 1")
    second.run("b", "sh", "-c", "exit 2")
    for client in (watch, second):
        assert [end.returncode for end in client.wait("a", "b")] == [1, 2]
    assert second.client.pid == watch.client.pid
    second.client.close()
    assert watch.run("c", "/bin/true").error is None
    assert len(read_view(watch.exp).supervisors) == 1


def test_drivers_that_start_at_once_meet(exp):
    watches: list[Watch] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        watches.append(Watch(exp))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, watch in enumerate(watches):
        watch.run(f"job-{k}", "/bin/true")
    for watch in watches:
        watch.wait(*(f"job-{k}" for k in range(8)))
    for watch in watches:
        watch.client.close()
    assert len(read_view(exp).supervisors) == 1


def test_start_and_close_again_and_again(exp):
    """Each start meets the end of the one before."""
    for k in range(20):
        watch = Watch(exp)
        watch.run(f"job-{k}", "/bin/true")
        watch.client.close()
    wait_for(lambda: not supervisors(exp), "the end of the last supervisor")
    jobs = read_view(exp).jobs
    assert [job.returncode for job in jobs.values()] == [0] * 20


def test_others_are_served_while_a_client_launches_without_end(watch):
    second = Watch(watch.exp)
    enough = threading.Event()

    def launch() -> None:
        for k in itertools.count():
            if enough.is_set():
                return
            names = [f"many-{k}-{i}" for i in range(100)]
            second.launch(
                *(second.command(name, "/bin/true", stdout="/dev/null", stderr="/dev/null") for name in names)
            )

    thread = threading.Thread(target=launch)
    thread.start()
    wait_for(lambda: watch.view().jobs, "the first job")
    for k in range(5):
        watch.run(f"job-{k}", "sleep", "1000")
        (end,) = watch.client.stop([f"job-{k}"], 30.0)
        assert end.returncode == -signal.SIGTERM
    enough.set()
    thread.join()
    second.client.close()


# --- nonsense on the socket -------------------------------------------------------------------------------------------

GARBAGE = {
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "huge": struct.pack(">I", 2**32 - 1) + b"{}",
    "not json": struct.pack(">I", 4) + b"\xff\xff{}",
    "not an object": struct.pack(">I", 2) + b"[]",
    "deep": struct.pack(">I", 200_000) + b"[" * 200_000,
    "no op": protocol.encode({}),
    "no hello": protocol.encode({"op": "jobs", "req": 1}),
    "unhashable op": protocol.encode({"op": {}}),
}
BAD_MESSAGES = [
    {"op": "nonsense"},
    {"op": "launch"},
    {"op": "launch", "req": 1, "env": {"A": 1}},
    {"op": "launch", "req": 1, "env": 5},
    {"op": "launch", "req": None, "env": {}},
    {"op": "spawn", "req": 7, "commands": [], "last": True},
    {"op": "stop", "req": 1, "ids": 3, "grace": 1},
    {"op": "stop", "req": 1, "ids": [{}], "grace": 1},
    {"op": "stop", "req": 1, "ids": None, "grace": "x"},
    {"op": "jobs", "req": []},
]


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_costs_only_its_own_connection(watch, data):
    watch.run("job", "sleep", "1000")
    with connect(watch.exp) as sock:
        sock.sendall(data)
        answer = read_all(sock)
    assert b"welcome" not in answer
    assert b"refused" in answer
    assert watch.run("after", "/bin/true").error is None


@pytest.mark.parametrize("message", BAD_MESSAGES, ids=json.dumps)
def test_bad_message_after_a_good_hello(watch, message):
    watch.run("job", "sleep", "1000")
    with connect(watch.exp) as sock:
        hello = {"op": "hello", "version": protocol.VERSION, "experiment": os.path.realpath(watch.exp)}
        sock.sendall(protocol.encode(hello) + protocol.encode(message))
        answer = read_all(sock)
    assert b"welcome" in answer
    assert b"refused" in answer
    assert [job.exited for job in watch.client.jobs()] == [None]


def test_bad_commands_are_answered(watch):
    with connect(watch.exp) as sock:
        hello = {"op": "hello", "version": protocol.VERSION, "experiment": os.path.realpath(watch.exp)}
        launch = {"op": "launch", "req": 1, "env": {}}
        good = {"id": "a", "argv": ["/bin/true"], "env": {}, "cwd": "/", "stdout": "/dev/null", "stderr": "/dev/null"}
        commands = [{"id": "x"}, {**good, "meta": 5}, {**good, "meta": {}, "cwd": None}, {**good, "meta": {}, "env": 5}]
        spawn = {"op": "spawn", "req": 1, "commands": commands, "last": True}
        sock.sendall(b"".join(map(protocol.encode, (hello, launch, spawn, {"op": "detach"}))))
        sock.shutdown(socket.SHUT_WR)
        answers = list(protocol.Decoder().feed(read_all(sock)))
    assert answers[0]["event"] == "welcome"
    assert watch.client.jobs() == []


def test_client_that_leaves_in_the_middle_of_a_frame(watch):
    watch.run("job", "sleep", "1000")
    with connect(watch.exp) as sock:
        sock.sendall(protocol.encode({"op": "hello"})[:-3])
    assert watch.run("after", "/bin/true").error is None


def test_client_that_does_not_read(watch):
    with connect(watch.exp) as sock:
        hello = {"op": "hello", "version": protocol.VERSION, "experiment": os.path.realpath(watch.exp)}
        sock.sendall(protocol.encode(hello))
        question = protocol.encode({"op": "jobs", "req": 1})
        watch.launch(*(watch.command(f"job-{k}", "/bin/true") for k in range(50)))
        sock.sendall(question * 200)
        watch.wait(*(f"job-{k}" for k in range(50)))
        assert len(watch.client.jobs()) == 50


def test_other_version_is_refused(watch, monkeypatch):
    watch.run("job", "sleep", "1000")
    monkeypatch.setattr(protocol, "VERSION", 99)
    for connect_client in (Watch, SupervisorClient.attach):
        with pytest.raises(LauncherError, match="version 99"):
            connect_client(watch.exp)


# --- the journal cannot be written ------------------------------------------------------------------------------------


@pytest.fixture
def small_files(exp):
    """The supervisor that is started in the test can write only few bytes to a file; returns a way to lift that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield lambda pid: resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_loses_no_exit_code(exp, small_files):
    watch = Watch(exp)
    ids = [f"job-{k}" for k in range(30)]
    watch.launch(*(watch.command(job, "/bin/sh", "-c", f"exit {k}") for k, job in enumerate(ids)))
    assert [end.returncode for end in watch.wait(*ids)] == list(range(30))
    path = Path(journal.journal_path(exp))
    assert path.stat().st_size == 2000
    assert [job.exited.returncode for job in watch.client.jobs()] == list(range(30))
    # Somebody made room: the next event brings everything into the journal.
    small_files(watch.client.pid)
    watch.run("last", "/bin/true")
    watch.end("last")
    view = read_view(exp)
    assert [view.jobs[job].returncode for job in ids] == list(range(30))
    watch.client.close()


def test_supervisor_waits_for_room_before_it_ends(exp, small_files):
    watch = Watch(exp)
    ids = [f"job-{k}" for k in range(30)]
    watch.launch(*(watch.command(job, "/bin/sh", "-c", f"exit {k}") for k, job in enumerate(ids)))
    watch.wait(*ids)
    pid = watch.client.pid
    watch.client.close()
    assert alive(pid)
    small_files(pid)
    wait_for(lambda: not alive(pid), "the end of the supervisor")
    view = read_view(exp)
    assert [view.jobs[job].returncode for job in ids] == list(range(30))
    assert view.supervisor is None


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LauncherError, match=r"cannot write the journal .*journal\.jsonl"):
        Watch(tmp_path / "file")


def test_no_place_for_the_socket(exp, monkeypatch):
    monkeypatch.setattr(runtime_dir, "candidates", lambda *_: [])
    with pytest.raises(LauncherError, match="TMPDIR"):
        Watch(exp)


def test_socket_folder_that_others_may_enter(exp):
    folder = Path(runtime_dir.choose(os.path.realpath(exp), os.environ))
    folder.mkdir(mode=0o755)
    with pytest.raises(LauncherError, match="not private"):
        Watch(exp)
    folder.rmdir()


def test_long_base_folders_are_passed_over(tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    environ = {"XDG_RUNTIME_DIR": str(long), "TMPDIR": "relative"}
    assert runtime_dir.choose("/exp", environ).startswith("/tmp/smartsim-")


# --- interrupts and forks ---------------------------------------------------------------------------------------------


def test_interrupt_while_a_launch_waits(watch):
    """Ctrl-C in the middle of a call; the connection is as good as before, and everything can be stopped."""
    commands = [watch.command(f"job-{k}", "sleep", "1000") for k in range(400)]

    def interrupt() -> None:
        wait_for(lambda: watch.view().jobs, "the first job")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def launch() -> None:
        watch.launch(*commands)
        signal.pause()  # should the interrupt come late

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        launch()
    thread.join()
    watch.client.stop(None, 5.0)
    assert all(job.exited is not None for job in watch.client.jobs())
    assert watch.run("after", "/bin/true").error is None


def test_signal_handler_may_stop_while_a_call_waits(watch):
    """A handler that stops everything while the interrupted main thread waits in a stop of its own."""
    watch.script(
        "job", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(1000)"
    )
    watch.wait_output("job", b"1")
    ends = []
    before = signal.signal(signal.SIGUSR1, lambda *_: ends.extend(watch.client.stop(None, 0.0)))

    def send() -> None:
        wait_for(lambda: watch.view().jobs["job"].rungs, "the first rung")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    assert watch.client.stop(None, 1000.0) == ends
    thread.join()
    signal.signal(signal.SIGUSR1, before)
    assert ends[0].returncode == -signal.SIGKILL


def test_forked_process_leaves_the_connection_alone(watch):
    watch.run("job", "sleep", "1000")
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            watch.client.stop(None, 0.0)
        except LauncherError as error:
            os.write(there, str(error).encode())
        watch.client.close()
        os._exit(0)
    os.close(there)
    assert b"forked" in os.read(here, 1000)
    os.close(here)
    os.waitpid(pid, 0)
    assert watch.losses == []
    assert watch.run("after", "/bin/true").error is None


def test_forked_process_does_not_keep_the_supervisor_alive(exp):
    watch = Watch(exp)
    watch.run("job", "/bin/true")
    watch.end("job")
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(here, 1)
        os._exit(0)
    watch.client.close()
    assert not supervisors(exp)
    os.write(there, b"x")
    os.waitpid(pid, 0)
    os.close(here)
    os.close(there)


def test_callbacks_must_not_call_back(exp):
    errors = []

    def on_exit(_):
        for call in (client.jobs, client.close):
            with pytest.raises(LauncherError) as error:
                call()
            errors.append(str(error.value))
        raise RuntimeError("a fault of the listener")

    client = SupervisorClient.start(exp, on_exit, errors.append)
    client.launch([Watch.command(SimpleNamespace(exp=exp), "job", "/bin/true")], {})
    wait_for(lambda: len(errors) == 2, "the callback")
    assert [job.id for job in client.jobs()] == ["job"]
    client.close()


def test_calls_after_close(watch):
    watch.client.close()
    with pytest.raises(LauncherError, match="closed"):
        watch.run("job", "/bin/true")
