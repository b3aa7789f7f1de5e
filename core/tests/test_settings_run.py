"""`RunSettings`: what is stored, what is printed, what is refused."""

from __future__ import annotations

import copy
import json
import logging
import os
import shlex
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.error import SmartSimError
from smartsim.settings import RunSettings, SettingsBase, Singularity, select_run_command
from smartsim.settings import checks as checks_module
from smartsim.settings.words import count_of, hosts_of, joined_options, seconds_of, spaced_options
from smartsim.values import JobSpec, Resources, from_json, to_json

ECHO = shutil.which("echo")
words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
scalars = st.none() | words | st.integers() | st.floats(allow_nan=False)


def settings(**kwargs: Any) -> RunSettings:
    return RunSettings("echo", **kwargs)


# --- the executable --------------------------------------------------------------------------------------------------


def test_an_executable_on_path_becomes_absolute():
    assert settings().exe == [ECHO]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "job.sh"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("spelling", ["job.sh", "./job.sh", "../{folder}/job.sh", "{absolute}"])
def test_an_executable_is_found_by_any_path(spelling: str, script: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(script.parent)
    exe = spelling.format(folder=script.parent.name, absolute=script)
    assert RunSettings(exe).exe == [str(script)]


def test_an_executable_may_be_a_path_object_and_start_with_a_tilde(script: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(script.parent))
    assert RunSettings(script).exe == [str(script)]  # type: ignore[arg-type]
    assert RunSettings("~/job.sh").exe == [str(script)]


def test_a_symbolic_link_stays_as_it_is(script: Path):
    link = script.parent / "link"
    link.symlink_to(script)
    assert RunSettings(str(link)).exe == [str(link)]


@pytest.mark.parametrize(
    ("exe", "error", "says"),
    [
        ("no-such-program", FileNotFoundError, "'no-such-program' is neither on PATH nor in the current folder"),
        ("/no/such/program", FileNotFoundError, "'/no/such/program' does not exist"),
        ("echo hello", FileNotFoundError, "arguments belong into exe_args"),
        ("", FileNotFoundError, "exe ''"),
        ("~no-such-user/program", FileNotFoundError, "does not exist"),
        ("x" * 10_000, FileNotFoundError, "(10000 characters)"),
        ("/" + "x" * 10_000, FileNotFoundError, "does not exist"),
        ("/tmp", FileNotFoundError, "is a folder"),
        ("plain.txt", TypeError, "chmod"),
        ("./plain.txt", TypeError, "chmod"),
        ("ec\0ho", ValueError, "NUL"),
        (None, TypeError, "exe must be a str"),
        (5, TypeError, "exe must be a str"),
        (["echo"], TypeError, "exe must be a str"),
        (b"echo", TypeError, "exe must be a str"),
    ],
)
def test_a_wrong_executable_is_refused(
    exe: Any, error: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("plain.txt").write_text("text")
    with pytest.raises(error) as caught:
        RunSettings(exe)
    assert says in str(caught.value)


def test_in_a_container_the_executable_is_not_looked_up():
    assert RunSettings("/only/inside", container=Singularity("image.sif")).exe == ["/only/inside"]


# --- arguments of the executable -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_args", "stored"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("a b", ["a", "b"]),
        ("  a\tb\n c ", ["a", "b", "c"]),
        (["a b", ""], ["a b", ""]),
        (["$HOME", "*", "; rm -rf /"], ["$HOME", "*", "; rm -rf /"]),
        (["x" * 10_000], ["x" * 10_000]),
    ],
)
def test_arguments_become_words(given_args: Any, stored: list[str]):
    made = settings(exe_args=given_args)
    assert made.exe_args == stored
    assert made.command_words("/any") == [ECHO, *stored]
    assert settings(exec_args=given_args).exe_args == stored


@pytest.mark.parametrize("wrong", [5, True, 0, {"a": 1}, ("a", "b"), [1], ["a", None], [["a"]], b"a"])
def test_arguments_of_another_type_are_refused(wrong: Any):
    with pytest.raises(TypeError, match="exe_args must be"):
        settings(exe_args=wrong)
    with pytest.raises(TypeError, match=r"args must be|NUL"):
        settings().add_exe_args(wrong)


def test_both_spellings_of_the_arguments_are_refused():
    with pytest.raises(TypeError, match="two spellings"):
        settings(exe_args="a", exec_args="b")


def test_arguments_are_copied_on_the_way_in_and_live_on_the_way_out():
    mine = ["a"]
    made = settings(exe_args=mine)
    mine.append("b")
    assert made.exe_args == ["a"]
    made.exe_args.append("c")
    assert made.exe_args == ["a", "c"]
    made.exe_args = "d e"  # type: ignore[assignment]
    assert made.exe_args == ["d", "e"]


def test_adding_arguments():
    made = settings(exe_args="a")
    made.add_exe_args("b  c")
    made.add_exe_args(["d e"])
    made.add_exe_args([])
    assert made.exe_args == ["a", "b", "c", "d e"]


# --- the run command and its options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run_command", "stored"),
    [("", None), (None, None), ("env", shutil.which("env")), ("no-such-runner", "no-such-runner")],
)
def test_the_run_command(run_command: Any, stored: str | None):
    assert settings(run_command=run_command).run_command == stored


def test_options_are_printed_as_they_are_written():
    made = settings(run_command="env", run_args={"-n": 4, "flag": None, "zero": 0, "half": 0.5, "text": "a b"})
    assert made.format_run_args() == ["-n", "4", "flag", "None", "zero", "0", "half", "0.5", "text", "a b"]


def test_options_are_copied_on_the_way_in_and_live_on_the_way_out():
    mine: dict[str, Any] = {"a": "1"}
    made = settings(run_args=mine)
    mine["b"] = "2"
    assert made.run_args == {"a": "1"}
    made.run_args["c"] = "3"
    assert made.run_args == {"a": "1", "c": "3"}
    made.run_args = {"d": 4}
    assert made.run_args == {"d": 4}


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({1: "a"}, TypeError, "name of an option"),
        ({"": "a"}, ValueError, "no name of an option"),
        ({"--": "a"}, ValueError, "no name of an option"),
        ({"a b": 1}, ValueError, "no name of an option"),
        ({"a\n": 1}, ValueError, "no name of an option"),
        ({"a": True}, TypeError, "run_args['a']"),
        ({"a": [1]}, TypeError, "run_args['a']"),
        ({"a": "x\0"}, ValueError, "NUL"),
        (["a"], TypeError, "must be a dict"),
        ("a", TypeError, "must be a dict"),
    ],
)
def test_wrong_options_are_refused(wrong: Any, error: type[Exception], says: str):
    with pytest.raises(error) as caught:
        settings(run_args=wrong)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("arg", "value", "stored"),
    [
        ("option", "1", {"option": "1"}),
        ("flag", None, {"flag": None}),
        ("--option", "1", {"option": "1"}),
        ("-o", "", {"o": ""}),
        (" --two-words ", "a b", {"two-words": "a b"}),
    ],
)
def test_set(arg: str, value: str | None, stored: dict[str, Any]):
    made = settings()
    made.set(arg, value)
    assert made.run_args == stored


@pytest.mark.parametrize(
    ("arg", "value", "error"),
    [
        (1, "a", TypeError),
        (None, None, TypeError),
        ("a", 1, TypeError),
        ("a", ["b"], TypeError),
        ("a", True, TypeError),
        ("", None, ValueError),
        ("--", None, ValueError),
        ("a", "\0", ValueError),
        ("a b", None, ValueError),
    ],
)
def test_set_refuses(arg: Any, value: Any, error: type[Exception]):
    made = settings()
    with pytest.raises(error):
        made.set(arg, value)
    assert made.run_args == {}


def test_set_under_a_condition(caplog: pytest.LogCaptureFixture):
    made = settings()
    with caplog.at_level(logging.INFO):
        made.set("a", "1", condition=False)
        assert made.run_args == {}
        assert caplog.records[-1].levelno == logging.INFO
    made.set("a", "1", condition=True)
    assert made.run_args == {"a": "1"}


def test_set_warns_before_it_overwrites(caplog: pytest.LogCaptureFixture):
    made = settings(run_args={"a": "1"})
    made.set("a", "1")
    assert not caplog.records
    made.set("a", "2")
    assert made.run_args == {"a": "2"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "was '1' and is now '2'" in caplog.text


def test_set_leaves_reserved_options_alone(caplog: pytest.LogCaptureFixture):
    class Reserving(RunSettings):
        reserved_run_args: ClassVar = {"mine"}

    made = Reserving("echo")
    made.set("--mine", "x")
    assert made.run_args == {}
    assert "mine is not set" in caplog.text
    assert RunSettings.reserved_run_args == set()


# --- environment -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "stored", "printed"),
    [
        ({}, {}, []),
        ({"A": "1"}, {"A": "1"}, ["A=1"]),
        ({"A": None}, {"A": None}, ["A="]),
        ({"A": ""}, {"A": ""}, ["A="]),
        ({"A": 4, "B": 0.5, "C": True}, {"A": "4", "B": "0.5", "C": "True"}, ["A=4", "B=0.5", "C=True"]),
        ({"A": "x=y z\n,"}, {"A": "x=y z\n,"}, ["A=x=y z\n,"]),
        (None, {}, []),
    ],
)
def test_environment(env: Any, stored: dict[str, Any], printed: list[str]):
    made = settings(env_vars=env)
    assert made.env_vars == stored
    assert made.format_env_vars() == printed
    assert made.environment({"A": "outer"}) == {name: value or "" for name, value in stored.items()}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({1: "a"}, TypeError),
        ({"A": ["b"]}, TypeError),
        ({"A": b"b"}, TypeError),
        ("A=1", TypeError),
        ({"": "1"}, ValueError),
        ({"A=B": "1"}, ValueError),
        ({"A\nB": "1"}, ValueError),
        ({"A\0": "1"}, ValueError),
        ({"A": "\0"}, ValueError),
    ],
)
def test_a_wrong_environment_is_refused_and_changes_nothing(wrong: Any, error: type[Exception]):
    with pytest.raises(error, match="env_vars"):
        settings(env_vars=wrong)
    made = settings(env_vars={"KEPT": "1"})
    with pytest.raises(error, match="env_vars"):
        made.update_env(wrong)
    assert made.env_vars == {"KEPT": "1"}


def test_update_env():
    made = settings(env_vars={"A": "1", "B": "2"})
    made.update_env({"B": 3, "C": 0.5, "D": False, "E": "e"})
    assert made.env_vars == {"A": "1", "B": "3", "C": "0.5", "D": "False", "E": "e"}
    with pytest.raises(TypeError):
        made.update_env({"F": None})  # type: ignore[dict-item]


# --- setters that the base does not have ------------------------------------------------------------------------------

UNIMPLEMENTED = [
    ("set_nodes", (2,)),
    ("set_tasks", (2,)),
    ("set_tasks_per_node", (2,)),
    ("set_task_map", ("core",)),
    ("set_cpus_per_task", (2,)),
    ("set_hostlist", ("a",)),
    ("set_hostlist_from_file", ("hosts",)),
    ("set_excluded_hosts", (["a"],)),
    ("set_cpu_bindings", ([1],)),
    ("set_memory_per_node", (1000,)),
    ("set_verbose_launch", (True,)),
    ("set_quiet_launch", (True,)),
    ("set_broadcast", ()),
    ("set_node_feature", ("gpu",)),
    ("set_walltime", ("10",)),
    ("set_binding", ("none",)),
    ("set_mpmd_preamble", (["line"],)),
    ("set_time", (1,)),
]


@pytest.mark.parametrize(("setter", "values"), UNIMPLEMENTED)
def test_what_a_run_command_may_not_have_is_a_warning(setter: str, values: Any, caplog: pytest.LogCaptureFixture):
    made = settings()
    getattr(made, setter)(*values)
    assert made.run_args == {}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not implemented for this RunSettings type" in caplog.text
    assert setter.replace("set_time", "set_walltime") in caplog.text


def test_make_mpmd_is_a_warning_too(caplog: pytest.LogCaptureFixture):
    settings().make_mpmd(settings())
    assert "make_mpmd not implemented" in caplog.text


class Timed(RunSettings):
    """Keeps the time limit."""

    def set_walltime(self, walltime: str) -> None:
        self.run_args["time"] = walltime


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [((1,), 3600), ((0, 90), 5400), ((36, 0, 1), 129601), ((0,), 0), (("2",), 7200), ((2.0,), 7200)],
)
def test_set_time_is_in_seconds(parts: Any, seconds: int):
    made = Timed("echo")
    made.set_time(*parts)
    assert made.run_args == {"time": str(seconds)}


@pytest.mark.parametrize(
    ("parts", "error"),
    [((-1,), ValueError), ((1.5,), ValueError), (("x",), ValueError), ((None,), TypeError), ((True,), TypeError)],
)
def test_set_time_refuses(parts: Any, error: type[Exception]):
    made = Timed("echo")
    with pytest.raises(error, match="hours"):
        made.set_time(*parts)
    assert made.run_args == {}


# --- the object as a whole -------------------------------------------------------------------------------------------


def test_what_an_ordinary_object_looks_like():
    made = settings()
    assert isinstance(made, SettingsBase)
    assert (made.container, made.in_batch, made.colocated_db_settings) == (None, False, None)
    assert made.resources() == Resources()


def test_unknown_arguments_are_named_in_a_warning(caplog: pytest.LogCaptureFixture):
    settings(alloc="1", nonsense=2)
    assert "ignores the argument(s) alloc, nonsense" in caplog.text


def test_a_container_of_another_type_is_refused():
    with pytest.raises(TypeError, match="container must be"):
        settings(container="image.sif")


def test_str():
    made = settings(exe_args=["hello", "world"])
    assert str(made) == f"Executable: {ECHO}\nExecutable Arguments: hello world"
    made = settings(run_command="no-such-runner", run_args={"a": 1, "flag": None})
    made.colocated_db_settings = {"port": 1}
    assert str(made).splitlines() == [
        f"Executable: {ECHO}",
        "Executable Arguments: ",
        "Run Command: no-such-runner",
        "Run Arguments:",
        "\ta = 1",
        "\tflag = None",
        "Co-located Database: True",
    ]


def test_a_copy_shares_nothing():
    made = settings(exe_args=["a"], run_args={"b": "1"}, env_vars={"C": "1"})
    twin = copy.deepcopy(made)
    twin.exe_args.append("x")
    twin.run_args["x"] = "1"
    twin.env_vars["X"] = "1"
    assert (made.exe_args, made.run_args, made.env_vars) == (["a"], {"b": "1"}, {"C": "1"})


# --- properties ------------------------------------------------------------------------------------------------------


@given(st.lists(words), st.dictionaries(names, scalars), st.dictionaries(names, words | st.none()))
def test_whatever_is_given_stays_one_word_each(args: list[str], options: dict[str, Any], env: dict[str, str | None]):
    made = settings(exe_args=args, run_args=options, env_vars=env)
    assert made.command_words("/") == [ECHO, *args]
    printed = made.format_run_args()
    assert len(printed) == 2 * len(options)
    for line in (made.command_words("/"), printed, made.format_env_vars()):
        assert shlex.split(shlex.join(line)) == line
    assert dict(word.split("=", 1) for word in made.format_env_vars()) == {k: v or "" for k, v in env.items()}


@given(st.lists(words), st.dictionaries(names, scalars), st.dictionaries(names, words))
def test_the_engines_view_goes_through_json(args: list[str], options: dict[str, Any], env: dict[str, str | None]):
    made = settings(exe_args=args, run_command="env", run_args=options, env_vars=env)
    assert json.loads(json.dumps(made.job_options())) == {
        "settings": "RunSettings",
        "run_command": shutil.which("env"),
        "run_args": made.format_run_args(),
    }
    spec = JobSpec(
        name="m",
        argv=made.command_words("/"),
        env=made.environment(os.environ),
        cwd="/",
        stdout="/o",
        stderr="/e",
        resources=made.resources(),
        options=made.job_options(),
    )
    assert from_json(JobSpec, to_json(spec)) == spec


@given(words)
def test_text_is_split_as_python_splits_it(given_text: str):
    assert settings(exe_args=given_text).exe_args == given_text.split()


@given(st.dictionaries(names.filter(lambda name: len(name) > 1), scalars))
def test_long_options_can_be_read_back(options: dict[str, Any]):
    kept = {name: None if value == "" else value for name, value in options.items()}
    joined = [word.removeprefix("--").partition("=") for word in joined_options(options)]
    assert [(name, value if equals else None) for name, equals, value in joined] == [
        (name, None if value is None else str(value)) for name, value in kept.items()
    ]
    assert spaced_options(options) == [
        word for name, value in kept.items() for word in ([f"--{name}"] if value is None else [f"--{name}", str(value)])
    ]


# --- helpers that plugins use ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "spaced", "joined"),
    [
        ({"n": 2}, ["--n", "2"], ["-n", "2"]),
        ({"n": 0}, ["--n", "0"], ["-n", "0"]),
        ({"nodes": 0}, ["--nodes", "0"], ["--nodes=0"]),
        ({"flag": None}, ["--flag"], ["--flag"]),
        ({"flag": ""}, ["--flag"], ["--flag"]),
        ({"f": None}, ["--f"], ["-f"]),
        ({"--dashed": "x"}, ["--dashed", "x"], ["--dashed=x"]),
        ({"-d": "x"}, ["--d", "x"], ["-d", "x"]),
        ({"skipped": 1, "--skipped": 2}, [], []),
    ],
)
def test_printing_of_options(options: dict[str, Any], spaced: list[str], joined: list[str]):
    assert spaced_options(options, skip={"skipped"}) == spaced
    assert joined_options(options, skip={"skipped"}) == joined


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        (90, 90),
        ("01:30", None),
        ("01:30:15", 5415),
        ("1-12:00:00", 129600),
        ("2-12:00", None),
        ("100:00:00", 360000),
        ("", None),
        ("soon", None),
        ("1:2:3:4", None),
        (None, None),
    ],
)
def test_time_limits_in_seconds(text: Any, seconds: int | None):
    assert seconds_of(text) == seconds


@given(st.integers(0, 400), st.integers(0, 59), st.integers(0, 59))
def test_time_limits_are_read_back(hours: int, minutes: int, seconds: int):
    assert seconds_of(f"{hours:02}:{minutes:02}:{seconds:02}") == hours * 3600 + minutes * 60 + seconds


@given(st.text())
def test_reading_a_time_limit_is_total(text: str):
    assert seconds_of(text) is None or seconds_of(text) >= 0


def test_reading_counts_and_hosts():
    args = {"n": "4", "np": 5, "bad": "x", "sign": "-1", "host": "a, b,,c"}
    assert count_of(args, "missing", "n", "np") == 4
    assert count_of(args, "bad") is None
    assert count_of(args, "sign") is None
    assert count_of(args, "missing") is None
    assert hosts_of(args, "missing", "host") == ("a", "b", "c")
    assert hosts_of(args, "missing") == ()


@pytest.mark.parametrize(("value", "stored"), [(1, [1]), ([0, 2], [0, 2]), ((3,), [3]), ("4", [4])])
def test_lists_of_ids(value: Any, stored: list[int]):
    assert checks_module.number_list("bindings", value) == stored


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([], ValueError),
        (-1, ValueError),
        ([1, -1], ValueError),
        ([1.5], ValueError),
        (None, TypeError),
        ([None], TypeError),
        (True, TypeError),
        ({1}, TypeError),
    ],
)
def test_wrong_lists_of_ids_are_refused(value: Any, error: type[Exception]):
    with pytest.raises(error, match="bindings"):
        checks_module.number_list("bindings", value)


def test_selecting_a_run_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("second", "third"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert select_run_command(["first", "second", "third"]) == "second"
    with pytest.raises(SmartSimError, match="none of first, fourth is on PATH"):
        select_run_command(["first", "fourth"])
