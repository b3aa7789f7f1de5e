"""Addresses of the network interfaces of the machine that this code runs on; light, because every shard imports it."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOOPBACK", "MissingInterfaceError", "address_of", "available", "resolve"]

LOOPBACK = "127.0.0.1"


class MissingInterfaceError(LookupError):
    """This machine has no such network interface, or the interface has no IPv4 address."""


def _address(name: str) -> str | None:
    if not sys.platform.startswith("linux"):
        import psutil

        return next((a.address for a in psutil.net_if_addrs().get(name, []) if a.family == socket.AF_INET), None)
    import fcntl
    import struct

    siocgifaddr = 0x8915
    longest = 15
    if not name or len(name.encode()) > longest or "\0" in name:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock.fileno(), siocgifaddr, struct.pack("256s", name.encode()))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def available() -> dict[str, str]:
    """Return the IPv4 address of each interface of this machine that has one."""
    found = ((name, _address(name)) for _, name in socket.if_nameindex())
    return {name: address for name, address in found if address is not None}


def address_of(name: str) -> str:
    """Return the IPv4 address of the interface `name`; ``lo`` stands for the first one whose name starts so.

    Raises:
        MissingInterfaceError: there is none; the message lists those that exist.
    """
    address = _address(name)
    if address is not None:
        return address
    present = available()
    if name == "lo":
        for other, address in present.items():
            if other.startswith("lo"):
                return address
    listed = ", ".join(f"{other} ({address})" for other, address in present.items()) or "none"
    raise MissingInterfaceError(
        f"{socket.gethostname()} has no network interface {name!r} with an IPv4 address; choose from: {listed}"
    )


def resolve(names: Sequence[str], substitute: str | None = None) -> tuple[list[str], list[str]]:
    """Return the addresses of the interfaces `names`, each once, in order, and what has to be warned about.

    Args:
        names: names of interfaces.
        substitute: address that stands in for an interface that does not exist, or None when that is an error.

    Raises:
        MissingInterfaceError: an interface does not exist and there is no substitute.
    """
    addresses: list[str] = []
    warnings: list[str] = []
    for name in names:
        try:
            address = address_of(name)
        except MissingInterfaceError as error:
            if substitute is None:
                raise
            warnings.append(f"{error}. Using {substitute} instead.")
            address = substitute
        if address not in addresses:
            addresses.append(address)
    return addresses, warnings
