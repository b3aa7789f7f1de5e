"""What the run settings of a Model remember of the database that runs beside it on each of its nodes."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, MutableMapping
from numbers import Integral
from typing import Any, TypeAlias

from smartsim.entity import checks
from smartsim.error import SSUnsupportedError

__all__ = ["Pinning", "check_interfaces", "check_socket_name", "common_settings", "pinning_string"]

Pinning: TypeAlias = Iterable[int | Iterable[int]]

_SOCKET_NAME = re.compile(r"[a-zA-Z0-9.:,_\-/]*")


def check_socket_name(unix_socket: Any) -> None:
    """Check that `unix_socket` has only characters that every tool on the way can take.

    Raises:
        TypeError: it is not a str.
        ValueError: it has another character.
    """
    if not isinstance(unix_socket, str):
        raise TypeError(f"unix_socket must be a str, not {type(unix_socket).__name__}: {unix_socket!r}")
    if not _SOCKET_NAME.fullmatch(unix_socket):
        raise ValueError(f"unix_socket={unix_socket!r} may only have letters, digits and the characters . : , _ - /")


def check_interfaces(ifname: Any) -> None:
    """Check that `ifname` names network interfaces.

    Raises:
        TypeError: it is neither a str nor a list of str.
        ValueError: it names none.
    """
    names = [ifname] if isinstance(ifname, str) else ifname
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"ifname must be a str or a list of str, not {type(ifname).__name__}: {ifname!r}")
    if not names or not all(names):
        raise ValueError(f"ifname={ifname!r} must name at least one network interface, for example 'lo'")


def pinning_string(pin_ids: Pinning | None, cpus: int) -> str | None:
    """Return the CPUs to pin a database to, in ascending order and separated by commas; None for no pinning.

    Args:
        pin_ids: CPU numbers, ranges or lists of them; None stands for the first `cpus` ones, empty for no pinning.
        cpus: number of CPUs of the database.

    Raises:
        TypeError: `pin_ids` is no iterable, or something in it is not an int.
        ValueError: a number is negative.

    Warns:
        RuntimeWarning: pinning was asked for on macOS, which has none.
    """
    if sys.platform == "darwin":
        if pin_ids is not None and _flattened(pin_ids):
            warnings.warn("CPU pinning is not available on macOS: it is ignored", RuntimeWarning, stacklevel=2)
        return None
    numbers = range(cpus) if pin_ids is None else sorted(_flattened(pin_ids))
    return ",".join(map(str, numbers)) or None


def _flattened(pin_ids: Pinning) -> set[int]:
    if not isinstance(pin_ids, Iterable):
        raise TypeError(f"custom_pinning must be an iterable of CPU numbers, not {type(pin_ids).__name__}: {pin_ids!r}")
    numbers: set[int] = set()
    for item in pin_ids:
        several = item if isinstance(item, Iterable) and not isinstance(item, (str, bytes)) else (item,)
        numbers.update(_cpu(number) for number in several)
    return numbers


def _cpu(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise TypeError(f"custom_pinning must hold ints, not {type(number).__name__}: {number!r}")
    if number < 0:
        raise ValueError(f"custom_pinning: {number} is negative; CPUs are numbered from 0")
    return int(number)


def common_settings(
    *,
    db_cpus: int,
    custom_pinning: Pinning | None,
    debug: bool,
    db_identifier: str,
    options: MutableMapping[str, Any],
) -> dict[str, Any]:
    """Return what colocated databases have in common, whether they listen on TCP or on a unix socket.

    Args:
        db_cpus: number of CPUs of the database.
        custom_pinning: see `pinning_string`.
        debug: whether the database is to say more.
        db_identifier: identifier of the database.
        options: the further arguments of ``colocate_db_*``.

    Raises:
        SSUnsupportedError: the option ``limit_app_cpus`` was given, which is gone.
        TypeError: a value has the wrong type, or one option came under both of its names.
        ValueError: a number is out of range.
    """
    if "limit_app_cpus" in options:
        raise SSUnsupportedError("limit_app_cpus is no longer supported: pin the application with its run settings")
    checks.whole_number("db_cpus", db_cpus, 1)
    rest = dict(options)
    threads = {
        "threads_per_queue": rest.pop("threads_per_queue", None),
        "inter_op_parallelism": _either(rest, "inter_op_parallelism", "inter_op_threads"),
        "intra_op_parallelism": _either(rest, "intra_op_parallelism", "intra_op_threads"),
    }
    return {
        "cpus": db_cpus,
        "custom_pinning": pinning_string(custom_pinning, db_cpus),
        "debug": debug,
        "db_identifier": db_identifier,
        "rai_args": threads,
        "extra_db_args": {name: str(value) for name, value in rest.items()},
    }


def _either(options: dict[str, Any], name: str, synonym: str) -> Any:
    if name in options and synonym in options:
        raise TypeError(f"{name} and {synonym} are the same option: give only one of them")
    return options.pop(name, options.pop(synonym, None))
