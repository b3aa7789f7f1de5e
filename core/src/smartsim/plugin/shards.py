"""How a shard of a database says where it runs.

Only the shard itself knows on which node the scheduler put it, so its first lines of output hold one line that begins
with `SHARD_INFO` and goes on with the JSON of `LaunchedShardData`. Database plugins write and read that line, and
`smartsim.entity.DBNode` reads it too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import asdict, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SHARD_INFO", "LaunchedShardData", "parse_shard_info"]

SHARD_INFO = "SMARTSIM_ORC_SHARD_INFO"
"""What the first word of the line contains."""

_HIGHEST_PORT = 65535


@frozen
class LaunchedShardData:
    """Where a shard of a database listens.

    Attributes:
        name: name of the shard.
        hostname: IP address or host name that clients connect to.
        port: TCP port.
        cluster: whether the shard is part of a cluster.
    """

    name: str
    hostname: str
    port: int
    cluster: bool

    @property
    def cluster_conf_file(self) -> str | None:
        """Name of the file in which the shard keeps the state of its cluster; None for a single shard."""
        return f"nodes-{self.name}-{self.port}.conf" if self.cluster else None

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a dictionary of JSON values."""
        return asdict(self)


def parse_shard_info(lines: Iterable[str]) -> list[LaunchedShardData]:
    """Return the shards that the output `lines` announce, in order; anything else in the output is ignored."""
    found = (_parse_line(line) for line in lines if SHARD_INFO in line)
    return [shard for shard in found if shard is not None]


def _parse_line(line: str) -> LaunchedShardData | None:
    first, _, rest = line.strip().partition(" ")
    if SHARD_INFO not in first:
        return None
    try:
        fields = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    match fields:
        case {"name": str(name), "hostname": str(host), "port": int(port), "cluster": bool(cluster)}:
            valid = name and host and not isinstance(port, bool) and 0 < port <= _HIGHEST_PORT
            return LaunchedShardData(name, host, port, cluster) if valid else None
    return None
