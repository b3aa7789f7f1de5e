"""The example package of a site, installed, does what its documentation says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from source_tree import ROOT

PACKAGE = ROOT / "docs" / "examples" / "site-plugin"

DRIVER = """
import json, sys
from smartsim import Experiment
from smartsim.error import SmartSimError

exp = Experiment("site", launcher=sys.argv[1])
settings = exp.create_run_settings("sh", exe_args=["-c", "echo charged to $ACME_CHARGE_TO, nice $(nice)"])
model = exp.create_model("model", settings)
ensemble = exp.create_ensemble("members", run_settings=settings, replicas=2)
exp.preview(model, output_format="json", verbosity_level="developer", output_filename="preview.json")
exp.start(model, ensemble)
print(exp.launcher)
"""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as `pip install` leaves it, to be put on the path of a process."""
    folder = tmp_path_factory.mktemp("site-packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(folder), str(PACKAGE)], check=True, env=os.environ)
    return folder


def python(installed: Path, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), **variables}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def plugins(installed: Path, folder: Path, **variables: str) -> dict[str, dict[str, object]]:
    listed = python(installed, folder, "-m", "smartsim", "plugins", "--json", **variables)
    assert listed.returncode == 0, listed.stderr
    return {plugin["name"]: plugin for plugin in json.loads(listed.stdout)}


def test_smart_plugins_lists_it(installed: Path, tmp_path: Path):
    listed = plugins(installed, tmp_path)
    for name, kind in (("acme-nice", "launcher"), ("acme-site", "extension")):
        assert listed[name]["kind"] == kind
        assert (listed[name]["distribution"], listed[name]["version"]) == ("acme-smartsim", "2026.11")
        assert listed[name]["error"] is None


def test_an_experiment_with_its_launcher(installed: Path, tmp_path: Path):
    niceness = os.nice(0) + 10
    driver = python(installed, tmp_path, "-c", DRIVER, "acme-nice", ACME_PROJECT="stars")
    assert driver.returncode == 0, driver.stdout + driver.stderr
    folder = tmp_path / "site"
    for output in ("model/model.out", "members/members_0/members_0.out", "members/members_1/members_1.out"):
        assert (folder / output).read_text() == f"charged to stars, nice {niceness}\n"

    record = [json.loads(line) for line in (folder / "acme-record.jsonl").read_text().splitlines()]
    launched = [step for line in record for step in line.get("launched", [])]
    assert sorted(launched) == ["members_0-0", "members_1-0", "model-0"]
    ended = {line["entity"]: line["returncode"] for line in record if line.get("state") == "completed"}
    assert ended == {"model": 0, "members_0": 0, "members_1": 0}


def test_the_preview_format_shows_the_command_that_runs(installed: Path, tmp_path: Path):
    assert python(installed, tmp_path, "-c", DRIVER, "acme-nice", ACME_PROJECT="stars").returncode == 0
    preview = json.loads((tmp_path / "preview.json").read_text())
    assert preview["experiment"] or preview
    text = json.dumps(preview)
    assert '"nice", "-n", "10"' in text
    assert '"ACME_CHARGE_TO": "stars"' in text


def test_auto_takes_its_launcher_on_its_machine(installed: Path, tmp_path: Path):
    driver = python(installed, tmp_path, "-c", DRIVER, "auto", ACME_NODE_TYPE="login")
    assert driver.stdout.splitlines()[-1] == "acme-nice", driver.stderr


def test_the_extension_alone_serves_the_local_launcher(installed: Path, tmp_path: Path):
    driver = python(installed, tmp_path, "-c", DRIVER, "local")
    assert driver.returncode == 0, driver.stdout + driver.stderr
    assert (tmp_path / "site/model/model.out").read_text() == f"charged to public, nice {os.nice(0)}\n"


def test_it_can_be_left_out(installed: Path, tmp_path: Path):
    assert "acme-site" not in plugins(installed, tmp_path, SMARTSIM_DISABLE_PLUGINS="acme-smartsim")
    driver = python(installed, tmp_path, "-c", DRIVER, "local", SMARTSIM_DISABLE_PLUGINS="acme-site")
    assert driver.returncode != 0
    assert "PreviewFormatError" in driver.stderr


def test_a_wrapper_may_refuse_a_launch(installed: Path, tmp_path: Path):
    script = "import acme_smartsim.site as site; site.MOST_JOBS_AT_ONCE = 1" + DRIVER
    driver = python(installed, tmp_path, "-c", script, "local")
    assert driver.returncode != 0
    assert "SmartSimError" in driver.stderr
    assert "use a batch job" in driver.stderr
