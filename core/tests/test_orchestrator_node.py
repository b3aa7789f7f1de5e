"""A step of a database: where its shards listen, and the files it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.entity import DBNode
from smartsim.entity.dbnode import LaunchedShardData
from smartsim.error import SSDBFilesNotParseable
from smartsim.plugin.shards import SHARD_INFO, parse_shard_info
from smartsim.settings import RunSettings

shards = st.builds(
    LaunchedShardData,
    name=st.text(min_size=1),
    hostname=st.text(min_size=1),
    port=st.integers(1, 65535),
    cluster=st.booleans(),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "hostname", "port", "cluster", "other"]), inner),
    ),
)


def line(shard: LaunchedShardData) -> str:
    return f"{SHARD_INFO}: {json.dumps(shard.to_dict())}"


@given(st.lists(shards), st.text())
def test_announcements_are_found_between_other_output(announced: list[LaunchedShardData], other: str) -> None:
    noise = other.replace(SHARD_INFO, "")
    lines = [text for shard in announced for text in (noise, line(shard), "COMMAND: " + noise)]
    assert parse_shard_info(lines) == announced


@given(st.one_of(st.text(), anything.map(json.dumps)))
def test_reading_announcements_is_total(rest: str) -> None:
    for shard in parse_shard_info([f"{SHARD_INFO}: {rest}", rest]):
        assert 0 < shard.port < 65536
        assert shard.name
        assert shard.hostname


@given(shards)
def test_shard_data_is_a_dictionary_of_json(shard: LaunchedShardData) -> None:
    assert LaunchedShardData(**json.loads(json.dumps(shard.to_dict()))) == shard
    expected = f"nodes-{shard.name}-{shard.port}.conf" if shard.cluster else None
    assert shard.cluster_conf_file == expected


class Several(RunSettings):
    """Run settings of a command that starts several programs."""

    mpmd: tuple[RunSettings, ...] = ()


def node(path: Path, parts: int = 0, **changes: Any) -> DBNode:
    settings = Several("echo")
    settings.mpmd = tuple(RunSettings("echo") for _ in range(parts))
    values = {"name": "db_0", "ports": [7000], "output_files": ["db_0.out"]} | changes
    return DBNode(path=str(path), run_settings=settings, **values)


@pytest.mark.parametrize("files", [[], None, "db_0.out", [3], ["a", None]])
def test_a_node_has_output_files(tmp_path: Path, files: Any) -> None:
    with pytest.raises(ValueError, match="output_files must be a list of at least one file name"):
        node(tmp_path, output_files=files)


def test_hosts_come_from_the_output(tmp_path: Path) -> None:
    one = node(tmp_path)
    shard = LaunchedShardData("db_0", "10.1.2.3", 7000, False)
    (tmp_path / "db_0.out").write_text(f"before\n{line(shard)}\nafter\n")
    assert one.get_launched_shard_info() == [shard]
    assert (one.host, one.hosts) == ("10.1.2.3", ["10.1.2.3"])
    (tmp_path / "db_0.out").unlink()
    assert one.host == "10.1.2.3"
    one.clear_hosts()
    with pytest.raises(SSDBFilesNotParseable, match="Start the database first"):
        _ = one.host
    one.set_hosts(["a", "b"])
    with pytest.raises(ValueError, match=r"several hosts \(a, b\)"):
        _ = one.host


def test_a_step_of_several_shards_waits_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSIM_DB_FILE_PARSE_TRIALS", "3")
    monkeypatch.setenv("SMARTSIM_DB_FILE_PARSE_INTERVAL", "0.01")
    three = node(tmp_path, parts=2)
    assert (three.num_shards, three.is_mpmd) == (3, True)
    announced = [LaunchedShardData(f"db_{i}", f"10.0.0.{i}", 7000, True) for i in range(3)]
    file = tmp_path / "db_0.out"
    file.write_text("\n".join(map(line, announced[:2])))
    with pytest.raises(SSDBFilesNotParseable):
        three.get_launched_shard_info()
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        file.write_text("\n".join(map(line, announced)))

    monkeypatch.setattr("time.sleep", sleep)
    assert three.hosts == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    assert looks == [0.01]


def test_files_of_an_earlier_run_are_deleted_and_no_others(tmp_path: Path) -> None:
    stale = ["db_0.out", "db_0.err", "db_0.mpmd", "nodes-db_0-7000.conf"]
    for name in [*stale, "dump.rdb", "nodes-db_1-7000.conf", "db_1.out"]:
        (tmp_path / name).touch()
    node(tmp_path).remove_stale_dbnode_files()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db_1.out", "dump.rdb", "nodes-db_1-7000.conf"]


def test_files_of_every_shard_of_a_step_are_deleted(tmp_path: Path) -> None:
    for number in range(3):
        for name in (f"db_{number}.out", f"db_{number}.err", f"nodes-db_{number}-7000.conf"):
            (tmp_path / name).touch()
    node(tmp_path, parts=2).remove_stale_dbnode_files()
    assert not list(tmp_path.iterdir())
