"""`generate`: folders, attached files, the record of parameters."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tabulate import tabulate

from smartsim.database import Orchestrator
from smartsim.engine.manifest import Manifest
from smartsim.entity import Ensemble, Model
from smartsim.generation import fileset, record
from smartsim.generation.generator import generate
from smartsim.settings import RunSettings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; experiments are in `exp` below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(name: str = "m", params: dict[str, object] | None = None, **kwargs: object) -> Model:
    return Model(name, params or {}, RunSettings("echo"), **kwargs)  # type: ignore[arg-type]


def ensemble(name: str = "e", params: dict[str, object] | None = None, replicas: int = 2) -> Ensemble:
    return Ensemble(name, params or {}, run_settings=RunSettings("echo"), replicas=replicas)


def make(*entities: object, **kwargs: object) -> None:
    generate("exp", Manifest.of(entities), **kwargs)  # type: ignore[arg-type]


def tree(top: str = "exp") -> list[str]:
    return sorted(str(path.relative_to(top)) for path in Path(top).rglob("*"))


# --- folders ---------------------------------------------------------------------------------------------------------


def test_no_entities_make_the_folder_of_the_experiment():
    make()
    assert tree() == ["smartsim_params.txt"]
    pattern = r"Generation start date and time: \d\d/\d\d/\d{4} \d\d:\d\d:\d\d\n"
    assert re.fullmatch(pattern, Path("exp/smartsim_params.txt").read_text())


def test_every_kind_of_entity(folder: Path):
    one, several, database = model(), ensemble(), Orchestrator()
    make(one, several, database)
    assert tree() == ["e", "e/e_0", "e/e_1", "m", "orchestrator", "smartsim_params.txt"]
    assert one.path == f"{folder}/exp/m"
    assert [several.path, *(member.path for member in several)] == [
        f"{folder}/exp/{x}" for x in ("e", "e/e_0", "e/e_1")
    ]
    assert {database.path, *(node.path for node in database.entities)} == {f"{folder}/exp/orchestrator"}
    assert not any(entity.path_is_chosen for entity in (one, several, database))


def test_a_chosen_folder_is_kept(folder: Path):
    one = model(path="deep/own")
    several = ensemble()
    several.set_path("several")
    database = Orchestrator(path="db")
    make(one, several, database)
    assert tree() == ["smartsim_params.txt"]
    assert tree("deep") == ["own"]
    assert tree("several") == ["e_0", "e_1"]
    assert tree("db") == []
    assert [member.path for member in several] == [f"{folder}/several/e_0", f"{folder}/several/e_1"]


def test_the_folder_that_a_factory_gives_is_not_chosen(folder: Path):
    """`Experiment.create_model` passes ``<exp_path>/<name>``; as a member of an ensemble the Model moves below it."""
    several, extra = ensemble(), model("extra", path=f"{folder}/exp/extra")
    own = model("own", path="elsewhere")
    several.add_model(extra)
    several.add_model(own)
    make(several)
    assert [member.path for member in several] == [
        f"{folder}/exp/e/e_0",
        f"{folder}/exp/e/e_1",
        f"{folder}/exp/e/extra",
        f"{folder}/elsewhere",
    ]


def test_a_folder_inside_that_of_another_entity():
    outer, inner = model("outer"), model("inner", path="exp/outer/deep/inner")
    for _ in range(2):
        make(inner, outer, overwrite=True)
        assert tree() == ["outer", "outer/deep", "outer/deep/inner", "smartsim_params.txt"]
        Path("exp/outer/deep/inner/old").touch()


@pytest.mark.parametrize("path", [".", "exp", "/"])
def test_a_path_that_holds_the_experiment_is_no_folder_of_an_entity(
    path: str, folder: Path, caplog: pytest.LogCaptureFixture
):
    one = model(path=path)
    make(one, overwrite=True)
    assert one.path == f"{folder}/exp/m"
    assert "holds the experiment" in caplog.text


def test_the_same_entity_in_two_experiments(folder: Path):
    one = model()
    generate("first", Manifest.of([one]))
    generate("second", Manifest.of([one]))
    assert one.path == f"{folder}/second/m"


@pytest.mark.parametrize(
    "name", ["$(touch pwned)", "`touch pwned`", "a; touch pwned", "a b", "'\"\\", "*", "~", "-rf", "%s"]
)
def test_names_are_never_interpreted(name: str, folder: Path):
    Path("in.txt").write_text(";A;")
    one = model(name, {"A": name})
    one.attach_generator_files(to_configure="in.txt")
    make(one)
    assert (folder / "exp" / name / "in.txt").read_text() == name
    assert not (folder / "pwned").exists()


# --- existing folders ------------------------------------------------------------------------------------------------


def test_overwrite_replaces_the_content():
    for directory in ("exp/m", "exp/e/e_1", "exp/e/other", "exp/orchestrator"):
        Path(directory).mkdir(parents=True)
        Path(directory, "old").touch()
    Path("exp/unrelated").touch()
    make(model(), ensemble(), Orchestrator(), overwrite=True)
    assert tree() == ["e", "e/e_0", "e/e_1", "m", "orchestrator", "smartsim_params.txt", "unrelated"]


def test_without_overwrite_an_ensemble_and_a_database_keep_their_content():
    for directory in ("exp/e", "exp/orchestrator"):
        Path(directory).mkdir(parents=True)
        Path(directory, "old").touch()
    make(ensemble(), Orchestrator())
    assert tree() == ["e", "e/e_0", "e/e_1", "e/old", "orchestrator", "orchestrator/old", "smartsim_params.txt"]


def test_overwriting_a_link_leaves_what_it_leads_to():
    Path("scratch").mkdir()
    Path("scratch/precious").touch()
    Path("exp").mkdir()
    Path("exp/m").symlink_to(Path("scratch").absolute())
    make(model(), overwrite=True)
    assert Path("scratch/precious").exists()
    assert not Path("exp/m").is_symlink()


def test_a_running_database_stays_where_it_is(folder: Path, caplog: pytest.LogCaptureFixture):
    database = Orchestrator(path="db")
    make(database)
    Path("db/dump").touch()
    for name in ("orchestrator", "orchestrator_0"):
        make(database, model(), overwrite=True, running=[name])
        assert Path("db/dump").exists()
        assert "orchestrator is running" in caplog.text


def test_another_running_entity_does_not_matter():
    make(model())
    make(model(), overwrite=True, running={"n", "e_0"})


def test_the_record_is_begun_anew():
    Path("exp").mkdir()
    Path("exp/smartsim_params.txt").write_text("old")
    make()
    assert "old" not in Path("exp/smartsim_params.txt").read_text()


# --- attached files --------------------------------------------------------------------------------------------------


def test_files_are_copied_with_their_content_only(folder: Path):
    Path("run.sh").write_bytes(b"\x00\xff\r\n;A;")
    Path("run.sh").chmod(0o755)
    one = model(params={"A": 1})
    one.attach_generator_files(to_copy=["run.sh"])
    make(one)
    copy = folder / "exp/m/run.sh"
    assert copy.read_bytes() == b"\x00\xff\r\n;A;"
    assert not os.access(copy, os.X_OK)
    assert tree() == ["m", "m/run.sh", "smartsim_params.txt"]


def test_the_contents_of_folders_are_copied(folder: Path):
    Path("d/sub/empty").mkdir(parents=True)
    Path("d/run.sh").touch(0o755)
    Path("d/sub/x").write_text("x")
    Path("d/sub/link").symlink_to("x")
    Path("other/sub").mkdir(parents=True)
    Path("other/sub/y").touch()
    Path("d/folder-link").symlink_to(folder / "other")
    one = model()
    one.attach_generator_files(to_copy=["d", "other"])
    make(one)
    assert tree("exp/m") == [
        "folder-link",
        "folder-link/sub",
        "folder-link/sub/y",
        "run.sh",
        "sub",
        "sub/empty",
        "sub/link",
        "sub/x",
        "sub/y",
    ]
    assert os.access("exp/m/run.sh", os.X_OK)
    assert not Path("exp/m/sub/link").is_symlink()


def test_links_lead_to_the_source(folder: Path):
    Path("d").mkdir()
    Path("f").touch()
    Path("to-f").symlink_to("f")
    one = model()
    one.attach_generator_files(to_symlink=["d/", "f", "to-f"])
    make(one)
    assert {name: str(Path("exp/m", name).readlink()) for name in ("d", "f", "to-f")} == {
        "d": f"{folder}/d",
        "f": f"{folder}/f",
        "to-f": f"{folder}/to-f",
    }


def test_tags_are_replaced_in_files_and_folders(folder: Path):
    Path("d/sub").mkdir(parents=True)
    Path("d/top").write_bytes(b"a = ;A;\r\nb = ;B;")
    Path("d/sub/low").write_text("é ;A; ;U;\n", encoding="utf-8")
    Path("single").write_text("nothing")
    one = model(params={"A": 1, "B": "zwei", "unused": 3})
    one.attach_generator_files(to_configure=["d", "single"])
    make(one)
    assert Path("exp/m/top").read_bytes() == b"a = 1\r\nb = zwei"
    assert Path("exp/m/sub/low").read_text(encoding="utf-8") == "é 1 U\n"
    assert Path("exp/m/single").read_text() == "nothing"
    assert Path("d/top").read_bytes() == b"a = ;A;\r\nb = ;B;"


def test_a_custom_tag(folder: Path):
    Path("in").write_text("@@A@@ ;A;")
    one = model(params={"A": 1})
    one.attach_generator_files(to_configure=["in"])
    make(one, tag="@@")
    assert Path("exp/m/in").read_text() == "1 ;A;"


def test_one_warning_for_all_members(caplog: pytest.LogCaptureFixture):
    Path("in").write_text(";U;\n\n;U; ;A;")
    several = ensemble(params={"A": [1, 2, 3]})
    several.attach_generator_files(to_configure=["in"])
    make(several)
    assert caplog.text.count("Unused tag U on line(s): [1, 3]") == 1
    assert [Path(member.path, "in").read_text() for member in several] == ["U\n\nU 1", "U\n\nU 2", "U\n\nU 3"]


def test_a_configured_file_takes_the_place_of_its_copy():
    Path("d").mkdir()
    Path("d/in").write_text(";A;")
    Path("d/data").touch()
    one = model(params={"A": 1})
    one.attach_generator_files(to_copy=["d"], to_configure=["d/in"])
    make(one)
    assert tree("exp/m") == ["data", "in", "smartsim_params.txt"]
    assert Path("exp/m/in").read_text() == "1"


def test_of_two_files_with_one_name_the_latter_is_used(caplog: pytest.LogCaptureFixture):
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "f").write_text(name)
    one = model()
    one.attach_generator_files(to_copy=["a/f", "b/f"])
    make(one)
    assert Path("exp/m/f").read_text() == "b"
    assert "the latter is used" in caplog.text


@pytest.mark.parametrize("room", [0, 10, 1 << 26])
def test_files_that_are_not_kept_in_memory(room: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fileset, "_CACHE", room)
    content = os.urandom(100) * 20_000
    Path("big").write_bytes(content)
    Path("small").write_text(";A;")
    Path("d").mkdir()
    shutil.copy("big", "d/big.exe")
    Path("d/big.exe").chmod(0o755)
    several = ensemble(params={"A": [1, 2]})
    several.attach_generator_files(to_copy=["big", "d"], to_configure=["small"])
    make(several)
    for index, member in enumerate(several):
        assert Path(member.path, "big").read_bytes() == content
        assert os.access(f"{member.path}/big.exe", os.X_OK)
        assert Path(member.path, "small").read_text() == str(index + 1)


def test_names_that_are_not_unicode(folder: Path):
    name = os.fsdecode(b"\xff\xfe")
    Path(name).write_text(";A;")
    one = model(params={"A": 1})
    one.attach_generator_files(to_configure=[name])
    make(one)
    assert Path("exp/m", name).read_text() == "1"
    assert b"m/\xff\xfe" in Path("exp/smartsim_params.txt").read_bytes()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_any_content_is_copied_byte_by_byte(content: bytes):
    Path("f").write_bytes(content)
    one = model()
    one.attach_generator_files(to_copy=["f"])
    make(one, overwrite=True)
    assert Path("exp/m/f").read_bytes() == content


# --- the record ------------------------------------------------------------------------------------------------------


def test_the_record_of_parameters(folder: Path):
    Path("d/sub").mkdir(parents=True)
    Path("d/in").write_text(";B; ;A; ;B;")
    Path("d/sub/in").write_text(";A;")
    Path("d/none").write_text("none")
    several = ensemble("e", {"A": [1, 20], "B": ["x"]})
    several.attach_generator_files(to_configure=["d"])
    outside = model("o", {"A": 5}, path="out")
    outside.attach_generator_files(to_configure=["d/sub"])
    plain = model("p", {"A": 5})
    plain.attach_generator_files(to_configure=["d/none"])
    make(several, outside, plain)

    def entry(name: str, files: dict[str, dict[str, str]]) -> str:
        rows = [[file, tabulate(params.items(), headers=["Name", "Value"])] for file, params in files.items()]
        return f"Model name: {name}\n{tabulate(rows, headers=['File name', 'Parameters'])}\n\n"

    expected = [
        entry(f"e_{i}", {f"e/e_{i}/in": {"B": "x", "A": value}, f"e/e_{i}/sub/in": {"A": value}})
        for i, value in enumerate(["1", "20"])
    ]
    expected.append(entry("o", {f"{folder}/out/in": {"A": "5"}}))
    _, _, entries = Path("exp/smartsim_params.txt").read_text().partition("\n")
    assert entries == "".join(expected)
    assert Path("exp/e/e_1/smartsim_params.txt").read_text() == expected[1]
    assert Path("out/smartsim_params.txt").read_text() == expected[2]
    assert tree("exp/p") == ["none"]


words = st.from_regex("[a-z/_.]{1,20}", fullmatch=True)


@given(
    st.dictionaries(words, st.dictionaries(words, st.integers().map(str), min_size=1), min_size=1)
    | st.dictionaries(
        words, st.dictionaries(words, st.from_regex("[a-z,;:= ]*x", fullmatch=True), min_size=1), min_size=1
    )
)
def test_the_record_looks_as_tabulate_would_make_it(files):
    rows = [[file, tabulate(params.items(), headers=["Name", "Value"])] for file, params in files.items()]
    assert record.entry("m", files) == f"Model name: m\n{tabulate(rows, headers=['File name', 'Parameters'])}\n\n"


@pytest.mark.parametrize("value", ["0.10", "1e3", "123456789.123456789", "007", "nan", "", "a|b", "  ", "two\nlines"])
def test_values_are_shown_as_they_were_written(value: str):
    text = record.entry("m", {"f": {"a": value}})
    assert all(line in text for line in value.split())


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose(verbose: bool, folder: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG", logger="SmartSim")
    make(model(), verbose=verbose)
    levels = [one.levelname for one in caplog.records if f"{folder}/exp/m" in one.getMessage()]
    assert levels == ["INFO" if verbose else "DEBUG"]
