"""From entities to the value of a preview."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from smartsim.database import Orchestrator
from smartsim.entity import Ensemble, Model
from smartsim.error import AllocationError, SSConfigError
from smartsim.preview.build import build_preview
from smartsim.preview.options import Verbosity
from smartsim.preview.render import plain_text
from smartsim.preview.value import Preview
from smartsim.settings import RunSettings
from smartsim.settings.base import BatchSettings
from smartsim.values import DatabaseInfo, LaunchPlan


def server(engine: str) -> DatabaseInfo:
    return DatabaseInfo(type=engine, executable="/bin/server")


def plan_of(entity) -> LaunchPlan:
    return LaunchPlan(
        step=f"{entity.name}-0", argv=["run", entity.name], cwd="/", stdout="", stderr="", entity=entity.name
    )


def preview(database_info=server, **parts) -> Preview:
    return build_preview(experiment="exp", path="/exp", launcher="local", database_info=database_info, **parts)


def database(tmp_path: Path, identifier: str = "orchestrator", shards: int = 1) -> Orchestrator:
    return Orchestrator(path=str(tmp_path / identifier), port=6400, db_nodes=shards, db_identifier=identifier)


def model(tmp_path: Path, name: str = "sim") -> Model:
    return Model(name, {"a": "1"}, RunSettings("echo", ["Hello", "big world"]), path=str(tmp_path / name))


def test_a_database(tmp_path):
    (shown,) = preview(orchestrators=[database(tmp_path, "db", 3)], plan_of=plan_of).orchestrators
    assert (shown.identifier, shown.shards, shown.ports) == ("db", 3, (6400, 6401, 6402))
    assert (shown.type, shown.executable, shown.interfaces) == ("redis", "/bin/server", ("lo",))
    assert shown.path == str(tmp_path / "db")
    assert [plan.name for plan in shown.plans] == ["db_0", "db_1", "db_2"]
    assert not shown.started


def test_the_server_is_looked_for_once_and_only_for_a_database(tmp_path):
    asked = []

    def count(engine):
        asked.append(engine)
        return server(engine)

    preview(count, models=[model(tmp_path)])
    assert asked == []
    preview(count, orchestrators=[database(tmp_path, f"db{number}") for number in range(3)])
    assert asked == ["redis"]


def test_a_machine_without_a_server_has_a_preview(tmp_path):
    def missing(_engine):
        raise SSConfigError("no server was found")

    (shown,) = preview(missing, orchestrators=[database(tmp_path)]).orchestrators
    assert (shown.type, shown.executable) == ("redis", "none: no server was found")


def test_a_running_database_cannot_be_previewed_but_is_reachable(tmp_path):
    running = database(tmp_path)
    shown = preview(models=[model(tmp_path)], orchestrators=[running], active=[running], plan_of=plan_of)
    assert shown.orchestrators[0].started
    assert shown.orchestrators[0].plans == ()
    assert [item.identifier for item in shown.active] == ["orchestrator"]
    assert [item.identifier for item in shown.models[0].client.databases] == ["orchestrator"]


def test_a_model(tmp_path):
    other, sim = model(tmp_path, "other"), model(tmp_path)
    for name in ("tagged", "copied", "linked"):
        (tmp_path / name).touch()
    sim.attach_generator_files(
        to_configure=[str(tmp_path / "tagged")],
        to_copy=[str(tmp_path / "copied")],
        to_symlink=[str(tmp_path / "linked")],
    )
    sim.register_incoming_entity(other)
    sim.enable_key_prefixing()
    sim.add_ml_model("net", "TORCH", model=b"weights", inputs=["x"], outputs="y")
    sim.add_script("script", script_path=str(tmp_path / "copied"))
    shown = preview(models=[sim, other], orchestrators=[database(tmp_path)], plan_of=plan_of).models[0]
    assert (shown.name, shown.path) == ("sim", str(tmp_path / "sim"))
    assert shown.executable.endswith("/echo")
    assert (shown.arguments, shown.run_command, shown.params) == (("Hello", "big world"), None, {"a": "1"})
    assert shown.files.tagged == (str(tmp_path / "tagged"),)
    assert shown.files.copied == (str(tmp_path / "copied"),)
    assert shown.files.linked == (str(tmp_path / "linked"),)
    assert (shown.ml_models[0].name, shown.ml_models[0].path) == ("net", "")
    assert (shown.ml_models[0].inputs, shown.ml_models[0].outputs) == (("x",), ("y",))
    assert shown.scripts[0].path == str(tmp_path / "copied")
    assert (shown.key_prefix, shown.client.key_prefixing, shown.client.incoming) == ("sim", True, ("other",))
    assert shown.plans[0].plan.argv == ("run", "sim")


def test_a_model_without_a_database_has_no_client(tmp_path):
    assert preview(models=[model(tmp_path)]).models[0].client is None


def test_colocated_databases(tmp_path):
    tcp, uds = model(tmp_path, "tcp"), model(tmp_path, "uds")
    tcp.colocate_db_tcp(port=7000, ifname=["lo", "ib0"], db_cpus=2, db_identifier="colo")
    uds.colocate_db_uds(unix_socket="/tmp/x.sock", custom_pinning=[])
    shown = [item.client.colocated for item in preview(models=[tcp, uds]).models]
    assert (shown[0].identifier, shown[0].ports, shown[0].interfaces) == ("colo", (7000,), ("lo", "ib0"))
    assert (shown[0].connection, shown[0].cpus, shown[0].pinning) == ("TCP", 2, "0,1")
    assert (shown[1].connection, shown[1].unix_socket, shown[1].ports) == ("UDS", "/tmp/x.sock", ())
    assert (shown[1].pinning, shown[1].type) == (None, "redis")


def test_an_ensemble(tmp_path):
    ensemble = Ensemble(
        "ens", {"a": [1, 2], "b": 3}, path=str(tmp_path), run_settings=RunSettings("echo"), perm_strat="step"
    )
    (shown,) = preview(ensembles=[ensemble], plan_of=plan_of).ensembles
    assert (shown.params, shown.replicas, shown.strategy) == ({"a": ("1", "2"), "b": ("3",)}, None, "step")
    assert [member.plans[0].plan.argv[1] for member in shown.members] == [member.name for member in ensemble.models]
    assert shown.plans == ()
    replicas = Ensemble("ens", {}, path=str(tmp_path), run_settings=RunSettings("echo"), replicas=2)
    (shown,) = preview(ensembles=[replicas]).ensembles
    assert (shown.replicas, shown.strategy, len(shown.members)) == (2, "", 2)


def test_one_batch_job_has_one_command(tmp_path):
    batch = BatchSettings("submit", {"nodes": "2", "exclusive": None})
    ensemble = Ensemble(
        "ens", {}, path=str(tmp_path), run_settings=RunSettings("echo"), batch_settings=batch, replicas=2
    )
    alone = Model("alone", {}, RunSettings("echo"), path=str(tmp_path), batch_settings=batch)
    shown = preview(models=[alone], ensembles=[ensemble], plan_of=plan_of)
    for part in (shown.models[0], shown.ensembles[0]):
        assert (part.batch.command, part.batch.args) == ("submit", {"nodes": "2", "exclusive": None})
        assert [plan.plan.argv for plan in part.plans] == [("run", part.name)]
    assert [member.plans for member in shown.ensembles[0].members] == [(), ()]


def test_a_strategy_of_the_user_is_named(tmp_path):
    def mine(names, values, n_models=0):
        return [{names[0]: values[0][0]}]

    ensemble = Ensemble("ens", {"a": [1]}, path=str(tmp_path), run_settings=RunSettings("echo"), perm_strat=mine)
    assert preview(ensembles=[ensemble]).ensembles[0].strategy == "mine"


def test_a_command_that_cannot_be_told_yet_gives_the_reason(tmp_path):
    def no_allocation(_entity):
        raise AllocationError("there is no allocation")

    (shown,) = preview(models=[model(tmp_path)], plan_of=no_allocation).models
    assert (shown.plans[0].plan, shown.plans[0].problem) == (None, "there is no allocation")


def test_a_defect_is_not_hidden(tmp_path):
    def broken(_entity):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        preview(models=[model(tmp_path)], plan_of=broken)


def test_a_preview_has_no_side_effect(tmp_path):
    text = plain_text(preview(models=[model(tmp_path)], orchestrators=[database(tmp_path)]), Verbosity.DEVELOPER)
    assert "= Model Name: sim =" in text
    assert "= Database Identifier: orchestrator =" in text
    assert list(tmp_path.iterdir()) == []


def test_a_thousand_members_take_less_than_a_second(tmp_path):
    ensemble = Ensemble("ens", {}, path=str(tmp_path), run_settings=RunSettings("echo"), replicas=1000)
    before = time.process_time()
    text = plain_text(preview(ensembles=[ensemble], plan_of=plan_of), Verbosity.DEVELOPER)
    assert time.process_time() - before < 1
    assert text.count("Model Name") == 1000
