"""Checks of the arguments of an `smartsim.database.Orchestrator`."""

from __future__ import annotations

import re
from typing import Any

from smartsim.error.errors import SSUnsupportedError

__all__ = ["hosts", "identifier", "interfaces", "ports", "positive", "shards", "text", "threads"]

_HIGHEST_PORT = 65535
_BUS_OFFSET = 10000
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:\-]+")


def positive(name: str, value: Any) -> int:
    """Return `value` when it is a positive int; `name` is for the message."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r} ({type(value).__name__})")
    if value <= 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def text(name: str, value: Any) -> str:
    """Return `value` when it is a str; `name` is for the message."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r} ({type(value).__name__})")
    return value


def threads(name: str, value: Any) -> int | None:
    """Return `value` when it is None or a positive int; `name` is for the message."""
    return None if value is None else positive(name, value)


def identifier(value: Any) -> None:
    """Refuse an identifier that cannot be part of the names of environment variables and files."""
    if isinstance(value, str) and value and not _IDENTIFIER.fullmatch(value):
        raise ValueError(
            f"db_identifier {value[:80]!r} may have only letters, digits, '_', '.', ':' and '-': "
            "clients find the database by an environment variable that ends with it"
        )


def shards(db_nodes: Any) -> int:
    """Return the number of shards."""
    number = positive("db_nodes", db_nodes)
    if number == 2:
        raise SSUnsupportedError("A database of two shards is not supported: use db_nodes=1, or 3 and more")
    return number


def ports(port: Any, number: int, *, each: bool) -> list[int]:
    """Return the ports of a database of `number` shards.

    Args:
        port: what the user gave.
        number: number of shards.
        each: whether each shard has a port of its own, because they share a machine.
    """
    first = positive("port", port)
    last = first + number - 1 if each else first
    # Shards talk to each other on a second port.
    highest = _HIGHEST_PORT - (_BUS_OFFSET if number > 1 else 0)
    if last > highest:
        raise ValueError(
            f"port {port} is too high for {number} shard(s): the ports {first} to {last} are needed, "
            f"and {highest} is the highest possible"
        )
    return list(range(first, last + 1))


def interfaces(value: Any) -> list[str]:
    """Return the names of interfaces."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"interface must be a str or a list of str, got {value!r} ({type(value).__name__})")
    bad = [name for name in names if not name or re.search(r"[\s,=\0]", name)]
    if bad or not names:
        raise ValueError(
            f"interface must name at least one network interface, for example 'lo' or ['ib0'], got {value!r}"
        )
    return list(names)


def hosts(value: Any) -> list[str]:
    """Return the names of hosts."""
    names = [value.strip()] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"host_list must be a str or a list of str, got {value!r} ({type(value).__name__})")
    return list(names)
