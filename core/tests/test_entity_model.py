"""`Model`: names, parameters, data sources, objects for the database; what is refused, and how."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.entity import DBModel, DBScript, Ensemble, EntityList, Model, SmartSimEntity, TelemetryConfiguration
from smartsim.error import EntityExistsError, SSUnsupportedError
from smartsim.settings import RunSettings
from smartsim.settings.base import BatchSettings


def model(name: str = "m", params: object = None, **kwargs: object) -> Model:
    return Model(name, {} if params is None else params, RunSettings("echo"), **kwargs)  # type: ignore[arg-type]


# --- names -----------------------------------------------------------------------------------------------------------

GOOD_NAMES = [
    "m",
    "a b",
    "-x",
    "$(touch pwned)",
    "`id`",
    "a;b&c|d",
    "*?[x]",
    "'\"",
    "naïve",
    "数",
    "\\",
    "a" * 220,
    "...",
]
BAD_NAMES = {
    None: AttributeError,
    "": ValueError,
    ".": ValueError,
    "..": ValueError,
    ".smartsim": ValueError,
    "smartsim_params.txt": ValueError,
    "a/b": ValueError,
    "/abs": ValueError,
    "a\nb": ValueError,
    "a\rb": ValueError,
    "a\tb": ValueError,
    "a\0b": ValueError,
    "a\x1b[31m": ValueError,
    "a\x7f": ValueError,
    "\udc80": ValueError,
    "a" * 221: ValueError,
    "數" * 74: ValueError,
    "a" * 10_000: ValueError,
    7: TypeError,
    b"m": TypeError,
    ("m",): TypeError,
}


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_a_name_that_can_name_a_folder_is_taken(name: str, tmp_path: Path):
    assert model(name).name == name
    (tmp_path / name).mkdir()


@pytest.mark.parametrize("make", [model, lambda name: Ensemble(name, {}, run_settings=RunSettings("echo"), replicas=1)])
@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:20])
def test_a_name_that_cannot_is_refused(make, name):
    with pytest.raises(BAD_NAMES[name]) as caught:
        make(name)
    assert "name" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_member_of_an_ensemble_has_a_possible_name_too():
    with pytest.raises(ValueError, match="221 bytes"):
        Ensemble("e" * 219, {}, run_settings=RunSettings("echo"), replicas=1)


# --- folders ---------------------------------------------------------------------------------------------------------


def test_the_default_folder_is_the_working_directory_at_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    entity = model()
    assert entity.path == str(tmp_path)
    assert not entity.path_is_chosen


@pytest.mark.parametrize("path", ["sub", "./sub", "x/../sub", Path("sub")])
def test_a_folder_is_made_absolute_once(path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    entity = model(path=path)
    monkeypatch.chdir("/")
    assert entity.path == str(tmp_path / "sub")
    assert entity.path_is_chosen


def test_set_path_chooses_and_place_does_not():
    entity = model()
    entity.set_path("/a")
    assert (entity.path, entity.path_is_chosen) == ("/a", True)
    entity.place("/b")
    assert (entity.path, entity.path_is_chosen) == ("/b", False)
    entity.path = "/c"
    assert entity.path_is_chosen


@pytest.mark.parametrize("path", [1, None, b"x", Path("x"), ["x"]])
def test_set_path_takes_text_only(path):
    for entity in (model(), Ensemble("e", {}, run_settings=RunSettings("echo"), replicas=2)):
        before = entity.path
        with pytest.raises(TypeError, match="path"):
            entity.set_path(path)
        assert entity.path == before


def test_a_path_with_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        model(path="a\0b")


# --- identity --------------------------------------------------------------------------------------------------------


def test_models_are_equal_when_their_names_are():
    one, two, other = model("m", {"a": 1}), model("m"), model("n")
    assert one == two
    assert hash(one) == hash(two) == hash("m")
    assert one != other
    assert one != "m"
    assert {one, two, other} == {one, other}


def test_texts():
    entity = model("m", {"a": 1})
    assert repr(entity) == "m"
    assert entity.type == "Model"
    assert "Batch Command: sbatch" in str(model(batch_settings=BatchSettings("sbatch")))
    assert "Name: m" in str(entity)
    assert "\ta = 1" in str(entity)
    assert repr(SmartSimEntity("x", None, RunSettings("echo"))) == "x"


def test_the_run_settings_are_not_copied():
    settings = RunSettings("echo")
    assert Model("m", {}, settings).run_settings is settings


def test_a_model_survives_pickle_and_copy():
    entity = model("m", {"a": 1})
    for twin in (pickle.loads(pickle.dumps(entity)), copy.deepcopy(entity)):
        assert (twin, twin.params, twin.path_is_chosen) == (entity, {"a": "1"}, False)


# --- parameters ------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.floats() | st.complex_numbers() | st.booleans()))
def test_texts_and_numbers_are_kept_as_text(params):
    assert model(params=params).params == {name: str(value) for name, value in params.items()}


def test_any_kind_of_number():
    assert model(params={"a": Decimal("0.10"), "b": Fraction(1, 3)}).params == {"a": "0.10", "b": "1/3"}


@pytest.mark.parametrize("value", [None, [1], (1,), {"x": 1}, b"x", object(), {1}])
def test_other_values_are_refused(value):
    with pytest.raises(TypeError, match="parameter 'a'"):
        model(params={"a": value})


@pytest.mark.parametrize("params", ["a=1", [("a", 1)], 7, {1: "x"}, {None: "x"}])
def test_parameters_are_a_dict_with_names(params):
    with pytest.raises(TypeError, match="params"):
        model(params=params)


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        ("--foo", "1", ["--foo=1"]),
        ("-foo", "1", ["-foo", "1"]),
        ("f", "1", ["-f", "1"]),
        ("foo", "1", ["--foo=1"]),
        ("-f", "1", ["-f", "1"]),
        ("foo", "a b", ["--foo=a", "b"]),
        ("foo", "$(rm -rf /)", ["--foo=$(rm", "-rf", "/)"]),
        ("foo", "", ["--foo="]),
    ],
)
def test_parameters_as_arguments(name: str, value: str, arguments: list[str]):
    entity = model(params={name: value, "other": 1}, params_as_args=[name])
    entity.params_to_args()
    assert entity.run_settings.exe_args == arguments


def test_arguments_of_a_missing_parameter_or_without_settings():
    entity = model(params={"a": 1}, params_as_args=["a", "b"])
    with pytest.raises(ValueError, match="'b'"):
        entity.params_to_args()
    assert entity.run_settings.exe_args == []
    with pytest.raises(ValueError, match="run_settings"):
        Model("m", {"a": 1}, None, params_as_args=["a"]).params_to_args()  # type: ignore[arg-type]


@pytest.mark.parametrize("names", ["a", 7, [1], [None]])
def test_the_names_of_arguments_are_a_list(names):
    with pytest.raises(TypeError, match="params_as_args"):
        model(params_as_args=names)


@pytest.mark.parametrize("settings", ["echo", ["echo"], {}, 7, BatchSettings("sbatch")])
def test_run_settings_are_run_settings(settings):
    with pytest.raises(TypeError, match="create_run_settings"):
        Model("m", {}, settings)
    with pytest.raises(TypeError, match="create_run_settings"):
        Ensemble("m", {}, run_settings=settings, replicas=1)


@pytest.mark.parametrize("settings", ["sbatch", {}, RunSettings("echo")])
def test_batch_settings_are_batch_settings(settings):
    with pytest.raises(TypeError, match="create_batch_settings"):
        model(batch_settings=settings)


# --- data ------------------------------------------------------------------------------------------------------------


def test_key_prefixing():
    entity = model()
    assert entity.query_key_prefixing() is False
    entity.enable_key_prefixing()
    assert entity.query_key_prefixing() is True
    entity.disable_key_prefixing()
    assert entity.query_key_prefixing() is False


def test_incoming_entities_are_registered_once():
    entity, source = model(), model("source")
    entity.register_incoming_entity(source)
    with pytest.raises(EntityExistsError, match="source"):
        entity.register_incoming_entity(model("source"))
    assert entity.incoming_entities == [source]


# --- objects for the database ----------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "content"
    path.write_text("def f(x):\n    return x\n")
    return str(path)


def test_models_and_scripts_are_added_in_order(file: str):
    entity = model()
    entity.add_ml_model("a", "torch", model=b"x", inputs="in", outputs=["out"], tag="t", batch_size=3)
    entity.add_ml_model("b", "TF", model_path=file, device="GPU", devices_per_node=2, first_device=1)
    entity.add_ml_model_object(DBModel("c", "onnx", b"x"))
    entity.add_script("s", script_path=file)
    entity.add_function("f", function="def f(x): return x")
    entity.add_function("g", function=len)
    entity.add_script_object(DBScript("h", "text"))
    assert [one.name for one in entity.db_models] == ["a", "b", "c"]
    assert [one.name for one in entity.db_scripts] == ["s", "f", "g", "h"]
    first, second, _ = entity.db_models
    assert (first.backend, first.inputs, first.outputs, first.tag, first.batch_size) == (
        "TORCH",
        ["in"],
        ["out"],
        "t",
        3,
    )
    assert second.devices == ["GPU:1", "GPU:2"]


def test_what_is_in_memory_only_does_not_reach_a_colocated_database(file: str):
    entity = model()
    entity.colocate_db_tcp()
    with pytest.raises(SSUnsupportedError, match="in memory"):
        entity.add_ml_model("a", "TF", model=b"x")
    with pytest.raises(SSUnsupportedError, match="in memory"):
        entity.add_ml_model_object(DBModel("a", "TF", b"x"))
    with pytest.raises(SSUnsupportedError, match="function"):
        entity.add_function("f", function=len)
    with pytest.raises(SSUnsupportedError, match="function"):
        entity.add_script_object(DBScript("f", len))
    entity.add_ml_model("b", "TF", model_path=file)
    entity.add_function("g", function="def g(x): return x")
    assert [one.name for one in entity.run_settings.colocated_db_settings["db_models"]] == ["b"]
    assert [one.name for one in entity.run_settings.colocated_db_settings["db_scripts"]] == ["g"]


# --- lists and telemetry ---------------------------------------------------------------------------------------------


def test_a_list_must_say_how_its_entities_are_made():
    with pytest.raises(NotImplementedError, match="EntityList"):
        EntityList("l", None)


def test_telemetry_is_off_by_default_and_calls_its_hooks():
    calls = []

    class Recorded(TelemetryConfiguration):
        def _on_enable(self) -> None:
            calls.append("on")

        def _on_disable(self) -> None:
            calls.append("off")

    assert TelemetryConfiguration().is_enabled is False
    telemetry = Recorded(enabled=True)
    telemetry.disable()
    assert telemetry.is_enabled is False
    telemetry.enable()
    assert telemetry.is_enabled is True
    assert calls == ["on", "off", "on"]
