"""The wheels that we would publish hold what they must: the code, its data files, the licence, and nothing else."""

from __future__ import annotations

import email
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from source_tree import ROOT

PROJECTS = [ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")), ROOT]


@pytest.fixture(scope="module", params=PROJECTS, ids=lambda project: project.relative_to(ROOT).as_posix())
def project(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(project)], check=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def test_it_holds_exactly_the_files_of_the_source_folder(project: Path, wheel: zipfile.ZipFile):
    source = project / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == wanted


def test_its_types_are_published(project: Path, wheel: zipfile.ZipFile):
    packages = {path.name for path in (project / "src").glob("*") if path.is_dir()}
    assert {f"{package}/py.typed" for package in packages} <= set(wheel.namelist())


def test_its_licence_is_in_it(wheel: zipfile.ZipFile):
    described = metadata(wheel)
    assert described["License-Expression"] == "BSD-2-Clause"
    (licence,) = [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_its_description_is_the_readme(project: Path, wheel: zipfile.ZipFile):
    described = metadata(wheel)
    assert described["Description-Content-Type"] == "text/markdown"
    assert described.get_payload().strip() == (project / "README.md").read_text(encoding="utf-8").strip()


def test_its_version_has_a_place_in_the_changelog(project: Path):
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["towncrier"]["name"] == settings["project"]["name"]
    assert settings["tool"]["towncrier"]["start_string"] in (project / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_root_distribution_depends_on_what_a_laptop_needs():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {dependency.partition(">")[0] for dependency in settings["project"]["dependencies"]}
    assert names == {"smartsim-core", "smartsim-plugin-local", "smartsim-plugin-redis"}
