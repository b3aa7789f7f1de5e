"""Databases in an Experiment on the local launcher: real servers, members that talk to them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from ports import free_ports
from smartsim import Experiment
from smartsim.database import Orchestrator
from smartsim.error import SmartSimError, SSDBIDConflictError
from smartsim.status import SmartSimStatus

RUNNING, CANCELLED, COMPLETED = (
    SmartSimStatus.STATUS_RUNNING,
    SmartSimStatus.STATUS_CANCELLED,
    SmartSimStatus.STATUS_COMPLETED,
)

MEMBER = """
import os, redis
address = os.environ["SSDB{suffix}"].split(",")[0]
host, port = address.rsplit(":", 1)
kind = redis.RedisCluster if os.environ["SR_DB_TYPE{suffix}"] == "Clustered" else redis.Redis
with kind(host=host, port=int(port)) as client:
    client.set(os.environ.get("SSKEYOUT", "nobody") + ".value", os.environ["SR_SOCKET_TIMEOUT{suffix}"])
"""


def member(exp: Experiment, name: str, suffix: str = ""):
    settings = exp.create_run_settings(sys.executable, exe_args=["-c", MEMBER.replace("{suffix}", suffix)])
    return exp.create_model(name, settings, enable_key_prefixing=True)


def value(database: Orchestrator, key: str) -> bytes | None:
    host, port = database.get_address()[0].rsplit(":", 1)
    with redis.Redis(host=host, port=int(port)) as client:
        answer = client.get(key)
    assert answer is None or isinstance(answer, bytes)
    return answer


def test_a_member_finds_the_database_of_the_same_start(exp: Experiment) -> None:
    database = exp.create_database(port=free_ports(1), interface="lo")
    writer = member(exp, "writer")
    exp.start(database, writer)
    assert exp.get_status(writer, database) == [COMPLETED, RUNNING]
    assert value(database, "writer.value") == b"60000"
    exp.stop(database)
    assert exp.get_status(database) == [CANCELLED]
    assert not database.is_active()
    with pytest.raises(SmartSimError, match="Could not find database address"):
        database.get_address()


def test_the_summary_shows_the_shard_as_cancelled_with_exit_code_0(exp: Experiment) -> None:
    database = exp.create_database(port=free_ports(1), interface="lo")
    exp.start(database)
    exp.stop(database)
    row = exp.summary("plain").splitlines()[1].split()
    assert row[1:3] == ["orchestrator_0", "DBNode"]
    assert row[-2:] == ["Cancelled", "0"]


def test_three_shards_form_a_cluster(exp: Experiment) -> None:
    port = free_ports(3)
    database = exp.create_database(port=port, db_nodes=3, interface="lo")
    writer = member(exp, "writer")
    exp.start(database, writer)
    assert exp.get_status(writer, database) == [COMPLETED, RUNNING, RUNNING, RUNNING]
    assert database.get_address() == [f"127.0.0.1:{port + index}" for index in range(3)]
    with redis.RedisCluster(host="127.0.0.1", port=port) as client:
        assert client.get("writer.value") == b"60000"
    exp.stop(database)
    assert exp.get_status(database) == [CANCELLED] * 3


def test_several_databases_at_once(exp: Experiment) -> None:
    first = exp.create_database(port=free_ports(1), interface="lo")
    second = exp.create_database(port=free_ports(1), interface="lo", db_identifier="second")
    one, two = member(exp, "one"), member(exp, "two", suffix="_second")
    exp.start(first, second, one, two)
    assert value(first, "one.value") == b"60000"
    assert value(second, "two.value") == b"60000"
    assert value(first, "two.value") is None
    exp.stop(first, second)


def test_one_identifier_runs_once(exp: Experiment) -> None:
    first = exp.create_database(port=free_ports(1), interface="lo")
    second = exp.create_database(port=free_ports(1), interface="lo")
    exp.start(first)
    with pytest.raises(SSDBIDConflictError, match="db_identifier='orchestrator'"):
        exp.start(second)
    exp.stop(first)


def test_a_database_can_be_started_again(exp: Experiment) -> None:
    database = exp.create_database(port=free_ports(1), interface="lo")
    exp.start(database)
    exp.stop(database)
    exp.start(database)
    assert database.is_active()
    exp.stop(database)
    assert [row.split()[4] for row in exp.summary("plain").splitlines()[1:]] == ["0", "1"]


def test_a_taken_port_is_an_error_that_names_it_and_nothing_stays(
    exp: Experiment, new_experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    port = free_ports(1)
    first = exp.create_database(port=port, interface="lo")
    exp.start(first)
    other = new_experiment("other", tmp_path / "other")
    model = member(other, "writer")
    with pytest.raises(SmartSimError, match=str(port)):
        other.start(other.create_database(port=port, interface="lo", db_identifier="second"), model)
    assert other.get_status(model) == [SmartSimStatus.STATUS_NEVER_STARTED]
    exp.stop(first)


def test_a_server_that_dies_at_start_is_quoted(
    exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "broken.conf"
    conf.write_text("no-such-directive yes\n")
    monkeypatch.setenv("REDIS_CONF", str(conf))
    database = exp.create_database(port=free_ports(1), interface="lo")
    with pytest.raises(SmartSimError, match=r"(?s)failed during startup.*no-such-directive"):
        exp.start(database)
    assert not database.is_active()


RECONNECT = """
from smartsim import Experiment
exp = Experiment("exp", exp_path={path!r})
database = exp.create_database(port={port}, interface="lo", db_nodes={shards})
exp.start(database)
print(database.checkpoint_file)
"""


@pytest.mark.parametrize("shards", [1, 3])
def test_another_driver_takes_over_after_the_first_has_gone(
    new_experiment: Callable[..., Experiment], tmp_path: Path, shards: int
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    script = textwrap.dedent(RECONNECT.format(path=str(first), port=free_ports(shards), shards=shards))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    checkpoint = done.stdout.splitlines()[-1]
    exp = new_experiment("second")
    database = exp.reconnect_orchestrator(checkpoint)
    assert database.is_active()
    assert len(database.get_address()) == shards
    assert exp.get_status(database) == [RUNNING] * shards
    exp.stop(database)
    assert exp.get_status(database) == [CANCELLED] * shards
    with pytest.raises(SmartSimError, match="Failed to reconnect"):
        exp.reconnect_orchestrator(checkpoint)


def test_reconnecting_needs_a_checkpoint(exp: Experiment, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        exp.reconnect_orchestrator(str(tmp_path / "nothing.dat"))
    (tmp_path / "odd.dat").write_text("{}")
    with pytest.raises(SmartSimError):
        exp.reconnect_orchestrator(str(tmp_path / "odd.dat"))
