"""Makes a cluster of several shards, without any command-line tool."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from smartsim.error.errors import SmartSimError
from smartsim_redis.client import Connection, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from smartsim.values import DbNodeAddress

__all__ = ["SLOTS", "StartupError", "form_cluster", "is_usable", "owned_slots", "slot_ranges"]

SLOTS = 16384
"""Number of hash slots that the shards of a cluster divide among themselves."""

_TIMEOUT = 5.0


class StartupError(SmartSimError):
    """A database does not become usable, and it is not that a shard has ended."""


def slot_ranges(shards: int) -> list[range]:
    """Return the slots of each of `shards` shards: all slots, in order, as evenly as possible."""
    bounds = [(SLOTS * i + shards // 2) // shards for i in range(shards + 1)]
    return [range(low, high) for low, high in pairwise(bounds)]


def owned_slots(nodes: str) -> set[int]:
    """Return the slots that the answering shard owns, from its answer to ``CLUSTER NODES``."""
    for line in nodes.splitlines():
        fields = line.split()
        if len(fields) > 2 and "myself" in fields[2].split(","):
            return {slot for word in fields[8:] for slot in _slots_of(word)}
    return set()


def _slots_of(word: str) -> Iterator[int]:
    # A word in square brackets tells of a slot on its way to another shard: not (or no longer) owned for good.
    low, _, high = word.partition("-")
    if low.isdecimal() and (not high or high.isdecimal()):
        yield from range(int(low), min(int(high or low), SLOTS - 1) + 1)


def form_cluster(nodes: Sequence[DbNodeAddress], pause: Callable[[str], None]) -> None:
    """Join the answering shards `nodes` and wait until every one of them says that the cluster can be used.

    Does nothing that was done before, so it may be called on a cluster that exists.

    Args:
        nodes: the shards, which answer already.
        pause: waits a moment before the next look; raises when the time is up or a shard has ended. Its argument says
            what is being waited for.

    Raises:
        StartupError: a shard refused, or holds data of a cluster with other shards.
    """
    with ExitStack() as stack:
        links = [stack.enter_context(Connection(node, _TIMEOUT)) for node in nodes]
        try:
            for node, link, slots in zip(nodes, links, slot_ranges(len(nodes)), strict=True):
                _assign(node, link, slots)
            if any(_info(link).get("cluster_known_nodes") != str(len(nodes)) for link in links):
                _introduce(nodes, links)
        except (ServerError, OSError) as error:
            raise StartupError(f"The shards {_list(nodes)} could not be joined to a cluster: {error}") from error
        while waiting := [node for node, link in zip(nodes, links, strict=True) if not _complete(link, len(nodes))]:
            pause(f"{_list(waiting)} to join the cluster")


def _introduce(nodes: Sequence[DbNodeAddress], links: Sequence[Connection]) -> None:
    for number, link in enumerate(links, 1):
        # Distinct epochs spare the shards a vote. One that has an epoch already refuses, which is as good.
        with suppress(ServerError):
            link.command("CLUSTER", "SET-CONFIG-EPOCH", number)
    for node, link in zip(nodes, links, strict=True):
        # Every shard meets every other one. Gossip would spread the news of fewer meetings, but with 16 shards that was
        # measured to take 12 s, and this way no time at all.
        for other in nodes:
            if other != node:
                link.command("CLUSTER", "MEET", other.host, other.port)


def is_usable(link: Connection) -> bool:
    """Return whether the shard at `link` says that its cluster can be used."""
    return _info(link).get("cluster_state") == "ok"


def _list(nodes: Sequence[DbNodeAddress]) -> str:
    return ", ".join(f"{node.name} ({node})" for node in nodes)


def _info(link: Connection) -> dict[str, str]:
    lines = str(link.command("CLUSTER", "INFO")).splitlines()
    return {key: value for key, _, value in (line.partition(":") for line in lines)}


def _complete(link: Connection, shards: int) -> bool:
    try:
        info = _info(link)
    except (ServerError, OSError):
        return False
    wanted = {"cluster_state": "ok", "cluster_known_nodes": str(shards), "cluster_slots_assigned": str(SLOTS)}
    return all(info.get(key) == value for key, value in wanted.items())


def _assign(node: DbNodeAddress, link: Connection, slots: range) -> None:
    owned = owned_slots(str(link.command("CLUSTER", "NODES")))
    foreign = owned.difference(slots)
    if foreign:
        raise StartupError(
            f"{node.name} has loaded data of a database with another number of shards (hash slot {min(foreign)}). "
            "Move the dump files out of the database's folder, or start as many shards as before."
        )
    missing = sorted(set(slots) - owned)
    if not missing:
        return
    if len(missing) == len(slots):
        try:
            link.command("CLUSTER", "ADDSLOTSRANGE", slots.start, slots.stop - 1)
        except ServerError as error:
            if "unknown" not in str(error).lower():
                raise
        else:
            return
    # Servers before Redis 7 know only this form; the other one cannot leave slots out.
    link.command("CLUSTER", "ADDSLOTS", *missing)
