"""What a job gets, and what is told of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import smartsim
from smartsim.engine.supervisor.client import SupervisorClient
from smartsim.status import State
from supervised import Watch, read_view, wait_for


def test_exit_codes_and_signals(watch):
    watch.launch(
        watch.command("good", "/bin/true"),
        watch.command("bad", "sh", "-c", "exit 3"),
        watch.command("killed", "sh", "-c", "kill -9 $$"),
    )
    good, bad, killed = watch.wait("good", "bad", "killed")
    assert (good.returncode, good.reason, good.stopped) == (0, "", False)
    assert (bad.returncode, bad.reason) == (3, "exit code 3")
    assert (killed.returncode, killed.reason) == (-9, "ended by SIGKILL")
    assert good.usage.keys() == {"maxrss_kb", "utime", "stime"}


def test_journal_tells_the_same(watch):
    started = watch.run("bad", "sh", "-c", "exit 3", meta={"entity": "model", "run": 2, "group": "ens"})
    end = watch.end("bad")
    job = watch.view().jobs["bad"]
    assert job.record["pid"] == started.pid
    assert job.record["native_id"] == str(started.pid)
    assert job.record["argv"] == ["sh", "-c", "exit 3"]
    assert (job.text("entity"), job.number("run"), job.text("group")) == ("model", 2, "ens")
    assert (job.state, job.returncode, job.start, job.end) == (State.FAILED, 3, started.at, end.at)
    assert job.usage == end.usage


def test_environment_is_base_plus_own_plus_marks(watch):
    watch.launch(
        watch.command("env", "/usr/bin/env", "-0", env={"OWN": "1", "BOTH": "own"}),
        env={"BASE": "b", "BOTH": "base"},
    )
    watch.end("env")
    found = dict(item.split(b"=", 1) for item in watch.output("env").split(b"\0") if item)
    assert found == {
        b"BASE": b"b",
        b"BOTH": b"own",
        b"OWN": b"1",
        b"SMARTSIM_JOB": b"env",
        b"SMARTSIM_JOB_EXPERIMENT": os.fsencode(os.path.realpath(watch.exp)),
    }


def test_program_is_looked_for_on_its_own_path(watch, tmp_path):
    tool = tmp_path / "a tool"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    watch.run("tool", "a tool", env={"PATH": f"/nowhere:{tmp_path}"})
    watch.end("tool")
    assert watch.output("tool") == b"found\n"


def test_relative_program_starts_in_its_folder(watch):
    folder = watch.exp / "sub"
    folder.mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\npwd\n")
    (folder / "run.sh").chmod(0o755)
    watch.run("run", "./run.sh", cwd=str(folder))
    watch.end("run")
    assert watch.output("run") == os.fsencode(os.path.realpath(folder)) + b"\n"


def test_group_input_descriptors_and_signals(watch):
    """A job has its own process group, nothing to read, three descriptors, and no ignored signal."""
    watch.script(
        "job",
        "import os, sys\n"
        "with open('/proc/self/status') as status:\n"
        "    ignored = next(line for line in status if line.startswith('SigIgn')).split()[1]\n"
        "fds = sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1]\n"
        "print(os.getpid() == os.getpgid(0), repr(sys.stdin.read()), fds, int(ignored, 16) % 2**31)",
    )
    watch.end("job")
    # Python itself ignores SIGPIPE and SIGXFSZ; those from 32 on belong to the C library.
    ignored = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert watch.output("job").decode() == f"True '' [0, 1, 2] {ignored}\n"


def test_descriptors_of_the_driver_reach_nobody(exp):
    """A pipe that the driver left inheritable is not held open by the supervisor."""
    here, there = os.pipe()
    os.set_inheritable(there, True)
    watch = Watch(exp)
    watch.run("job", "sleep", "1000")
    os.close(there)
    assert os.read(here, 1) == b""
    os.close(here)
    watch.client.shutdown(0.0)


def test_bytes_that_are_not_utf8_pass(watch):
    word = os.fsdecode(b"caf\xe9 \xff\x01\n'\"")
    watch.run(
        "bytes", "/bin/sh", "-c", 'printf %s "$1"; printf %s "$X" >&2; printf "\\200"', "-", word, env={"X": word}
    )
    watch.end("bytes")
    assert watch.output("bytes") == os.fsencode(word) + b"\x80"
    assert (watch.exp / "bytes.err").read_bytes() == os.fsencode(word)
    assert watch.view().jobs["bytes"].record["argv"][-1] == word


def test_folder_that_is_not_utf8(tmp_path, exp):
    folder = exp / os.fsdecode(b"\xe9xp \xff")
    folder.mkdir()
    watch = Watch(folder)
    watch.run("job", "pwd")
    assert watch.end("job").returncode == 0
    assert watch.output("job") == os.fsencode(os.path.realpath(folder)) + b"\n"
    watch.client.close()


def test_standard_output_and_error_in_one_file(watch):
    both = str(watch.exp / "both.log")
    watch.run("both", "sh", "-c", "echo a; echo b >&2; echo c", stdout=both, stderr=both)
    watch.end("both")
    assert Path(both).read_text() == "a\nb\nc\n"


def test_earlier_output_is_kept(watch):
    out = str(watch.exp / "model.out")
    (watch.exp / "model.1.out").write_text("not ours")
    for k, word in enumerate(["first", "second", "third"]):
        watch.run(f"job-{k}", "echo", word, stdout=out)
        watch.end(f"job-{k}")
    found = {path.name: path.read_text() for path in watch.exp.glob("model*.out")}
    assert found == {
        "model.0.out": "first\n",
        "model.1.out": "not ours",
        "model.2.out": "second\n",
        "model.out": "third\n",
    }


def test_empty_output_is_used_again(watch):
    for k in range(2):
        watch.run(f"job-{k}", "/bin/true", stdout=str(watch.exp / "a.out"), stderr=str(watch.exp / "a.err"))
        watch.end(f"job-{k}")
    assert sorted(path.name for path in watch.exp.iterdir() if path.is_file()) == ["a.err", "a.out"]


def test_dangling_link_is_moved_away(watch):
    (watch.exp / "job.out").symlink_to("nowhere")
    watch.run("job", "echo", "here")
    watch.end("job")
    assert not (watch.exp / "job.out").is_symlink()
    assert watch.output("job") == b"here\n"
    assert (watch.exp / "job.0.out").is_symlink()


def test_output_to_a_full_device(watch):
    """The job sees the full disk; we report what it made of that."""
    watch.run("full", "sh", "-c", "echo text || exit 28", stdout="/dev/full")
    assert watch.end("full").returncode == 28


def broken(folder: Path) -> dict[str, tuple[dict[str, object], str]]:
    """Commands that cannot be started: changes of a good one, and what the error must say."""
    for name, text, mode in (
        ("plain", "#!/bin/sh\n", 0o644),
        ("noshebang", "\x7fnothing\n", 0o755),
        ("nointerpreter", "#!/nowhere/sh\n", 0o755),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    os.mkfifo(folder / "fifo")
    return {
        "missing": ({"argv": [str(folder / "missing")]}, "does not exist"),
        "not on PATH": ({"argv": ["no-such-program"]}, "not on PATH"),
        "not executable on PATH": ({"argv": ["plain"], "env": {"PATH": str(folder)}}, "chmod"),
        "no x bit": ({"argv": [str(folder / "plain")]}, "chmod"),
        "a folder": ({"argv": [str(folder)]}, "is a folder"),
        "no shebang": ({"argv": [str(folder / "noshebang")]}, "#!"),
        "no interpreter": ({"argv": [str(folder / "nointerpreter")]}, "interpreter"),
        "no words": ({"argv": []}, "argv is empty"),
        "empty program": ({"argv": [""]}, "is not on PATH"),
        "zero byte": ({"argv": ["/bin/echo", "a\0b"]}, "null byte"),
        "zero byte in a variable": ({"env": {"A": "a\0b"}}, "null byte"),
        "bad variable": ({"env": {"A=B": "c"}}, "environment variable name"),
        "number in a variable": ({"env": {"A": 1}}, "malformed"),
        "number in argv": ({"argv": ["/bin/echo", 1]}, "malformed"),
        "not JSON": ({"meta": {"a": {1, 2}}}, "JSON"),
        "too long": ({"argv": ["/bin/echo", "x" * 3_000_000]}, "too long"),
        "much too long": ({"argv": ["/bin/echo", "x" * 70_000_000]}, "too long"),
        "no folder": ({"cwd": str(folder / "nowhere")}, "cannot enter the folder"),
        "a file as folder": ({"cwd": str(folder / "plain")}, "cannot enter the folder"),
        "output nowhere": ({"stdout": str(folder / "nowhere" / "out")}, "cannot write output"),
        "error nowhere": ({"stderr": str(folder / "nowhere" / "err")}, "cannot write output"),
        "output is a folder": ({"stdout": str(folder)}, "cannot write output"),
        "output is a pipe": ({"stdout": str(folder / "fifo")}, "cannot write output"),
        "output name too long": ({"stdout": str(folder / ("x" * 300))}, "cannot write output"),
    }


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    return folder, broken(folder)


def test_what_cannot_be_started_leaves_nothing(watch, tools):
    _, cases = tools
    (watch.exp / "kept.out").write_text("earlier output")
    commands = [
        watch.command(name, **{"argv": ["/bin/true"], "stdout": str(watch.exp / "kept.out"), **changes})
        for name, (changes, _) in cases.items()
    ]
    started = watch.launch(watch.command("before", "/bin/true"), *commands, watch.command("after", "/bin/true"))
    for result in started[1:-1]:
        assert result.pid is None
        assert cases[result.id][1] in (result.error or ""), result
    assert started[0].error is None
    assert started[-1].error is None
    watch.wait("before", "after")
    assert set(watch.view().jobs) == {"before", "after"}
    assert (watch.exp / "kept.out").read_text() == "earlier output"
    names = {path.name for path in watch.exp.iterdir() if path.is_file()}
    assert names == {"kept.out", "before.out", "before.err", "after.out", "after.err"}


def test_bad_calls_are_refused_before_anything_happens(watch):
    twice = watch.command("a", "/bin/true")
    with pytest.raises(ValueError, match="one id"):
        watch.client.launch([twice, twice], {})
    with pytest.raises(TypeError, match="base_env"):
        watch.client.launch([twice], {"A": 1})
    assert watch.client.launch([], {}) == []
    assert watch.client.jobs() == []


def test_id_is_used_once(watch):
    watch.run("a", "/bin/true")
    watch.end("a")
    assert "before" in watch.run("a", "/bin/true").error


def test_snapshot_has_running_and_ended_jobs(watch):
    watch.run("short", "/bin/true")
    long = watch.run("long", "sleep", "1000")
    short = watch.end("short")
    found = watch.client.jobs()
    assert [(job.id, job.exited) for job in found] == [("short", short), ("long", None)]
    assert found[1].pid == long.pid


def test_many_jobs_in_one_call(watch):
    ids = [f"job-{k}" for k in range(1200)]
    started = watch.launch(*(watch.command(job, "/bin/sh", "-c", f"exit {k % 5}") for k, job in enumerate(ids)))
    assert [result.id for result in started] == ids
    assert [end.returncode for end in watch.wait(*ids)] == [k % 5 for k in range(1200)]
    jobs = watch.view().jobs
    assert [jobs[job].returncode for job in ids] == [k % 5 for k in range(1200)]


def test_supervisor_ends_with_its_last_client(exp):
    watch = Watch(exp)
    watch.run("job", "/bin/true")
    watch.end("job")
    watch.client.close()
    watch.client.close()
    assert read_view(exp).supervisors[0]["ended"] == "nothing left to do"
    assert watch.losses == []


def test_supervisor_without_jobs_ends_when_closed_at_once(exp):
    SupervisorClient.start(exp, lambda _: None, lambda _: None).close()
    assert "ended" in read_view(exp).supervisors[0]


def test_jobs_run_on_without_a_client(exp):
    watch = Watch(exp)
    os.mkfifo(exp / "fifo")
    watch.run("waits", "sh", "-c", "read line < fifo; exit 7", cwd=str(exp))
    watch.client.close()
    assert read_view(exp).jobs["waits"].state is State.RUNNING
    (exp / "fifo").write_text("go\n")
    wait_for(lambda: read_view(exp).supervisor is None, "the end of the supervisor")
    assert read_view(exp).jobs["waits"].returncode == 7


def test_supervisor_imports_little():
    """Its start is paid by every user: nothing of a third party, nothing heavy, nothing of the rest of the package."""
    code = (
        "import sys; sys.path.append(sys.argv[1]); before = set(sys.modules)\n"
        "import smartsim.engine.supervisor.server; print(*sorted(set(sys.modules) - before))"
    )
    root = Path(smartsim.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root)], capture_output=True, text=True, check=True
    )
    modules = run.stdout.split()
    names = {name.partition(".")[0] for name in modules}
    assert names - {"smartsim"} <= sys.stdlib_module_names
    assert not names & {"typing", "dataclasses", "inspect", "pathlib", "subprocess", "asyncio", "logging", "ctypes"}
    ours = [name for name in modules if name.startswith("smartsim")]
    assert [name for name in ours if not name.startswith("smartsim.engine.supervisor")] == [
        "smartsim",
        "smartsim.engine",
        "smartsim.status",
    ]
