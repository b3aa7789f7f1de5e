"""`generate` refuses before it writes, and takes back what it wrote when writing fails."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartsim.database import Orchestrator
from smartsim.engine.manifest import Manifest
from smartsim.entity import Ensemble, Model
from smartsim.error import ParameterWriterError, SmartSimError
from smartsim.generation import fileset
from smartsim.generation.generator import generate
from smartsim.settings import RunSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a home of its own; experiments are in `exp` below it."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("f").write_text("f = ;A;\n")
    Path("d/sub").mkdir(parents=True)
    Path("d/sub/x").touch()
    return tmp_path


def model(name: str = "m", params: dict[str, object] | None = None, **kwargs: object) -> Model:
    return Model(name, params or {}, RunSettings("echo"), **kwargs)  # type: ignore[arg-type]


def ensemble(replicas: int = 2) -> Ensemble:
    return Ensemble("e", {}, run_settings=RunSettings("echo"), replicas=replicas)


def with_files(entity: Model, **kwargs: object) -> Model:
    entity.attach_generator_files(**kwargs)  # type: ignore[arg-type]
    return entity


def tree(top: Path) -> dict[str, object]:
    """Everything below `top`, with contents, so that two trees can be compared."""
    return {
        str(path.relative_to(top)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else "other"
        for path in top.rglob("*")
    }


# --- refused before anything is written ------------------------------------------------------------------------------


def existing_folder(at: Path) -> Model:
    (at / "exp/m").mkdir(parents=True)
    return model()


def existing_file(at: Path) -> Model:
    (at / "exp").mkdir()
    (at / "exp/m").touch()
    return model()


def dangling_link(at: Path) -> Model:
    (at / "exp").mkdir()
    (at / "exp/m").symlink_to("nowhere")
    return model()


def file_for_an_ensemble(at: Path) -> Ensemble:
    (at / "exp").mkdir()
    (at / "exp/e").touch()
    return ensemble()


def file_for_a_database(at: Path) -> Orchestrator:
    (at / "exp").mkdir()
    (at / "exp/orchestrator").touch()
    return Orchestrator()


def existing_member(at: Path) -> Ensemble:
    (at / "exp/e/e_1").mkdir(parents=True)
    return ensemble()


def experiment_is_a_file(at: Path) -> Model:
    (at / "exp").touch()
    return model()


def folder_below_a_file(at: Path) -> Model:
    return model(path=str(at / "f/below"))


def two_in_one_folder(at: Path) -> Ensemble:
    several = ensemble()
    several.entities[0].set_path(str(at / "own"))
    several.entities[1].set_path(str(at / "own"))
    return several


def vanished_copy(at: Path) -> Model:
    entity = with_files(model(), to_copy="f")
    (at / "f").unlink()
    return entity


def vanished_link(at: Path) -> Model:
    entity = with_files(model(), to_symlink="f")
    (at / "f").unlink()
    return entity


def vanished_configure(at: Path) -> Model:
    entity = with_files(model(), to_configure="f")
    (at / "f").unlink()
    return entity


def became_a_fifo(at: Path) -> Model:
    entity = with_files(model(), to_copy="f")
    (at / "f").unlink()
    os.mkfifo(at / "f")
    return entity


def fifo_in_a_folder(at: Path) -> Model:
    os.mkfifo(at / "d/sub/pipe")
    return with_files(model(), to_copy="d")


def link_to_the_folder_above(at: Path) -> Model:
    (at / "d/sub/again").symlink_to("..")
    return with_files(model(), to_copy="d")


def links_that_lead_to_each_other(at: Path) -> Model:
    (at / "d/sub/one").symlink_to("two")
    (at / "d/sub/two").symlink_to("one")
    return with_files(model(), to_copy="d")


def two_folders_that_hold_each_other(at: Path) -> Model:
    (at / "other").mkdir()
    (at / "other/d").symlink_to(at / "d")
    (at / "d/other").symlink_to(at / "other")
    return with_files(model(), to_copy="d")


def broken_link_in_a_folder(at: Path) -> Model:
    (at / "d/sub/broken").symlink_to("nowhere")
    return with_files(model(), to_copy="d")


def folder_that_holds_the_experiment(at: Path) -> Model:
    return with_files(model(), to_copy=".")


def tags_in_the_folder_that_holds_the_experiment(at: Path) -> Model:
    return with_files(model(), to_configure=".")


def file_and_folder_of_one_name(at: Path) -> Model:
    (at / "other").mkdir()
    (at / "other/sub").touch()
    return with_files(model(), to_copy=["d", "other"])


def folder_and_file_of_one_name(at: Path) -> Model:
    (at / "other").mkdir()
    (at / "other/sub").touch()
    return with_files(model(), to_copy=["other", "d"])


def link_and_copy_of_one_name(at: Path) -> Model:
    return with_files(model(), to_copy="f", to_symlink="f")


def two_links_of_one_name(at: Path) -> Model:
    (at / "d/f").touch()
    return with_files(model(), to_symlink=["f", "d/f"])


def link_and_tags_of_one_name(at: Path) -> Model:
    return with_files(model(), to_configure="f", to_symlink="f")


def not_utf8(at: Path) -> Model:
    (at / "f").write_bytes(b"\xff;A;")
    return with_files(model(params={"A": 1}), to_configure="f")


def value_that_is_not_unicode(at: Path) -> Model:
    return with_files(model(params={"A": "\udc80"}), to_configure="f")


REFUSED = {
    existing_folder: (FileExistsError, "overwrite=True"),
    existing_file: (FileExistsError, "move it away"),
    dangling_link: (FileExistsError, "move it away"),
    file_for_an_ensemble: (FileExistsError, "move it away"),
    file_for_a_database: (FileExistsError, "move it away"),
    existing_member: (FileExistsError, "overwrite=True"),
    experiment_is_a_file: (FileExistsError, "exp_path"),
    folder_below_a_file: (NotADirectoryError, "move it away"),
    two_in_one_folder: (ValueError, "path="),
    vanished_copy: (FileNotFoundError, "does not exist"),
    vanished_link: (FileNotFoundError, "does not exist"),
    vanished_configure: (FileNotFoundError, "does not exist"),
    became_a_fifo: (ValueError, "to_symlink"),
    fifo_in_a_folder: (ValueError, "to_symlink"),
    link_to_the_folder_above: (ValueError, "attach less"),
    links_that_lead_to_each_other: (FileNotFoundError, "leads nowhere"),
    two_folders_that_hold_each_other: (ValueError, "attach less"),
    broken_link_in_a_folder: (FileNotFoundError, "leads nowhere"),
    folder_that_holds_the_experiment: (ValueError, "one by one"),
    tags_in_the_folder_that_holds_the_experiment: (ValueError, "one by one"),
    file_and_folder_of_one_name: (FileExistsError, "clash"),
    folder_and_file_of_one_name: (FileExistsError, "clash"),
    link_and_copy_of_one_name: (FileExistsError, "another attached file"),
    two_links_of_one_name: (FileExistsError, "another attached file"),
    link_and_tags_of_one_name: (FileExistsError, "clash"),
    not_utf8: (ParameterWriterError, "UTF-8"),
    value_that_is_not_unicode: (ValueError, "UTF-8"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.__name__)
def test_refused_before_anything_is_written(case, folder: Path):
    error, remedy = REFUSED[case]
    entity = case(folder)
    before, path = tree(folder), entity.path
    good = with_files(model("good"), to_copy=[])
    with pytest.raises(error) as caught:
        generate("exp", Manifest.of([good, entity]))
    assert remedy in str(caught.value)
    assert tree(folder) == before
    assert entity.path == path


@pytest.mark.parametrize(("tag", "error"), [(7, TypeError), ("a\nb", ValueError)])
def test_a_bad_tag(tag, error, folder: Path):
    before = tree(folder)
    with pytest.raises(error, match="tag"):
        generate("exp", Manifest.of([model()]), tag=tag)
    assert tree(folder) == before


# --- what overwrite does not delete ----------------------------------------------------------------------------------


@pytest.mark.parametrize("holds", ["the working directory", "your home", "the attached file"])
def test_overwrite_never_deletes_what_is_no_output(holds: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    target = folder / "own"
    target.mkdir()
    entity = model(path=str(target))
    if holds == "the working directory":
        (target / "deep").mkdir()
        monkeypatch.chdir(target / "deep")
    elif holds == "your home":
        monkeypatch.setenv("HOME", str(target))
    else:
        (target / "input").touch()
        (folder / "alias").symlink_to(target)
        entity.attach_generator_files(to_symlink=[str(folder / "alias/input")])
    before = tree(folder)
    with pytest.raises(ValueError, match=holds):
        generate(str(folder / "exp"), Manifest.of([entity]), overwrite=True)
    assert tree(folder) == before


def test_the_input_of_one_entity_in_the_folder_of_another(folder: Path):
    first = with_files(model("first"), to_copy="f")
    generate("exp", Manifest.of([first]))
    second = with_files(model("second"), to_copy="exp/first/f")
    before = tree(folder)
    with pytest.raises(ValueError, match="attached file"):
        generate("exp", Manifest.of([first, second]), overwrite=True)
    assert tree(folder) == before


@pytest.mark.parametrize("running", ["m", "e", "e_1"])
def test_the_folder_of_a_running_entity(running: str, folder: Path):
    entities = Manifest.of([model(), ensemble()])
    generate("exp", entities)
    (folder / "exp/e/e_1/output").touch()
    before = tree(folder)
    with pytest.raises(SmartSimError, match=f"{running} is running"):
        generate("exp", entities, overwrite=True, running=[running])
    assert tree(folder) == before


# --- writing fails ---------------------------------------------------------------------------------------------------


class Interrupting:
    """Lets a number of files be written, then raises."""

    def __init__(self, files: int, error: BaseException) -> None:
        self.left, self.error, self.write = files, error, fileset.write_new

    def __call__(self, target: str, content: bytes, *, executable: bool = False) -> None:
        if not self.left:
            Path(target).write_bytes(content[:1])
            raise self.error
        self.left -= 1
        self.write(target, content, executable=executable)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("files", [0, 3])
def test_all_is_taken_back(error, overwrite: bool, files: int, folder: Path, monkeypatch: pytest.MonkeyPatch):
    several = ensemble()
    several.attach_generator_files(to_copy=["f", "d"], to_symlink="home")
    own = with_files(model(path="new/own"), to_copy="f")
    if overwrite:
        generate("exp", Manifest.of([several, own, Orchestrator()]))
        (folder / "exp/e/e_0/result").write_text("of the last run")
        (folder / "exp/orchestrator/dump").touch()
    entities = Manifest.of([several, own, Orchestrator()])
    before, paths = tree(folder), [several.path, *(member.path for member in several), own.path]
    monkeypatch.setattr(fileset, "write_new", Interrupting(files, error))
    with pytest.raises(type(error)):
        generate("exp", entities, overwrite=overwrite)
    assert tree(folder) == before
    assert [several.path, *(member.path for member in several), own.path] == paths
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    generate("exp", entities, overwrite=overwrite)
    assert (folder / "exp/e/e_1/sub/x").exists()


def test_a_record_that_cannot_be_replaced(folder: Path):
    (folder / "exp/smartsim_params.txt").mkdir(parents=True)
    before = tree(folder)
    with pytest.raises(IsADirectoryError):
        generate("exp", Manifest.of([model()]))
    assert tree(folder) == before


def test_old_content_that_cannot_be_deleted_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    entities = Manifest.of([model()])
    generate("exp", entities)

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        generate("exp", entities, overwrite=True)
    assert "cannot be deleted" in caplog.text
    assert len(list((folder / "exp").glob(".smartsim-old-*"))) == 1


# --- permissions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def unprivileged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the test works in without the rights of root, which no permission stops."""
    place = Path(tempfile.mkdtemp(prefix="smartsim-test-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        root = os.geteuid() == 0
        if root:
            os.chown(place, 65534, 65534)
            os.seteuid(65534)
        try:
            yield place
        finally:
            if root:
                os.seteuid(0)
    for path in [place, *place.rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(place)


def test_a_folder_that_cannot_be_written_to(unprivileged: Path):
    Path("locked").mkdir(0o555)
    for entity, exp_path in ((model(), "locked/exp"), (model(path="locked/own"), "exp")):
        with pytest.raises(PermissionError, match=r"locked cannot be written to: .* choose another"):
            generate(exp_path, Manifest.of([entity]))
    assert [path.name for path in unprivileged.iterdir()] == ["locked"]


def test_files_that_cannot_be_read(unprivileged: Path):
    Path("secret").touch(0o000)
    with pytest.raises(PermissionError, match="secret"):
        generate("exp", Manifest.of([with_files(model(), to_copy="secret")]))
    with pytest.raises(ParameterWriterError, match="secret could not be read"):
        generate("exp", Manifest.of([with_files(model(), to_configure="secret")]))
    assert [path.name for path in unprivileged.iterdir()] == ["secret"]


def test_folders_that_cannot_be_read(unprivileged: Path):
    Path("d/secret").mkdir(parents=True)
    Path("d/secret").chmod(0o000)
    with pytest.raises(PermissionError, match="secret"):
        generate("exp", Manifest.of([with_files(model(), to_copy="d")]))
    with pytest.raises(PermissionError, match="secret"):
        model().attach_generator_files(to_configure="d")
    assert [path.name for path in unprivileged.iterdir()] == ["d"]
