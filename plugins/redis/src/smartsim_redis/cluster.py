"""Makes a cluster of several shards, without any command-line tool."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from smartsim.error.errors import SmartSimError
from smartsim_redis.client import Connection, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from smartsim.values import DbNodeAddress

__all__ = ["SLOTS", "StartupError", "form_cluster", "is_usable", "known_addresses", "owned_slots", "slot_ranges"]

SLOTS = 16384
"""Number of hash slots that the shards of a cluster divide among themselves."""

_TIMEOUT = 5.0
_ROUND = 1.0
_JOINING_TIMEOUT_MS = 2000
_MOST_LISTED = 5


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


def known_addresses(nodes: str) -> set[str]:
    """Return ``host:port`` of the shards that the answering one has met, from its answer to ``CLUSTER NODES``."""
    known = set()
    for line in nodes.splitlines():
        fields = line.split()
        if len(fields) > 2 and not {"handshake", "noaddr"}.intersection(fields[2].split(",")):
            known.add(fields[1].partition("@")[0])
    return known


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
        try:
            links = {node: stack.enter_context(Connection(node, _TIMEOUT)) for node in nodes}
            for (node, link), slots in zip(links.items(), slot_ranges(len(nodes)), strict=True):
                _assign(node, link, slots)
            for number, link in enumerate(links.values(), 1):
                # Distinct epochs spare the shards a vote. One that has an epoch already refuses, which is as good.
                with suppress(ServerError):
                    link.command("CLUSTER", "SET-CONFIG-EPOCH", number)
            with ExitStack() as until_joined:
                for link in links.values():
                    until_joined.enter_context(_impatient(link))
                _await_joined(links, pause)
        except ServerError as error:
            raise StartupError(f"The shards {_listed(nodes)} could not be joined to a cluster: {error}") from error
        except OSError as error:
            pause("the shards to stay alive")
            raise StartupError(f"Lost the connection to a shard of {_listed(nodes)}: {error}") from error


@contextmanager
def _impatient(link: Connection) -> Iterator[None]:
    """Have a shard try a failed meeting again soon, instead of after the 15 s that suit a cluster at work.

    On a machine with eight processes to a core, 16 shards join in 3 s this way and in 10 to 17 s without.
    """
    name = "cluster-node-timeout"
    try:
        answer = link.command("CONFIG", "GET", name)
        link.command("CONFIG", "SET", name, _JOINING_TIMEOUT_MS)
    except ServerError:
        # The user's configuration may forbid CONFIG; joining only takes longer.
        yield
        return
    try:
        yield
    finally:
        if isinstance(answer, list) and len(answer) == 2:
            with suppress(ServerError, OSError):
                link.command("CONFIG", "SET", name, str(answer[1]))


def _await_joined(links: Mapping[DbNodeAddress, Connection], pause: Callable[[str], None]) -> None:
    next_round = 0.0
    while waiting := [node for node, link in links.items() if not _complete(link, len(links))]:
        if time.monotonic() >= next_round:
            _introduce(links)
            next_round = time.monotonic() + _ROUND
        pause(f"{_listed(waiting)} to join the cluster")


def _introduce(links: Mapping[DbNodeAddress, Connection]) -> None:
    """Have every shard meet every other one that it does not know.

    Gossip spreads the news of fewer meetings too, but needed 12 s for 16 shards where this took none.
    """
    for node, link in links.items():
        known = known_addresses(str(link.command("CLUSTER", "NODES")))
        for other in links:
            if other != node and str(other) not in known:
                link.command("CLUSTER", "MEET", other.host, other.port)


def is_usable(link: Connection) -> bool:
    """Return whether the shard at `link` says that its cluster can be used."""
    return _info(link).get("cluster_state") == "ok"


def _listed(nodes: Sequence[DbNodeAddress]) -> str:
    more = f" and {len(nodes) - _MOST_LISTED} more" if len(nodes) > _MOST_LISTED else ""
    return ", ".join(f"{node.name} ({node})" for node in nodes[:_MOST_LISTED]) + more


def _info(link: Connection) -> dict[str, str]:
    lines = str(link.command("CLUSTER", "INFO")).splitlines()
    return {key: value for key, _, value in (line.partition(":") for line in lines)}


def _complete(link: Connection, shards: int) -> bool:
    info = _info(link)
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
