"""`Ensemble` and the strategies that make its members."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.entity import Ensemble, Model
from smartsim.entity.strategies import create_all_permutations, random_permutations, resolve, step_values
from smartsim.error import EntityExistsError, SmartSimError, SSUnsupportedError, UserStrategyError
from smartsim.settings import RunSettings
from smartsim.settings.base import BatchSettings


def settings() -> RunSettings:
    return RunSettings("echo", ["hello"])


def replicas(number: int = 2, **kwargs: object) -> Ensemble:
    return Ensemble("e", {}, run_settings=settings(), replicas=number, **kwargs)  # type: ignore[arg-type]


# --- strategies ------------------------------------------------------------------------------------------------------

spaces = st.dictionaries(st.text(min_size=1), st.lists(st.text(), max_size=5), min_size=1, max_size=4)


@given(spaces)
def test_all_perm_is_every_combination_and_the_last_changes_fastest(space):
    members = create_all_permutations(list(space), list(space.values()))
    assert members == [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


@given(spaces)
def test_step_goes_as_far_as_the_shortest(space):
    members = step_values(list(space), list(space.values()))
    assert len(members) == min(map(len, space.values()))
    for index, member in enumerate(members):
        assert member == {name: values[index] for name, values in space.items()}


@given(spaces, st.integers(0, 30))
def test_random_draws_different_combinations(space, number):
    unique = {name: [f"{index}:{value}" for index, value in enumerate(values)] for name, values in space.items()}
    everything = create_all_permutations(list(unique), list(unique.values()))
    members = random_permutations(list(unique), list(unique.values()), number)
    if 0 < number < len(everything):
        assert len(members) == number
        assert len({tuple(member.items()) for member in members}) == number
        assert all(member in everything for member in members)
    else:
        assert members == everything


def test_random_can_be_repeated_with_a_seed():
    random.seed(7)
    first = random_permutations(["a", "b"], [["1", "2", "3"], ["4", "5", "6"]], 4)
    random.seed(7)
    assert random_permutations(["a", "b"], [["1", "2", "3"], ["4", "5", "6"]], 4) == first


def test_random_does_not_make_what_it_does_not_draw():
    names = [f"p{index}" for index in range(12)]
    assert len(random_permutations(names, [list("0123456789")] * 12, 5)) == 5


@pytest.mark.parametrize("strategy", ["nonsense", "", "ALL_PERM", None, 7])
def test_an_unknown_strategy(strategy):
    with pytest.raises(SSUnsupportedError, match="all_perm, step, random"):
        Ensemble("e", {"a": [1]}, run_settings=settings(), perm_strat=strategy)


@pytest.mark.parametrize("result", [None, "text", {}, [1], [{}, "x"], ({},)])
def test_a_function_must_return_a_list_of_dictionaries(result):
    def mine(names: list[str], values: list[list[str]], n_models: int = 0) -> object:
        return result

    with pytest.raises(UserStrategyError, match="mine"):
        Ensemble("e", {"a": [1]}, run_settings=settings(), perm_strat=mine)


def test_a_function_gets_names_values_and_number():
    calls = []

    def mine(names, values, n_models):
        calls.append((names, values, n_models))
        return [{"a": 9}, {"b": "x"}]

    ensemble = Ensemble("e", {"a": [1, "2"], "b": 3}, run_settings=settings(), perm_strat=mine, n_models=4)
    assert calls == [(["a", "b"], [["1", "2"], ["3"]], 4)]
    assert [member.params for member in ensemble] == [{"a": "9"}, {"b": "x"}]


def test_resolve_knows_the_published_names():
    assert resolve("all_perm") is create_all_permutations
    assert resolve("step") is step_values
    assert resolve("random") is random_permutations


# --- what makes the members ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "run", "number", "batch", "result"),
    [
        ({"a": [1, 2, 3]}, True, None, False, 3),
        ({"a": [1, 2, 3]}, True, 7, False, 3),
        ({"a": [1, 2, 3]}, True, None, True, 3),
        ({"a": [1, 2], "b": ["x", "y"]}, True, None, False, 4),
        ({"a": 1, "b": "x"}, True, None, False, 1),
        ({"a": True}, True, None, False, 1),
        ({"a": [1.5, None, "x"]}, True, None, False, 3),
        ({}, True, 4, False, 4),
        ({}, True, 4, True, 4),
        (None, True, 4, True, 4),
        ({}, False, None, True, 0),
        ({}, False, 4, True, 0),
        ({"a": [1]}, False, None, False, SmartSimError),
        ({"a": [1]}, False, None, True, SmartSimError),
        ({}, True, None, False, SmartSimError),
        ({}, True, 0, True, SmartSimError),
        ({}, False, None, False, SmartSimError),
        ({}, False, 4, False, SmartSimError),
    ],
)
def test_the_table_of_members(params, run, number, batch, result):
    def make() -> Ensemble:
        return Ensemble(
            "e",
            params,
            batch_settings=BatchSettings("sbatch") if batch else None,
            run_settings=settings() if run else None,
            replicas=number,
        )

    if isinstance(result, int):
        ensemble = make()
        assert len(ensemble) == result
        assert ensemble.batch is batch
    else:
        with pytest.raises(result, match="'e'"):
            make()


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({"params": "a"}, TypeError),
        ({"params": [1]}, TypeError),
        ({"params": {1: [2]}}, TypeError),
        ({"params": {"a": 1.5}}, TypeError),
        ({"params": {"a": (1, 2)}}, TypeError),
        ({"params": {"a": None}}, TypeError),
        ({"params": {"a": {"b": 1}}}, TypeError),
        ({"params": {}, "replicas": "3"}, TypeError),
        ({"params": {}, "replicas": 1.5}, TypeError),
        ({"params": {}, "replicas": True}, TypeError),
        ({"params": {}, "replicas": -1}, ValueError),
        ({"params": {"a": [1]}, "n_models": -1}, ValueError),
        ({"params": {"a": [1]}, "n_models": "2"}, TypeError),
        ({"params": {"a": [1]}, "params_as_args": "a"}, TypeError),
        ({"params": {"a": [1]}, "params_as_args": ["b"]}, ValueError),
    ],
)
def test_arguments_that_are_refused(kwargs, error):
    with pytest.raises(error) as caught:
        Ensemble("e", run_settings=settings(), **kwargs)
    assert any(word in str(caught.value) for word in ("parameter", *kwargs))


def test_members(tmp_path: Path):
    own = settings()
    ensemble = Ensemble("e", {"a": [1, 2]}, path=str(tmp_path), params_as_args=["a"], run_settings=own)
    assert [member.name for member in ensemble] == ["e_0", "e_1"]
    assert [member.path for member in ensemble] == [f"{tmp_path}/e_0", f"{tmp_path}/e_1"]
    assert [member.params for member in ensemble] == [{"a": "1"}, {"a": "2"}]
    assert [member.run_settings.exe_args for member in ensemble] == [["hello", "-a", "1"], ["hello", "-a", "2"]]
    assert own.exe_args == ["hello"]
    assert ensemble.query_key_prefixing()
    assert ensemble.params == {"a": [1, 2]}
    assert ensemble.run_settings is own
    assert ensemble.type == "Ensemble"
    assert ensemble["e_1"] is ensemble.entities[1]
    assert ensemble["e_2"] is None
    assert len({id(member.run_settings) for member in ensemble}) == 2


def test_unknown_arguments_are_named(caplog: pytest.LogCaptureFixture):
    replicas(1, n_model=3)
    assert "n_model" in caplog.text


def test_models_is_a_copy():
    ensemble = replicas()
    ensemble.models.clear()
    assert len(ensemble) == len(ensemble.models) == 2


def test_set_path_is_for_all_and_place_for_each_below(tmp_path: Path):
    ensemble = replicas()
    ensemble.set_path(str(tmp_path))
    assert {ensemble.path, *(member.path for member in ensemble)} == {str(tmp_path)}
    assert ensemble.path_is_chosen
    assert not any(member.path_is_chosen for member in ensemble)
    ensemble.entities[1].set_path("/own")
    ensemble.place("/placed")
    assert [ensemble.path, *(member.path for member in ensemble)] == ["/placed", "/placed/e_0", "/own"]


# --- to every member -------------------------------------------------------------------------------------------------


def test_add_model():
    ensemble = replicas()
    ensemble.add_script("s", script="text")
    extra = Model("extra", {}, settings(), path="/extra")
    ensemble.add_model(extra)
    assert ensemble.entities[2] is extra
    assert extra.path == "/extra"
    assert not extra.query_key_prefixing()
    assert not ensemble.query_key_prefixing()
    assert [script.name for script in extra.db_scripts] == ["s"]


@pytest.mark.parametrize("model", ["e", None, RunSettings("echo")])
def test_add_model_takes_models(model):
    with pytest.raises(TypeError, match="Model"):
        replicas().add_model(model)


def test_add_model_refuses_a_name_twice():
    ensemble = replicas()
    with pytest.raises(EntityExistsError, match="e_1"):
        ensemble.add_model(Model("e_1", {}, settings()))
    assert len(ensemble) == 2


def test_an_added_model_with_an_object_of_the_same_name_is_left_alone():
    ensemble = replicas()
    ensemble.add_ml_model("first", "TF", model=b"x")
    ensemble.add_script("s", script="text")
    extra = Model("extra", {}, settings())
    extra.add_script("s", script="other")
    with pytest.raises(SSUnsupportedError, match="'s'"):
        ensemble.add_model(extra)
    assert list(extra.db_models) == []
    assert len(ensemble) == 2


def test_objects_are_shared_by_the_members():
    ensemble = replicas()
    ensemble.add_ml_model("a", "TF", model=b"x")
    ensemble.add_function("f", function=len)
    (db_model,) = ensemble.db_models
    (script,) = ensemble.db_scripts
    for member in ensemble:
        assert list(member.db_models) == [db_model]
        assert list(member.db_scripts) == [script]


@pytest.mark.parametrize("where", ["ensemble", "member"])
def test_objects_have_different_names(where: str):
    ensemble = replicas()
    owner = ensemble if where == "ensemble" else ensemble.entities[1]
    owner.add_ml_model("a", "TF", model=b"x")
    owner.add_script("a", script="text")
    for add in (
        lambda: ensemble.add_ml_model("a", "TF", model=b"y"),
        lambda: ensemble.add_script("a", script="other"),
        lambda: ensemble.add_function("a", function=len),
    ):
        with pytest.raises(SSUnsupportedError, match="'a'"):
            add()
    assert len(list(ensemble.entities[0].db_models)) == (where == "ensemble")


def test_nothing_is_added_when_one_member_cannot_have_it():
    ensemble = replicas()
    ensemble.entities[1].colocate_db_tcp()
    with pytest.raises(SSUnsupportedError, match="e_1"):
        ensemble.add_ml_model("a", "TF", model=b"x")
    assert list(ensemble.db_models) == list(ensemble.entities[0].db_models) == []


def test_incoming_entities_go_to_every_member_or_to_none():
    ensemble, source = replicas(), Model("source", {}, settings())
    ensemble.entities[1].register_incoming_entity(source)
    with pytest.raises(EntityExistsError, match="source"):
        ensemble.register_incoming_entity(source)
    assert ensemble.entities[0].incoming_entities == []
    other = Model("other", {}, settings())
    ensemble.register_incoming_entity(other)
    assert all(other in member.incoming_entities for member in ensemble)


def test_enable_key_prefixing_for_all():
    ensemble = replicas()
    for member in ensemble:
        member.disable_key_prefixing()
    assert not ensemble.query_key_prefixing()
    ensemble.enable_key_prefixing()
    assert ensemble.query_key_prefixing()
