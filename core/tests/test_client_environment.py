"""The variables through which an application finds its databases."""

from __future__ import annotations

import pytest

from smartsim.engine.environment import MAX_ADDRESSES, client_environment
from smartsim.values import DbNodeAddress, Deployment


def deployment(identifier: str, shards: int) -> Deployment:
    nodes = tuple(DbNodeAddress(name=f"{identifier}_{i}", host="10.0.0.1", port=6379 + i) for i in range(shards))
    return Deployment(identifier=identifier, engine="redis", nodes=nodes)


def test_one_shard_under_the_default_name() -> None:
    assert client_environment([deployment("orchestrator", 1)]) == {
        "SSDB": "10.0.0.1:6379",
        "SR_DB_TYPE": "Standalone",
        "SR_SOCKET_TIMEOUT": "60000",
    }


def test_several_databases_have_suffixes_and_types_of_their_own() -> None:
    variables = client_environment([deployment("orchestrator", 3), deployment("second", 1)])
    assert variables["SSDB"] == "10.0.0.1:6379,10.0.0.1:6380,10.0.0.1:6381"
    assert variables["SR_DB_TYPE"] == "Clustered"
    assert variables["SSDB_second"] == "10.0.0.1:6379"
    assert variables["SR_DB_TYPE_second"] == "Standalone"
    assert variables["SR_SOCKET_TIMEOUT_second"] == "60000"


def test_a_large_cluster_is_not_listed_whole() -> None:
    variables = client_environment([deployment("orchestrator", MAX_ADDRESSES + 10)])
    assert len(variables["SSDB"].split(",")) == MAX_ADDRESSES


def test_without_a_database_there_are_only_the_keys() -> None:
    assert client_environment([]) == {}
    assert client_environment([], incoming=["a", "b"], outgoing="me") == {"SSKEYIN": "a,b", "SSKEYOUT": "me"}


@pytest.mark.parametrize("name", ["SR_SOCKET_TIMEOUT", "SR_SOCKET_TIMEOUT_second"])
def test_a_socket_timeout_of_the_user_is_respected(name: str) -> None:
    variables = client_environment([deployment("orchestrator", 1), deployment("second", 1)], given={name: "5"})
    assert name not in variables
