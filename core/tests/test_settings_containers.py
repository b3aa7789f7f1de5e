"""Containers: the words that go before the executable."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.settings import Container, RunSettings, Singularity


@pytest.fixture(autouse=True)
def path_without_singularity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_attributes():
    made = Singularity("i.sif", args=["--nv"], mount={"/a": "/b"}, working_directory="/w")
    assert isinstance(made, Container)
    assert (made.image, made.args, made.mount, made.working_directory) == ("i.sif", ["--nv"], {"/a": "/b"}, "/w")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ["--pwd", "/cwd", "--bind", "/cwd"]),
        ({"args": "--nv"}, ["--pwd", "/cwd", "--nv", "--bind", "/cwd"]),
        ({"args": "--nv --env 'A=b c'"}, ["--pwd", "/cwd", "--nv", "--env", "A=b c", "--bind", "/cwd"]),
        ({"args": ["--nv", "--env", "A=b c"]}, ["--pwd", "/cwd", "--nv", "--env", "A=b c", "--bind", "/cwd"]),
        ({"mount": "/cwd"}, ["--pwd", "/cwd", "--bind", "/cwd"]),
        ({"mount": "/cwd/sub"}, ["--pwd", "/cwd", "--bind", "/cwd,/cwd/sub"]),
        ({"mount": "/a:/b,/c"}, ["--pwd", "/cwd", "--bind", "/cwd,/a:/b,/c"]),
        ({"mount": ["/a:/b", "/cwd:/cwd:ro"]}, ["--pwd", "/cwd", "--bind", "/a:/b,/cwd:/cwd:ro"]),
        ({"mount": {"/a": "/b", "/c": None, "/d": ""}}, ["--pwd", "/cwd", "--bind", "/cwd,/a:/b,/c,/d"]),
        ({"mount": {"/host": "/cwd"}}, ["--pwd", "/cwd", "--bind", "/host:/cwd"]),
        ({"working_directory": "/w"}, ["--pwd", "/w", "--bind", "/w"]),
        ({"working_directory": "/w", "mount": "/w"}, ["--pwd", "/w", "--bind", "/w"]),
    ],
)
def test_the_words_before_the_executable(arguments: dict[str, Any], words: list[str]):
    made = Singularity("i.sif", **arguments)
    assert made.command_words("/cwd") == ["singularity", "exec", *words, "i.sif"]
    assert made._container_cmds("/cwd") == made.command_words("/cwd")


def test_without_any_folder_nothing_is_mounted():
    assert Singularity("i.sif")._container_cmds() == ["singularity", "exec", "i.sif"]


def test_mounting_the_working_directory_is_a_warning(caplog: pytest.LogCaptureFixture):
    Singularity("i.sif", mount="/cwd").command_words("/cwd")
    assert not caplog.records
    Singularity("i.sif", mount="/other").command_words("/cwd")
    assert "/cwd is not among its mounts" in caplog.text


def test_the_command_is_found_on_path(path_without_singularity: Path):
    command = path_without_singularity / "singularity"
    command.touch(mode=0o755)
    assert Singularity("i.sif").command_words()[0] == str(command)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"image": 5}, TypeError),
        ({"image": None}, TypeError),
        ({"args": 5}, TypeError),
        ({"args": {"a": "b"}}, TypeError),
        ({"args": ["--nv", 5]}, TypeError),
        ({"mount": 5}, TypeError),
        ({"mount": [5]}, TypeError),
        ({"mount": {5: "/a"}}, TypeError),
        ({"mount": {"/a": 5}}, TypeError),
        ({"working_directory": 5}, TypeError),
        ({"image": "a\0"}, ValueError),
        ({"args": "'unclosed"}, ValueError),
        ({"mount": {"/a,b": "/c"}}, ValueError),
        ({"mount": {"/a": "/b:c"}}, ValueError),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], error: type[Exception]):
    with pytest.raises(error, match="|".join(arguments)):
        Singularity(**{"image": "i.sif", **arguments})


def test_a_container_of_no_system_cannot_be_run():
    made = Container("image")
    with pytest.raises(NotImplementedError, match="use Singularity"):
        made.command_words("/cwd")
    with pytest.raises(NotImplementedError):
        made._containerized_run_command("ls")


def test_a_container_of_another_system():
    class Podman(Container):
        """Runs images with podman."""

        def command_words(self, default_working_directory: str = "") -> list[str]:
            return ["podman", "run", "-w", default_working_directory, self.image]

    made = RunSettings("app", ["a b"], container=Podman("image"))
    assert made.command_words("/cwd") == ["podman", "run", "-w", "/cwd", "image", "app", "a b"]
    assert made.container._containerized_run_command("ls -l") == "podman run -w '' image ls -l"


paths = st.text(st.characters(exclude_characters="\0:,", exclude_categories=("Cs",)), min_size=1)


@given(st.lists(paths), st.dictionaries(paths, paths | st.none()), paths)
def test_every_option_and_every_mount_gets_through(args: list[str], mounts: dict[str, str | None], folder: str):
    line = Singularity("i.sif", args=args, mount=mounts, working_directory=folder).command_words()
    assert line[2:4] == ["--pwd", folder]
    assert line[4:-3] == args
    bound = line[-2].split(",")
    assert (
        bound[-len(mounts) :] == [f"{host}:{inside}" if inside else host for host, inside in mounts.items()]
        or not mounts
    )
    assert any(folder in mount.split(":") for mount in bound)
    assert Singularity("i.sif", args=shlex.join(args)).command_words()[2:-1] == args
