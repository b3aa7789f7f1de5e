"""`Manifest.of`: what may be started, stopped, generated or asked about."""

from __future__ import annotations

import pytest

from smartsim.database import Orchestrator
from smartsim.engine.manifest import Manifest
from smartsim.entity import Ensemble, Model
from smartsim.error import SmartSimError
from smartsim.settings import RunSettings


def model(name: str = "m") -> Model:
    return Model(name, {}, RunSettings("echo"))


def ensemble(name: str = "e") -> Ensemble:
    return Ensemble(name, {}, run_settings=RunSettings("echo"), replicas=2)


def test_nothing_is_fine():
    assert Manifest.of([]) == Manifest()


def test_sorted_by_kind():
    first, second, third, database = model("first"), ensemble(), model("third"), Orchestrator()
    manifest = Manifest.of(iter([database, third, second, first]))
    assert manifest.models == (third, first)
    assert manifest.ensembles == (second,)
    assert manifest.dbs == (database,)


@pytest.mark.parametrize("wrong", [None, "m", 7, [model()], (), RunSettings("echo"), Model, Orchestrator().entities[0]])
def test_other_types(wrong):
    with pytest.raises(TypeError, match="one by one"):
        Manifest.of([model(), wrong])


@pytest.mark.parametrize("name", [None, ""])
@pytest.mark.parametrize("make", [model, ensemble, Orchestrator])
def test_no_name(make, name):
    entity = make()
    entity.name = name
    with pytest.raises(AttributeError, match="name"):
        Manifest.of([entity])


@pytest.mark.parametrize("others", [[model("x"), ensemble("x")], [model("x"), model("x")], [model("x")] * 2])
def test_one_name_twice(others):
    with pytest.raises(SmartSimError, match="'x'"):
        Manifest.of([model(), *others])


def test_empty():
    hollow = ensemble()
    hollow.entities.clear()
    with pytest.raises(ValueError, match="e is empty"):
        Manifest.of([hollow])
    with pytest.raises(ValueError, match="z is empty"):
        Manifest.of([Ensemble("z", {"a": []}, run_settings=RunSettings("echo"))])
