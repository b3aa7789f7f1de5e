"""The scripts of the user documentation run as they stand and give the documented tree, preview and table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from source_tree import ROOT

SCRIPTS = Path(__file__).parent / "data" / "seed"

# The scripts name port 6379, so no two of them may run at once.
pytestmark = pytest.mark.serial


def run(script: Path | str, folder: Path) -> str:
    """Run a driver script in `folder` as a user does; returns what it printed."""
    words = [sys.executable, str(script)] if isinstance(script, Path) else [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def smart(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "smartsim", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tree(folder: Path) -> set[str]:
    """Every file below `folder` but those of SmartSim itself."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in paths if ".smartsim" not in path.split("/")}


def outputs(folder: str, *names: str) -> set[str]:
    return {f"{folder}/{name}.{ending}" for name in names for ending in ("out", "err")}


def test_folders_by_default(tmp_path: Path):
    run(SCRIPTS / "default_paths.py", tmp_path)
    top = "experiment-example"
    assert tree(tmp_path) == (
        outputs(f"{top}/orchestrator", "orchestrator_0")
        | outputs(f"{top}/model-name", "model-name")
        | outputs(f"{top}/ensemble-name/ensemble-name_0", "ensemble-name_0")
        | outputs(f"{top}/ensemble-name/ensemble-name_1", "ensemble-name_1")
    )
    for output in ("model-name/model-name", "ensemble-name/ensemble-name_0/ensemble-name_0"):
        assert (tmp_path / top / f"{output}.out").read_text() == "hello world\n"
        assert (tmp_path / top / f"{output}.err").read_text() == ""


def test_folders_of_choice(tmp_path: Path):
    (tmp_path / "absolute/path/to/experiment-folder").mkdir(parents=True)
    run(SCRIPTS / "custom_paths.py", tmp_path)
    assert tree(tmp_path) == (
        outputs("absolute/path/to/experiment-folder/orchestrator", "orchestrator_0")
        | outputs("model-folder", "model-name")
        | outputs("ensemble-folder/ensemble-name_0", "ensemble-name_0")
        | outputs("ensemble-folder/ensemble-name_1", "ensemble-name_1")
    )
    assert (tmp_path / "model-folder/model-name.out").read_text() == "hello world\n"


def test_the_experiment_folder_must_exist(tmp_path: Path):
    script = (SCRIPTS / "custom_paths.py").read_text(encoding="utf-8")
    with pytest.raises(AssertionError, match="NotADirectoryError"):
        run(script, tmp_path)
    assert tree(tmp_path) == set()


# Lines of the documented preview, in order; `*` is what depends on the machine. Lists of values stand below their line.
PREVIEW = """
=== Experiment Overview ===

  Experiment Name: example-experiment
    Experiment Path: {folder}
    Launcher: local

=== Entity Preview ===

  == Orchestrators ==

    = Database Identifier: orchestrator =
        Path: {folder}/orchestrator
        Shards: 3
        TCP/IP Port(s):
          6379
          6380
          6381
        Network Interface: ib0
        Type: redis
        Executable: *

  == Models ==

    = Model Name: hello_world =
        Path: {folder}/hello_world
        Executable: *echo
        Executable Arguments:
          Hello
          World
        Client Configuration:
          Database Identifier: orchestrator
            Database Backend: redis
            TCP/IP Port(s):
              6379
              6380
              6381
            Type: Standalone
          Outgoing Key Collision Prevention (Key Prefixing):
            Tensors: Off
            Datasets: Off
            ML Models/Torch Scripts: Off
            Aggregation Lists: Off
"""


def test_hello_world(tmp_path: Path):
    printed = run(SCRIPTS / "hello_world.py", tmp_path)
    top = tmp_path / "example-experiment"

    assert tree(top) == {"smartsim_params.txt"} | outputs("hello_world", "hello_world") | outputs(
        "orchestrator", "orchestrator_0", "orchestrator_1", "orchestrator_2"
    ) | {path for path in tree(top) if path.startswith("orchestrator/") and not path.endswith((".out", ".err"))}
    assert (top / "hello_world/hello_world.out").read_text() == "Hello World\n"

    lines = iter(line.rstrip() for line in printed.splitlines())
    for wanted in filter(None, PREVIEW.format(folder=top).splitlines()):
        pattern = ".+".join(map(re.escape, wanted.split("*")))
        assert any(re.fullmatch(pattern, line) for line in lines), f"{wanted!r} is missing or too late in\n{printed}"

    # The first line of the table stands behind the prefix of its log record.
    table = [line[line.index("|") :] for line in printed.splitlines() if line.endswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert rows[0] == ["", "Name", "Entity-Type", "JobID", "RunID", "Time", "Status", "Returncode"]
    assert [[row[1], row[2], row[4], row[6], row[7]] for row in rows[2:]] == [
        ["hello_world", "Model", "0", "Completed", "0"],
        *(["orchestrator_" + str(shard), "DBNode", "0", "Cancelled", "0"] for shard in range(3)),
    ]
    assert all(re.fullmatch(r"\d+\.\d{4}", row[5]) for row in rows[2:])


def test_a_database_that_nobody_stopped_can_be_torn_down(tmp_path: Path):
    script, _, _ = (SCRIPTS / "hello_world.py").read_text(encoding="utf-8").partition("# Clobber")
    run(script, tmp_path)
    top = tmp_path / "example-experiment"
    jobs = {job["name"]: job for job in json.loads(smart(top, "ps", "--json"))}
    assert jobs["hello_world"]["status"] == "Completed"
    assert {name for name, job in jobs.items() if job["status"] == "Running"} == {f"orchestrator_{i}" for i in range(3)}
    smart(top, "teardown")
    jobs = {job["name"]: job for job in json.loads(smart(top, "ps", "--json"))}
    assert not [name for name, job in jobs.items() if job["status"] == "Running"]


def test_the_documentation_shows_these_scripts():
    page = (ROOT / "docs" / "quickstart" / "experiment.md").read_text(encoding="utf-8")
    shown = "\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    for script in SCRIPTS.glob("*.py"):
        for line in filter(None, script.read_text(encoding="utf-8").splitlines()):
            assert line in shown
