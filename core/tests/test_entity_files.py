"""`EntityFiles` and `TaggedFilesHierarchy`: what may be attached, and the tables that show it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabulate import tabulate

from smartsim.entity import Ensemble, Model, TaggedFilesHierarchy
from smartsim.entity.files import EntityFiles
from smartsim.settings import RunSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file `a`, a folder `d` with `d/b` and `d/e/c`, and the empty folder `empty`; we are in it."""
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("a")
    Path("d/e").mkdir(parents=True)
    Path("d/b").write_text("b")
    Path("d/e/c").write_text("c")
    Path("empty").mkdir()
    return tmp_path


def model() -> Model:
    return Model("m", {}, RunSettings("echo"))


ARGUMENTS = ["to_copy", "to_symlink", "to_configure"]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_attributes(folder: Path):
    files = EntityFiles(tagged=["a"], copy="d", symlink=["./a", "d/"])
    assert files.tagged == ["a"]
    assert files.copy == [f"{folder}/d"]
    assert files.link == [f"{folder}/a", f"{folder}/d"]
    assert files.tagged_hierarchy is not None
    assert files.tagged_hierarchy.files == {f"{folder}/a"}
    assert EntityFiles().tagged_hierarchy is None


def test_a_later_attachment_replaces_the_earlier():
    entity = model()
    assert entity.files is None
    entity.attach_generator_files(to_copy=["a"])
    entity.attach_generator_files(to_symlink=["a"])
    assert (entity.files.copy, len(entity.files.link)) == ([], 1)
    with pytest.raises(FileNotFoundError):
        entity.attach_generator_files(to_copy=["missing"])
    assert len(entity.files.link) == 1


def test_members_share_what_was_looked_up_but_not_the_lists():
    ensemble = Ensemble("e", {}, run_settings=RunSettings("echo"), replicas=2)
    ensemble.attach_generator_files(to_copy=["a"], to_configure=["d"])
    first, second = (member.files for member in ensemble)
    first.copy.clear()
    assert len(second.copy) == 1
    assert first.tagged_hierarchy is second.tagged_hierarchy


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (7, TypeError),
        ([7], TypeError),
        ([None], TypeError),
        ([Path("a")], TypeError),
        ([b"a"], TypeError),
        (3.5, TypeError),
        ("missing", FileNotFoundError),
        (["a", "missing"], FileNotFoundError),
        (["a/below-a-file"], FileNotFoundError),
        (["dangling"], FileNotFoundError),
        (["loop"], FileNotFoundError),
        (["x" * 10_000], FileNotFoundError),
        ([""], ValueError),
        (["a\0b"], ValueError),
        (["smartsim_params.txt"], ValueError),
        (["d/smartsim_params.txt"], ValueError),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_refused(argument: str, value, error):
    Path("dangling").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    Path("smartsim_params.txt").touch()
    Path("d/smartsim_params.txt").touch()
    entity = model()
    with pytest.raises(error, match=argument):
        entity.attach_generator_files(**{argument: value})
    assert entity.files is None


@pytest.mark.parametrize("argument", ["to_copy", "to_configure"])
@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_only_files_and_folders_are_read(argument: str, kind: str):
    if kind == "fifo":
        os.mkfifo("special")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("special")
    with pytest.raises(ValueError, match="to_symlink"):
        model().attach_generator_files(**{argument: ["special"]})
    model().attach_generator_files(to_symlink=["special"])


def test_a_folder_to_configure_has_no_link_to_a_folder():
    Path("d/again").symlink_to(Path("d").absolute())
    with pytest.raises(ValueError, match="symbolic link to a folder"):
        model().attach_generator_files(to_configure=["d"])
    with pytest.raises(ValueError, match="symbolic link to a folder"):
        TaggedFilesHierarchy.from_list_paths(["d"])


def test_a_link_to_a_file_is_as_good_as_the_file(folder: Path):
    Path("d/link").symlink_to(Path("a").absolute())
    assert f"{folder}/d/link" in TaggedFilesHierarchy.from_list_paths(["d"], dir_contents_to_base=True).files


# --- the hierarchy ---------------------------------------------------------------------------------------------------


def shape(level: TaggedFilesHierarchy) -> dict[str, object]:
    return {
        **{Path(file).name: "file" for file in level.files},
        **{Path(below.base).name: shape(below) for below in level.dirs},
    }


def test_folders_as_they_are():
    top = TaggedFilesHierarchy.from_list_paths(["a", "d", "empty"])
    assert shape(top) == {"a": "file", "d": {"b": "file", "e": {"c": "file"}}, "empty": {}}
    assert (top.base, top.parent) == ("", None)
    (below,) = [level for level in top.dirs if level.base == "d"]
    assert below.parent is top
    assert [level.base for level in below.dirs] == ["d/e"]


def test_contents_of_folders_at_the_top():
    top = TaggedFilesHierarchy.from_list_paths(["a", "d", "empty"], dir_contents_to_base=True)
    assert shape(top) == {"a": "file", "b": "file", "e": {"c": "file"}}


def test_folders_of_one_name_are_merged():
    Path("other/e").mkdir(parents=True)
    Path("other/e/more").touch()
    top = TaggedFilesHierarchy.from_list_paths(["d", "other"], dir_contents_to_base=True)
    assert shape(top) == {"b": "file", "e": {"c": "file", "more": "file"}}


@pytest.mark.parametrize("name", [".", "..", "a/b", "/", "a/"])
def test_a_level_has_the_name_of_one_folder(name: str):
    with pytest.raises(ValueError, match="subdir_name"):
        TaggedFilesHierarchy(parent=TaggedFilesHierarchy(), subdir_name=name)


def test_a_name_needs_a_parent_and_a_parent_a_name():
    with pytest.raises(ValueError, match="parent"):
        TaggedFilesHierarchy(subdir_name="x")
    with pytest.raises(ValueError, match="subdir_name"):
        TaggedFilesHierarchy(parent=TaggedFilesHierarchy())


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), max_size=6))
def test_the_base_is_the_way_down(names: list[str]):
    level = TaggedFilesHierarchy()
    for name in names:
        level = TaggedFilesHierarchy(level, name)
    assert level.base == "/".join(names)


# --- tables ----------------------------------------------------------------------------------------------------------


def test_tables_of_a_model(folder: Path, capsys: pytest.CaptureFixture[str]):
    entity = model()
    assert entity.attached_files_table == "No file attached to this model."
    entity.attach_generator_files()
    assert entity.attached_files_table == "No file attached to this entity."
    entity.attach_generator_files(to_configure=["a"], to_copy=["a", "d"])
    rows = [["Copy", f"{folder}/a\n{folder}/d"], ["Configure", "a"]]
    expected = tabulate(rows, headers=["Strategy", "Files"], tablefmt="grid")
    assert entity.attached_files_table == str(entity.files) == expected
    entity.print_attached_files()
    assert capsys.readouterr().out == f"{expected}\n"


def test_tables_of_an_ensemble(capsys: pytest.CaptureFixture[str]):
    ensemble = Ensemble("e", {}, run_settings=RunSettings("echo"), replicas=2)
    ensemble.entities[0].attach_generator_files(to_symlink=["a"])
    rows = [["e_0", ensemble.entities[0].attached_files_table], ["e_1", "No file attached to this model."]]
    expected = tabulate(rows, headers=["Model name", "Files"], tablefmt="grid")
    assert ensemble.attached_files_table == expected
    ensemble.print_attached_files()
    assert capsys.readouterr().out == f"{expected}\n"
    ensemble.entities.clear()
    assert ensemble.attached_files_table == "The ensemble is empty, no files to show."
