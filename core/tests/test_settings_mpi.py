"""Settings of MPI's launch commands, with stand-ins on PATH; `tests/mpi` runs the real ones."""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from smartsim.error import LauncherError, SSUnsupportedError
from smartsim.settings import MpiexecSettings, MpirunSettings, OrterunSettings, RunSettings, Singularity
from smartsim.settings.flavours import AS_PUBLISHED, HYDRA, OPEN_MPI, flavour_named, output_of
from smartsim.settings.mpi import _BaseMPISettings, mpi_argv
from smartsim.values import JobSpec, Resources

CLASSES = {"mpirun": MpirunSettings, "mpiexec": MpiexecSettings, "orterun": OrterunSettings}
MPICH = "HYDRA build details:\n    Version:   5.0.2"
ANSWERS = {
    "Open MPI 5": ("mpirun (Open MPI) 5.0.11", OPEN_MPI),
    "Open MPI 10": ("mpirun (Open MPI) 10.0.0", OPEN_MPI),
    "Open MPI 4": ("mpirun (Open MPI) 4.1.6", AS_PUBLISHED),
    "MPICH": (MPICH, HYDRA),
    "Intel": ("Intel(R) MPI Library for Linux* OS, Version 2021.9", HYDRA),
    "unknown": ("some launcher 1.0", AS_PUBLISHED),
    "silent": ("", AS_PUBLISHED),
}

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a launch command on PATH that prints a text, whatever it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(name: str, answer: str = "mpirun (Open MPI) 4.1.6") -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\necho {shlex.quote(answer)}\n")
        path.chmod(0o755)
        return path

    return put


@pytest.fixture(params=CLASSES)
def made(request: pytest.FixtureRequest, install: Install) -> _BaseMPISettings:
    install(request.param)
    return CLASSES[request.param]("echo")


# --- construction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", CLASSES)
def test_construction(command: str, install: Install):
    path = install(command)
    made = CLASSES[command]("echo", ["a b"], {"n": 2}, {"K": "V"})
    assert made.run_command == str(path)
    assert (made.exe_args, made.run_args, made.env_vars) == (["a b"], {"n": 2}, {"K": "V"})
    assert (made.mpmd, made.affinity_script, made.reserved_run_args) == ([], [], {"wd", "wdir"})
    assert isinstance(made, _BaseMPISettings)
    assert isinstance(made, RunSettings)


def test_the_base_class_takes_any_run_command(install: Install):
    path = install("mympirun")
    made = _BaseMPISettings("echo", "a", "mympirun", {"n": 1})
    assert (made.run_command, made.exe_args, made.run_args) == (str(path), ["a"], {"n": 1})


@pytest.mark.parametrize("command", CLASSES)
def test_a_missing_command(command: str, install: Install, caplog: pytest.LogCaptureFixture):
    with pytest.raises(LauncherError, match=f"{command} is not on PATH: load the module"):
        CLASSES[command]("echo")
    made = CLASSES[command]("echo", fail_if_missing_exec=False)
    assert made.run_command == command
    assert f"{command} is not on PATH" in caplog.text
    assert made.job_options()["flavour"] == AS_PUBLISHED.name


def test_an_mpiexec_that_is_a_schedulers_is_refused(install: Install):
    install("mpiexec", "Usage: mpiexec.slurm args executable pgmargs")
    with pytest.raises(SSUnsupportedError, match="use run_command='srun'"):
        MpiexecSettings("echo")
    install("mpirun", "Usage: mpiexec.slurm")
    assert MpirunSettings("echo").run_args == {}


# --- setters ---------------------------------------------------------------------------------------------------------

SETTERS: list[tuple[str, tuple[Any, ...], dict[str, Any], list[str]]] = [
    ("set_tasks", (4,), {"n": 4}, ["--n", "4"]),
    ("set_tasks", ("4",), {"n": 4}, ["--n", "4"]),
    ("set_tasks_per_node", (2,), {"npernode": 2}, ["--npernode", "2"]),
    ("set_cpus_per_task", (3,), {"cpus-per-proc": 3}, ["--cpus-per-proc", "3"]),
    ("set_cpu_binding_type", ("core",), {"bind-to": "core"}, ["--bind-to", "core"]),
    ("set_task_map", ("node:PE=2",), {"map-by": "node:PE=2"}, ["--map-by", "node:PE=2"]),
    ("set_hostlist", (" a ",), {"host": "a"}, ["--host", "a"]),
    ("set_hostlist", (["a", "b"],), {"host": "a,b"}, ["--host", "a,b"]),
    ("set_hostlist_from_file", ("/my hosts",), {"hostfile": "/my hosts"}, ["--hostfile", "/my hosts"]),
    ("set_hostlist_from_file", (Path("/h"),), {"hostfile": "/h"}, ["--hostfile", "/h"]),
    ("set_verbose_launch", (True,), {"verbose": None}, ["--verbose"]),
    ("set_verbose_launch", (False,), {}, []),
    ("set_quiet_launch", (True,), {"quiet": None}, ["--quiet"]),
    ("set_quiet_launch", (False,), {}, []),
    ("set_broadcast", (), {"preload-binary": None}, ["--preload-binary"]),
    ("set_walltime", ("120",), {"timeout": "120"}, ["--timeout", "120"]),
    ("set_walltime", (120,), {"timeout": "120"}, ["--timeout", "120"]),
    ("set_time", (0, 2), {"timeout": "120"}, ["--timeout", "120"]),
    ("set_time", (25, 0, 1), {"timeout": "90001"}, ["--timeout", "90001"]),
    ("set", ("--oversubscribe",), {"oversubscribe": None}, ["--oversubscribe"]),
    ("set", ("mca", "btl ^openib"), {"mca": "btl ^openib"}, ["--mca", "btl ^openib"]),
]


@pytest.mark.parametrize(("setter", "values", "stored", "printed"), SETTERS)
def test_setters(
    setter: str, values: tuple[Any, ...], stored: dict[str, Any], printed: list[str], made: _BaseMPISettings
):
    getattr(made, setter)(*values)
    assert made.run_args == stored
    assert made.format_run_args() == printed


@pytest.mark.parametrize("name", ["verbose", "quiet"])
def test_switches_can_be_taken_back(name: str, made: _BaseMPISettings):
    switch = getattr(made, f"set_{name}_launch")
    switch(True)
    assert made.run_args == {name: None}
    switch(False)
    assert made.run_args == {}


REFUSED: list[tuple[str, Any, type[Exception]]] = [
    *[
        (setter, value, TypeError)
        for setter in ("set_tasks", "set_tasks_per_node", "set_cpus_per_task")
        for value in (None, True, [1])
    ],
    *[
        (setter, value, ValueError)
        for setter in ("set_tasks", "set_tasks_per_node", "set_cpus_per_task")
        for value in (0, -1, 1.5, "two", "")
    ],
    *[("set_hostlist", value, TypeError) for value in (None, 5, ["a", 5], ("a",), {"a"})],
    *[("set_hostlist", value, ValueError) for value in ([], "", ["a", ""], "a b", ["a\n"])],
    *[(setter, 5, TypeError) for setter in ("set_cpu_binding_type", "set_task_map", "set_hostlist_from_file")],
    ("set_task_map", "a\0", ValueError),
    ("set_walltime", None, TypeError),
    ("set_walltime", "", ValueError),
    ("set_walltime", -5, ValueError),
]


@pytest.mark.parametrize(("setter", "value", "error"), REFUSED)
def test_setters_refuse(setter: str, value: Any, error: type[Exception], install: Install):
    install("mpirun")
    made = MpirunSettings("echo", run_args={"kept": "1"})
    with pytest.raises(error):
        getattr(made, setter)(value)
    assert made.run_args == {"kept": "1"}


@pytest.mark.parametrize(
    ("setter", "value"),
    [
        ("set_nodes", 2),
        ("set_cpu_bindings", [1]),
        ("set_memory_per_node", 100),
        ("set_excluded_hosts", "a"),
        ("set_node_feature", "gpu"),
        ("set_binding", "none"),
    ],
)
def test_what_mpi_does_not_have_is_a_warning(
    setter: str, value: Any, made: _BaseMPISettings, caplog: pytest.LogCaptureFixture
):
    getattr(made, setter)(value)
    assert made.run_args == {}
    assert f"{setter} not implemented for this RunSettings type" in caplog.text


def test_a_broadcast_to_a_place_is_a_warning(made: _BaseMPISettings, caplog: pytest.LogCaptureFixture):
    made.set_broadcast("/tmp/here")
    assert made.run_args == {"preload-binary": None}
    assert "/tmp/here" in caplog.text


@pytest.mark.parametrize("name", ["wd", "wdir", "--wdir"])
def test_the_working_directory_belongs_to_smartsim(name: str, made: _BaseMPISettings, caplog: pytest.LogCaptureFixture):
    made.set(name, "/tmp")
    assert made.run_args == {}
    assert "is not set" in caplog.text
    made.run_args = {name: "/tmp", "n": 1}
    assert made.format_run_args() == ["--n", "1"]


def test_an_option_keeps_the_number_zero(made: _BaseMPISettings):
    made.run_args = {"np": 0, "flag": None, "empty": ""}
    assert made.format_run_args() == ["--np", "0", "--flag", "--empty"]


def test_environment(made: _BaseMPISettings):
    made.env_vars = {"A": "1", "B": None, "C": "", "D": "x y=z"}
    assert made.format_env_vars() == ["-x", "A=1", "-x", "B", "-x", "C", "-x", "D=x y=z"]
    outer = {"A": "outer", "B": "outer"}
    assert made.environment(outer) == {"A": "1", "B": "outer", "C": "", "D": "x y=z"}
    assert made.environment({}) == {"A": "1", "C": "", "D": "x y=z"}


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        ({}, Resources()),
        ({"n": 4, "npernode": 2, "cpus-per-proc": 3}, Resources(tasks=4, tasks_per_node=2, cpus_per_task=3)),
        ({"np": "4", "N": "2"}, Resources(tasks=4, tasks_per_node=2)),
        ({"host": "a,b", "timeout": "60"}, Resources(hosts=("a", "b"), walltime=60)),
        ({"np": "many", "timeout": "later"}, Resources()),
    ],
)
def test_resources(args: dict[str, Any], asked: Resources, made: _BaseMPISettings):
    made.run_args = args
    assert made.resources() == asked


# --- several programs ------------------------------------------------------------------------------------------------


def test_make_mpmd(made: _BaseMPISettings):
    second, third = type(made)("printf"), RunSettings("true")
    made.make_mpmd(second)
    made.make_mpmd(third)
    assert made.mpmd == [second, third]


def test_make_mpmd_refuses(made: _BaseMPISettings):
    for wrong in ("echo", None, {}):
        with pytest.raises(TypeError, match="must be a RunSettings"):
            made.make_mpmd(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="another, single program"):
        made.make_mpmd(made)
    several = type(made)("echo")
    several.make_mpmd(type(made)("echo"))
    with pytest.raises(ValueError, match="another, single program"):
        made.make_mpmd(several)
    colocated = type(made)("echo")
    colocated.colocated_db_settings = {"port": 1}
    with pytest.raises(SSUnsupportedError, match="colocated"):
        made.make_mpmd(colocated)
    with pytest.raises(SSUnsupportedError, match="colocated"):
        colocated.make_mpmd(made)
    assert made.mpmd == colocated.mpmd == []


# --- which MPI it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ANSWERS)
def test_flavours_are_told_apart(answer: str, install: Install):
    text, flavour = ANSWERS[answer]
    install("mpirun", text)
    assert MpirunSettings("echo").flavour() == flavour
    assert MpirunSettings("echo").job_options()["flavour"] == flavour.name
    assert flavour_named(flavour.name) == flavour


def test_a_replaced_command_is_asked_again(install: Install):
    path = install("mpirun", MPICH)
    assert MpirunSettings("echo").flavour() == HYDRA
    install("mpirun", "mpirun (Open MPI) 5.0.1")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    assert MpirunSettings("echo").flavour() == OPEN_MPI


def test_a_command_that_cannot_be_asked_counts_as_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    broken = tmp_path / "mpirun"
    broken.write_text("no program")
    broken.chmod(0o755)
    with caplog.at_level(logging.DEBUG):
        assert output_of(str(broken), "--version") == ""
    assert output_of(str(tmp_path / "gone"), "--version") == ""


def test_options_as_published_whatever_the_mpi(install: Install):
    for answer, _ in ANSWERS.values():
        install("mpirun", answer)
        made = MpirunSettings("echo", run_args={"n": 2, "npernode": 1, "quiet": None}, env_vars={"A": "1"})
        assert made.format_run_args() == ["--n", "2", "--npernode", "1", "--quiet"]
        assert made.format_env_vars() == ["-x", "A=1"]


@pytest.mark.parametrize(
    ("answer", "spoken"),
    [
        ("Open MPI 4", ["--n", "2", "--npernode", "1", "--quiet", "--own", "x"]),
        ("Open MPI 5", ["--n", "2", "--npernode", "1", "--own", "x"]),
        ("MPICH", ["--n", "2", "--ppn", "1", "--own", "x"]),
    ],
)
def test_job_options_speak_the_language_of_the_mpi(answer: str, spoken: list[str], install: Install):
    path = install("mpirun", ANSWERS[answer][0])
    made = MpirunSettings("echo", run_args={"n": 2, "npernode": 1, "quiet": None, "own": "x", "wdir": "/tmp"})
    options = made.job_options()
    assert json.loads(json.dumps(options)) == {
        "settings": "MpirunSettings",
        "run_command": str(path),
        "run_args": spoken,
        "family": "mpi",
        "flavour": ANSWERS[answer][1].name,
    }
    assert list(made.run_args) == ["n", "npernode", "quiet", "own", "wdir"]


@pytest.mark.parametrize(
    ("setter", "value", "remedy"),
    [
        ("set_walltime", "60", "exe='timeout'"),
        ("set_cpus_per_task", 2, "set_cpu_binding_type"),
        ("set_broadcast", None, "file system"),
    ],
)
def test_what_an_mpi_lacks_is_an_error_with_a_remedy(setter: str, value: Any, remedy: str, install: Install):
    install("mpirun", MPICH)
    made = MpirunSettings("echo")
    getattr(made, setter)(value)
    with pytest.raises(SSUnsupportedError, match=f"MPICH has no option --.*{remedy}"):
        made.job_options()


# --- the command -----------------------------------------------------------------------------------------------------


def spec_of(settings: RunSettings, mpmd: tuple[JobSpec, ...] = ()) -> JobSpec:
    return JobSpec(
        name="m",
        argv=settings.command_words("/work dir"),
        env=settings.environment({}),
        cwd="/work dir",
        stdout="/o",
        stderr="/e",
        options=settings.job_options(),
        mpmd=mpmd,
    )


@pytest.mark.parametrize(("answer", "env"), [("Open MPI 4", ["-x", "A=b c"]), ("MPICH", ["-env", "A", "b c"])])
def test_the_command_of_one_program(answer: str, env: list[str], install: Install):
    path = install("mpirun", ANSWERS[answer][0])
    made = MpirunSettings("/bin/echo", ["x y"], {"n": 2}, {"A": "b c"})
    expected = [str(path), "--wdir", "/work dir", *env, "--n", "2", "/bin/echo", "x y"]
    assert mpi_argv(spec_of(made)) == expected
    assert mpi_argv(spec_of(made), lambda env: [f"--{name}" for name in env]) == [
        *expected[:3],
        "--A",
        *expected[3 + len(env) :],
    ]


def test_the_command_of_several_programs(install: Install):
    path = install("mpirun")
    first = MpirunSettings("/bin/echo", "a", {"n": 1}, {"A": "1"})
    second = MpirunSettings("/bin/true", None, {"n": 2}, {"B": "2"})
    assert mpi_argv(spec_of(first, (spec_of(second),))) == [
        *[str(path), "--wdir", "/work dir", "-x", "A=1", "--n", "1", "/bin/echo", "a"],
        *[":", "--wdir", "/work dir", "-x", "B=2", "--n", "2", "/bin/true"],
    ]


def test_a_container_goes_between_options_and_executable(install: Install):
    install("mpirun")
    made = MpirunSettings("app", "a", container=Singularity("i.sif", working_directory="/w", mount="/w"))
    assert made.command_words("/cwd")[1:] == ["exec", "--pwd", "/w", "--bind", "/w", "i.sif", "app", "a"]


def test_a_lone_colon_among_the_arguments_is_refused(made: _BaseMPISettings):
    made.exe_args = ["a", ":", "b"]
    with pytest.raises(ValueError, match="separates programs"):
        made.command_words("/")
    made.exe_args = ["a:", "::", " :"]
    assert made.command_words("/")[1:] == ["a:", "::", " :"]


words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(names, st.none() | words | st.integers()),
    st.lists(words.filter(lambda word: word != ":")),
    st.dictionaries(names, words),
)
def test_whatever_is_given_stays_one_word_each(
    install: Install, options: dict[str, Any], args: list[str], env: dict[str, str]
):
    install("mpirun")
    made = MpirunSettings("/bin/echo", args, options, env)
    argv = mpi_argv(spec_of(made))
    assert shlex.split(shlex.join(argv)) == argv
    assert argv[-len(args) - 1 :] == ["/bin/echo", *args]
    kept = {name: value for name, value in options.items() if name not in made.reserved_run_args}
    assert made.format_run_args() == [
        word
        for name, value in kept.items()
        for word in ([f"--{name}"] if value is None or value == "" else [f"--{name}", str(value)])
    ]
