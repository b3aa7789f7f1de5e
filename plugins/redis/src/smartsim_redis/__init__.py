"""Database backends: Valkey, Redis and KeyDB servers.

The modules:

- `smartsim_redis.plugin`: the hooks;
- `smartsim_redis.locate`: which server and configuration file to use;
- `smartsim_redis.shard`: the program that each shard of a database runs, on the node where the scheduler put it;
- `smartsim_redis.interfaces`: addresses of network interfaces;
- `smartsim_redis.client`: a connection to a server;
- `smartsim_redis.cluster`: makes a cluster of several shards.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["plugin"]


def __getattr__(name: str) -> Any:
    # Lazy: a shard imports this package too, and its start-up time is part of every database start.
    if name == "plugin":
        return import_module("smartsim_redis.plugin")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
