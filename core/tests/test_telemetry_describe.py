"""What the journal's record of a run says of each entity."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from smartsim.database import Orchestrator
from smartsim.entity import Ensemble, Model
from smartsim.settings import RunSettings
from smartsim.settings.base import BatchSettings
from smartsim.telemetry.describe import describe_run


class Integer(int):
    """As numpy's integers are: a number that `json` may not know."""


def only_model(model):
    return describe_run("abc1234", [model], [], [])["models"][0]


def test_nothing_started():
    assert describe_run("abc1234", [], [], []) == {"run_id": "abc1234", "models": [], "ensembles": [], "databases": []}


def test_model(tmp_path):
    settings = RunSettings("/bin/echo", ["hello", "world"], run_args={"n": 2, "flag": None, "fraction": 0.5})
    model = Model("one", {"steps": "10"}, settings, path=str(tmp_path))
    described = only_model(model)
    assert described["name"] == "one"
    assert described["path"] == str(tmp_path)
    assert described["exe_args"] == ["hello", "world"]
    assert described["run_settings"] == {
        "exe": list(settings.exe),
        "run_command": None,
        "run_args": {"n": 2, "flag": None, "fraction": 0.5},
    }
    assert described["batch_settings"] == {}
    assert described["params"] == {"steps": "10"}
    assert described["files"] == {"Symlink": [], "Configure": [], "Copy": []}
    assert described["colocated_db"] == {}


def test_files(tmp_path):
    for name in ("copied", "linked", "tagged"):
        (tmp_path / name).write_text(name)
    model = Model("one", {}, RunSettings("/bin/echo"), path=str(tmp_path))
    model.attach_generator_files(
        to_copy=[str(tmp_path / "copied")],
        to_symlink=[str(tmp_path / "linked")],
        to_configure=[str(tmp_path / "tagged")],
    )
    assert only_model(model)["files"] == {
        "Symlink": [str(tmp_path / "linked")],
        "Configure": [str(tmp_path / "tagged")],
        "Copy": [str(tmp_path / "copied")],
    }


def test_batch_settings(tmp_path):
    batch = BatchSettings("submit", batch_args={"nodes": "2", "exclusive": None})
    model = Model("one", {}, RunSettings("/bin/echo"), path=str(tmp_path), batch_settings=batch)
    assert only_model(model)["batch_settings"] == {
        "batch_command": batch.batch_cmd,
        "batch_args": {"nodes": "2", "exclusive": None},
    }


def test_colocated_database(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"")
    model = Model("one", {}, RunSettings("/bin/echo"), path=str(tmp_path))
    model.colocate_db_tcp(port=6780, db_cpus=1)
    model.add_ml_model("net", "torch", model_path=str(tmp_path / "net.pt"), device="CPU")
    model.add_script("code", script="def f(x):\n    return x\n", device="CPU")
    colocated = only_model(model)["colocated_db"]
    assert colocated["settings"]["port"] == 6780
    assert not {"db_models", "db_scripts"} & set(colocated["settings"])
    assert colocated["models"] == [{"net": {"backend": "TORCH", "device": "CPU"}}]
    assert colocated["scripts"] == [{"code": {"backend": "TORCH", "device": "CPU"}}]


def test_ensemble(tmp_path):
    ensemble = Ensemble("all", {"a": [1, 2]}, path=str(tmp_path), run_settings=RunSettings("/bin/echo"))
    described = describe_run("abc1234", [], [ensemble], [])["ensembles"][0]
    assert described["name"] == "all"
    assert described["params"] == {"a": [1, 2]} or described["params"] == {"a": ["1", "2"]}
    assert [member["name"] for member in described["models"]] == ["all_0", "all_1"]
    assert [member["params"] for member in described["models"]] == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize(("shards", "cluster"), [(1, False), (3, True)])
def test_database(tmp_path, shards, cluster):
    database = Orchestrator(path=str(tmp_path), port=6800, db_nodes=shards, db_identifier="db")
    described = describe_run("abc1234", [], [], [database])["databases"][0]
    assert described["name"] == "db"
    assert described["type"] == "redis"
    assert described["interface"] == ["lo"]
    assert described["cluster"] is cluster
    assert described["telemetry"] is False
    assert [shard["name"] for shard in described["shards"]] == [f"db_{index}" for index in range(shards)]
    assert described["shards"][0]["port"] == 6800


def test_type_and_telemetry_of_a_database(tmp_path):
    database = Orchestrator(path=str(tmp_path), port=6800, db_identifier="db")
    database.telemetry.enable()
    described = describe_run("abc1234", [], [], [database], database_types={"db": "keydb"})["databases"][0]
    assert described["type"] == "keydb"
    assert described["telemetry"] is True


def test_everything_is_json_and_nothing_is_changed(tmp_path):
    settings = RunSettings("/bin/echo", run_args={"half": Fraction(1, 2), "one": Integer(1)})
    model = Model("one", {}, settings, path=str(tmp_path))
    first = describe_run("abc1234", [model], [], [])
    assert json.loads(json.dumps(first)) == first == describe_run("abc1234", [model], [], [])
    assert first["models"][0]["run_settings"]["run_args"] == {"half": 0.5, "one": 1}
    assert settings.run_args["half"] == Fraction(1, 2)
