"""`Model.colocate_db_tcp` and its relatives: what the run settings remember."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.entity import Model
from smartsim.entity.colocation import pinning_string
from smartsim.error import SSUnsupportedError
from smartsim.settings import RunSettings


def model() -> Model:
    return Model("m", {}, RunSettings("echo"))


def test_tcp():
    entity = model()
    assert not entity.colocated
    entity.colocate_db_tcp(
        port=6780, ifname=["lo", "eth0"], db_cpus=2, debug=True, db_identifier="db", threads_per_queue=1, maxclients=9
    )
    assert entity.colocated
    assert entity.run_settings.colocated_db_settings == {
        "port": 6780,
        "ifname": ["lo", "eth0"],
        "cpus": 2,
        "custom_pinning": "0,1",
        "debug": True,
        "db_identifier": "db",
        "rai_args": {"threads_per_queue": 1, "inter_op_parallelism": None, "intra_op_parallelism": None},
        "extra_db_args": {"maxclients": "9"},
        "db_models": [],
        "db_scripts": [],
    }


def test_uds():
    entity = model()
    entity.colocate_db_uds(unix_socket="/tmp/a-b_c.socket", socket_permissions=700)
    stored = entity.run_settings.colocated_db_settings
    assert (stored["unix_socket"], stored["socket_permissions"], stored["port"]) == ("/tmp/a-b_c.socket", 700, 0)
    assert stored["custom_pinning"] == "0"
    assert "ifname" not in stored


def test_the_earlier_name_warns():
    entity = model()
    with pytest.warns(FutureWarning, match="colocate_db_tcp"):
        entity.colocate_db(port=1234, db_cpus=3)
    assert entity.run_settings.colocated_db_settings["port"] == 1234


def test_a_second_database_replaces_the_first(caplog: pytest.LogCaptureFixture):
    entity = model()
    entity.colocate_db_tcp()
    entity.colocate_db_uds()
    assert "replaces" in caplog.text
    assert "unix_socket" in entity.run_settings.colocated_db_settings


@pytest.mark.parametrize("name", ["inter_op", "intra_op"])
@pytest.mark.parametrize("ending", ["threads", "parallelism"])
def test_threads_under_both_of_their_names(name: str, ending: str):
    entity = model()
    entity.colocate_db_tcp(**{f"{name}_{ending}": 3})
    stored = entity.run_settings.colocated_db_settings
    assert stored["rai_args"][f"{name}_parallelism"] == 3
    assert stored["extra_db_args"] == {}
    with pytest.raises(TypeError, match=name):
        entity.colocate_db_tcp(**{f"{name}_threads": 1, f"{name}_parallelism": 1})


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [
        ({"port": "6379"}, TypeError),
        ({"port": True}, TypeError),
        ({"port": 0}, ValueError),
        ({"port": 65536}, ValueError),
        ({"db_cpus": 0}, ValueError),
        ({"db_cpus": 1.5}, TypeError),
        ({"limit_app_cpus": True}, SSUnsupportedError),
        ({"custom_pinning": 5}, TypeError),
        ({"custom_pinning": "1,2"}, TypeError),
        ({"custom_pinning": ["1"]}, TypeError),
        ({"custom_pinning": [1.0]}, TypeError),
        ({"custom_pinning": [None]}, TypeError),
        ({"custom_pinning": [True]}, TypeError),
        ({"custom_pinning": [[1, "2"]]}, TypeError),
        ({"custom_pinning": [-1]}, ValueError),
        ({"custom_pinning": [0, range(-2, 2)]}, ValueError),
    ],
)
def test_refused(kwargs, error):
    entity = model()
    with pytest.raises(error):
        entity.colocate_db_tcp(**kwargs)
    assert not entity.colocated


@pytest.mark.parametrize("name", ["a b", "a;b", "$(x)", "a\n", "é", "a\0", "'"])
def test_socket_names(name: str):
    entity = model()
    with pytest.raises(ValueError, match="unix_socket"):
        entity.colocate_db_uds(unix_socket=name)
    with pytest.raises(TypeError, match="unix_socket"):
        entity.colocate_db_uds(unix_socket=7)  # type: ignore[arg-type]
    assert not entity.colocated


def test_not_beside_several_programs_nor_without_settings():
    entity = model()
    entity.run_settings.mpmd = [RunSettings("echo")]  # type: ignore[attr-defined]
    with pytest.raises(SSUnsupportedError, match="several programs"):
        entity.colocate_db_tcp()
    with pytest.raises(ValueError, match="run settings"):
        Model("m", {}, None).colocate_db_tcp()  # type: ignore[arg-type]


def test_not_with_objects_that_live_in_this_process():
    for add in (
        lambda entity: entity.add_ml_model("a", "TF", model=b"x"),
        lambda entity: entity.add_function("f", function=len),
    ):
        entity = model()
        add(entity)
        with pytest.raises(SSUnsupportedError, match="colocated"):
            entity.colocate_db_tcp()
        assert not entity.colocated


def test_settings_may_prepare_themselves():
    calls = []
    entity = model()
    entity.run_settings._prep_colocated_db = calls.append  # type: ignore[attr-defined]
    entity.colocate_db_tcp(db_cpus=5)
    assert calls == [5]


# --- pinning ---------------------------------------------------------------------------------------------------------

ids = st.integers(0, 300)


@given(st.lists(ids | st.lists(ids) | st.sets(ids) | st.builds(range, ids, ids)))
def test_pinning_is_flat_sorted_by_number_and_without_repetition(pins):
    flat = {number for item in pins for number in ([item] if isinstance(item, int) else item)}
    assert pinning_string(pins, 1) == (",".join(map(str, sorted(flat))) or None)
    assert pinning_string(iter(pins), 1) == pinning_string(pins, 1)


@pytest.mark.parametrize(
    ("pins", "cpus", "expected"),
    [
        (None, 1, "0"),
        (None, 3, "0,1,2"),
        ([], 3, None),
        ([2, 10, 1], 1, "1,2,10"),
        (range(1, 3), 1, "1,2"),
        ([[]], 1, None),
    ],
)
def test_pinning_table(pins, cpus, expected):
    assert pinning_string(pins, cpus) == expected


def test_pinning_on_macos(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert pinning_string(None, 2) is None
    assert pinning_string([], 2) is None
    with pytest.warns(RuntimeWarning, match="macOS"):
        assert pinning_string([1], 2) is None
