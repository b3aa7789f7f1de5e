"""The texts that cluster formation reads."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.error.errors import SSConfigError
from smartsim.values import DbNodeAddress
from smartsim_redis import client, cluster
from smartsim_redis.startup import start_timeout


@given(st.integers(1, 200))
def test_slots_are_divided_evenly_and_completely(shards: int) -> None:
    ranges = cluster.slot_ranges(shards)
    assert [slot for part in ranges for slot in part] == list(range(cluster.SLOTS))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


@given(st.text())
def test_reading_cluster_nodes_is_total(text: str) -> None:
    assert cluster.owned_slots(text) <= set(range(cluster.SLOTS))
    cluster.known_addresses(text)


def test_reading_cluster_nodes() -> None:
    text = (
        "aa 127.0.0.1:7001@17001,,tls-port=0,shard-id=1 myself,master - 0 0 1 connected 0-5 7 [9->-bb]\n"
        "bb 127.0.0.1:7002@17002 master - 0 0 2 connected 100-200\n"
        "cc 127.0.0.1:7003@17003 handshake - 0 0 0 connected\n"
        "dd :0@0 master,noaddr - 0 0 0 connected\n"
    )
    assert cluster.owned_slots(text) == {0, 1, 2, 3, 4, 5, 7}
    assert cluster.known_addresses(text) == {"127.0.0.1:7001", "127.0.0.1:7002"}


def test_the_start_timeout() -> None:
    assert start_timeout({}) == 20
    assert start_timeout({"SMARTSIM_DB_FILE_PARSE_TRIALS": "3", "SMARTSIM_DB_FILE_PARSE_INTERVAL": "0.5"}) == 1.5
    assert start_timeout({"SMARTSIM_DB_START_TIMEOUT": "7", "SMARTSIM_DB_FILE_PARSE_TRIALS": "3"}) == 7


@pytest.mark.parametrize("value", ["x", "0", "-1", "inf", "nan"])
def test_a_start_timeout_that_is_none_is_named(value: str) -> None:
    with pytest.raises(SSConfigError, match=f"^SMARTSIM_DB_START_TIMEOUT={value} must be a positive number"):
        start_timeout({"SMARTSIM_DB_START_TIMEOUT": value})


class OldServer:
    """A shard of before Redis 7, which assigns slots one by one."""

    def __init__(self) -> None:
        self.slots: list[int] = []

    def command(self, *words: str | int) -> client.Reply:
        if words == ("CLUSTER", "NODES"):
            return "aa 127.0.0.1:7001@17001 myself,master - 0 0 0 connected\n"
        if words[1] == "ADDSLOTSRANGE":
            raise client.ServerError("ERR Unknown subcommand or wrong number of arguments for 'ADDSLOTSRANGE'")
        assert words[1] == "ADDSLOTS"
        self.slots += [int(word) for word in words[2:]]
        return "OK"


def test_an_old_server_gets_its_slots_one_by_one() -> None:
    server = OldServer()
    node = DbNodeAddress(name="db_0", host="127.0.0.1", port=7001)
    cluster._assign(node, cast("client.Connection", server), range(5, 9))
    assert server.slots == [5, 6, 7, 8]
