"""Where previews go: formats and files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smartsim.error.errors import PreviewFormatError
from smartsim.preview.options import Format, Verbosity
from smartsim.preview.output import preview_text, write_preview
from smartsim.preview.render import plugin
from smartsim.preview.value import Preview

PREVIEW = Preview(experiment="exp", path="/exp", launcher="local")


class OnePlugin:
    """Asks the built-in renderer only."""

    def render_preview(self, preview, verbosity, output_format):
        return plugin.smartsim_render_preview(preview, verbosity, output_format)


@pytest.mark.parametrize("verbosity", ["info", "debug", "developer", *Verbosity])
@pytest.mark.parametrize("output_format", ["plain_text", Format.PLAINTEXT])
def test_names_work_as_well_as_members(verbosity, output_format):
    assert "Experiment Name: exp" in preview_text(OnePlugin(), PREVIEW, verbosity, output_format)


@pytest.mark.parametrize("wrong", ["html", "", "PLAIN_TEXT", None, 3])
def test_an_unknown_format_names_the_known_one(wrong):
    with pytest.raises(PreviewFormatError, match="'plain_text'"):
        preview_text(OnePlugin(), PREVIEW, "info", wrong)


def test_an_unknown_verbosity_is_told_before_anyone_renders():
    with pytest.raises(ValueError, match="verbosity_level='loud' is not one of 'info', 'debug', 'developer'"):
        preview_text(None, PREVIEW, "loud", "plain_text")


def test_a_new_file_gets_the_name_as_it_is(tmp_path: Path):
    assert write_preview("text", tmp_path / "mine.log") == tmp_path / "mine.log"
    assert (tmp_path / "mine.log").read_text() == "text\n"


def test_an_existing_file_is_left_alone(tmp_path: Path):
    written = [write_preview(str(number), str(tmp_path / "plan.md")) for number in range(3)]
    assert [path.name for path in written] == ["plan.md", "plan_01.txt", "plan_02.txt"]
    assert [path.read_text() for path in written] == ["0\n", "1\n", "2\n"]
    (tmp_path / "plan_01.txt").unlink()
    assert write_preview("again", tmp_path / "plan.md").name == "plan_01.txt"


def test_a_dangling_link_is_not_followed(tmp_path: Path):
    (tmp_path / "plan.txt").symlink_to(tmp_path / "elsewhere")
    assert write_preview("text", tmp_path / "plan.txt").name == "plan_01.txt"
    assert not (tmp_path / "elsewhere").exists()


def test_a_relative_name_is_beside_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert write_preview("text", "here.txt") == tmp_path / "here.txt"


def test_many_writers_never_share_a_file(tmp_path: Path):
    texts = [f"preview {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda text: write_preview(text, tmp_path / "p.txt"), texts))
    assert len(set(paths)) == len(texts)
    assert [path.read_text().rstrip("\n") for path in paths] == texts
    assert sorted(path.name for path in paths)[:2] == ["p.txt", "p_01.txt"]


def test_text_that_is_not_utf8_is_written_all_the_same(tmp_path: Path):
    assert write_preview("\udcff é", tmp_path / "p.txt").read_bytes() == "\\udcff é\n".encode()


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        (3, TypeError, "must be a path, not int"),
        ("", ValueError, "is empty"),
        ("missing/p.txt", FileNotFoundError, "does not exist, make it first"),
        (".", IsADirectoryError, "is a folder"),
        ("file/p.txt", FileNotFoundError, "does not exist"),
    ],
)
def test_bad_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name, error, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(error, match=words):
        write_preview("text", name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _data):
            raise OSError(28, "No space left on device")

    def full(path, _mode):
        path.touch()
        return Full()

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left"):
        write_preview("text", tmp_path / "p.txt")
    assert not list(tmp_path.iterdir())
