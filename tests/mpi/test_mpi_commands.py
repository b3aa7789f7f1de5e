"""The words that MPI settings print, given to the real ``mpirun`` and ``mpiexec`` of MPICH and Open MPI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smartsim.error import SSUnsupportedError
from smartsim.settings import MpiexecSettings, MpirunSettings, RunSettings
from smartsim.settings.flavours import HYDRA, OPEN_MPI
from smartsim.settings.mpi import mpi_argv
from smartsim.values import JobSpec

# Making the environments is part of the first test's time.
pytestmark = [pytest.mark.mpi, pytest.mark.timeout(900)]

Records = Callable[[subprocess.CompletedProcess[str]], list[str]]

FLAVOURS = {"mpich": HYDRA, "openmpi": OPEN_MPI}
# Lines that several ranks print at once may run into each other, so each program writes a file. All programs are in
# Python, because the mpirun of MPICH 5.0.2 may be ended by SIGPIPE when a program ends within a few milliseconds.
WRITE = "import os, pathlib, sys; write = pathlib.Path(os.environ['RECORDS'], str(os.getpid())).write_text"
RANKS = f"{WRITE}; from mpi4py import MPI; w = MPI.COMM_WORLD; write(f'rank {{w.rank}} of {{w.size}}')"
SHOW = f"{WRITE}; write(repr((os.getcwd(), [os.environ.get('A'), os.environ.get('B')], sys.argv[1:])))"


def spec_of(settings: RunSettings, cwd: Path) -> JobSpec:
    return JobSpec(
        name="m",
        argv=settings.command_words(str(cwd)),
        env=settings.environment(os.environ),
        cwd=str(cwd),
        stdout="/o",
        stderr="/e",
        options=settings.job_options(),
        mpmd=tuple(spec_of(part, cwd) for part in getattr(settings, "mpmd", ())),
    )


def run(argv: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)


def run_settings(settings: RunSettings, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run(mpi_argv(spec_of(settings, cwd)), cwd)


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """What the programs of a step that succeeded wrote, sorted."""
    folder = tmp_path / "records"
    folder.mkdir()
    monkeypatch.setenv("RECORDS", str(folder))

    def read(done: subprocess.CompletedProcess[str]) -> list[str]:
        assert done.returncode == 0, done.stderr
        return sorted(path.read_text() for path in folder.iterdir())

    return read


@pytest.mark.parametrize("kind", [MpirunSettings, MpiexecSettings])
def test_ranks_find_each_other(kind: type[MpirunSettings], mpi: str, tmp_path: Path, records: Records):
    settings = kind("python", ["-c", RANKS])
    settings.set_tasks(2)
    assert settings.flavour() is FLAVOURS[mpi]
    assert records(run_settings(settings, tmp_path)) == ["rank 0 of 2", "rank 1 of 2"]


# Setter, values, and whether each MPI takes the words as published.
OPTIONS: list[tuple[str, tuple[Any, ...], dict[str, bool]]] = [
    ("set_tasks", (1,), {"mpich": True, "openmpi": True}),
    ("set_tasks_per_node", (1,), {"mpich": False, "openmpi": True}),
    ("set_cpus_per_task", (1,), {"mpich": False, "openmpi": True}),
    ("set_cpu_binding_type", ("core",), {"mpich": True, "openmpi": True}),
    ("set_cpu_binding_type", ("none",), {"mpich": True, "openmpi": True}),
    ("set_task_map", ("core",), {"mpich": True, "openmpi": True}),
    ("set_task_map", ("slot",), {"mpich": True, "openmpi": True}),
    ("set_hostlist", ("localhost",), {"mpich": True, "openmpi": True}),
    ("set_hostlist_from_file", ("hosts",), {"mpich": True, "openmpi": True}),
    ("set_verbose_launch", (True,), {"mpich": True, "openmpi": True}),
    ("set_quiet_launch", (True,), {"mpich": False, "openmpi": False}),
    ("set_walltime", ("60",), {"mpich": False, "openmpi": True}),
    ("set_time", (0, 1), {"mpich": False, "openmpi": True}),
]


@pytest.mark.parametrize(("setter", "values", "published"), OPTIONS)
def test_every_option_is_taken_or_refused_before_the_launch(
    setter: str, values: tuple[Any, ...], published: dict[str, bool], mpi: str, tmp_path: Path, records: Records
):
    (tmp_path / "hosts").write_text("localhost\n")
    settings = MpirunSettings(sys.executable, ["-c", SHOW], {"n": 1})
    getattr(settings, setter)(*values)
    literal = [str(settings.run_command), *settings.format_run_args(), *settings.command_words(str(tmp_path))]
    as_published = run(literal, tmp_path)
    assert (as_published.returncode == 0) is published[mpi], as_published.stderr
    settings.env_vars = {"A": "ours"}
    try:
        argv = mpi_argv(spec_of(settings, tmp_path))
    except SSUnsupportedError:
        # Then it must be true that this MPI does not take it.
        assert not published[mpi]
    else:
        assert repr((str(tmp_path), ["ours", None], [])) in records(run(argv, tmp_path))


def test_copying_the_executable_is_refused_where_there_is_no_such_option(mpi: str):
    # Open MPI 5.0.11 has the option, but crashes with it; nothing of ours to test.
    settings = MpirunSettings("echo")
    settings.set_broadcast()
    if mpi == "mpich":
        with pytest.raises(SSUnsupportedError, match="file system"):
            settings.job_options()
    else:
        assert settings.job_options()["run_args"] == ["--preload-binary"]


def test_tasks_on_each_node(mpi: str, tmp_path: Path, records: Records):
    settings = MpirunSettings("python", ["-c", RANKS])
    settings.set_tasks(2)
    settings.set_tasks_per_node(2)
    assert records(run_settings(settings, tmp_path)) == ["rank 0 of 2", "rank 1 of 2"]


def test_folder_environment_and_words_arrive_as_they_are(mpi: str, tmp_path: Path, records: Records):
    folder = tmp_path / "a folder"
    folder.mkdir()
    words = ["two words", "", "$HOME", "*", "; echo no", "'\"", "--n", "a:b", "back\\slash"]
    env = {"A": "x y=z;$HOME,'\"", "B": ""}
    settings = MpirunSettings(sys.executable, ["-c", SHOW, *words], {"n": 1}, env)
    done = run(mpi_argv(spec_of(settings, folder)), tmp_path)
    assert records(done) == [repr((str(folder), [env["A"], env["B"]], words))]


def test_a_variable_without_a_value_is_passed_on(
    mpi: str, tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("A", "outer")
    settings = MpirunSettings(sys.executable, ["-c", SHOW], {"n": 1}, {"A": None, "B": None})
    assert records(run_settings(settings, tmp_path)) == [repr((str(tmp_path), ["outer", None], []))]


def test_several_programs_in_one_step(mpi: str, tmp_path: Path, records: Records):
    first = MpirunSettings("python", ["-c", RANKS], {"n": 1})
    second = MpirunSettings(
        "python", ["-c", f"{RANKS}; import os; print(os.environ['B'])"], {"n": 1}, {"B": "only here"}
    )
    first.make_mpmd(second)
    assert records(run_settings(first, tmp_path)) == ["rank 0 of 2", "rank 1 of 2"]


def test_each_program_of_a_step_has_its_own_values(mpi: str, tmp_path: Path, records: Records):
    # A variable that a later program does not set at all may still come from an earlier one: Open MPI does that.
    first = MpirunSettings(sys.executable, ["-c", SHOW, "1"], {"n": 1}, {"A": "1", "B": "x"})
    first.make_mpmd(MpirunSettings(sys.executable, ["-c", SHOW, "2"], {"n": 1}, {"A": "2", "B": ""}))
    assert records(run_settings(first, tmp_path)) == [
        repr((str(tmp_path), ["1", "x"], ["1"])),
        repr((str(tmp_path), ["2", ""], ["2"])),
    ]


def test_the_exit_code_is_the_programs(mpi: str, tmp_path: Path):
    settings = MpirunSettings(sys.executable, ["-c", "raise SystemExit(3)"], {"n": 1})
    assert run_settings(settings, tmp_path).returncode == 3


def test_a_time_limit_ends_the_step_and_is_no_success(mpi: str, tmp_path: Path):
    if mpi == "mpich":
        # What the error for set_walltime recommends. Its own variable MPIEXEC_TIMEOUT ends the step with exit code 0.
        settings = MpirunSettings("timeout", ["1", "sleep", "90"], {"n": 1})
    else:
        settings = MpirunSettings("sleep", ["90"], {"n": 1})
        settings.set_walltime("1")
    assert run_settings(settings, tmp_path).returncode != 0
