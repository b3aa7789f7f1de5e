"""The program that a shard of a database runs: ``python -m smartsim_redis.shard +name=... +port=... ...``.

It runs on the node where the launcher put it, finds the addresses of the wanted interfaces there, says on standard
output where the shard will listen, and then becomes the server: no process stays between the launcher and the server,
so signals and exit codes are the server's own. Only the standard library is imported, because its start-up is part of
every start of a database.

Options begin with ``+``, so that they cannot be taken for options of a run command or of the server:

| option | meaning |
|---|---|
| ``+orc-exe=FILE`` | the server |
| ``+conf-file=FILE`` | its configuration |
| ``+name=NAME`` | name of the shard |
| ``+port=N`` | TCP port |
| ``+ifname=A,B`` | interfaces to listen on; the first is announced |
| ``+cluster`` | the shard is part of a cluster |
| ``+loopback`` | an interface that does not exist is replaced by loopback, with a warning, instead of being an error |
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from smartsim_redis.interfaces import LOOPBACK, MissingInterfaceError, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BUS_OFFSET", "MARK", "ShardError", "ShardOptions", "main", "parse", "server_command", "words"]

MARK = "SMARTSIM_ORC_SHARD_INFO"
"""First word of the line of output that says where a shard listens; the rest of the line is JSON."""

BUS_OFFSET = 10000
"""The shards of a cluster talk to each other on their port plus this."""

_RULE = "-" * 40


class ShardError(Exception):
    """The shard cannot start; the message is for the user."""


class ShardOptions(NamedTuple):
    """The options of the program, see the module's table."""

    executable: str
    conf: str
    name: str
    port: int
    interfaces: tuple[str, ...]
    cluster: bool = False
    loopback: bool = False


def words(options: ShardOptions) -> list[str]:
    """Return the command-line words that `parse` reads back as `options`."""
    flags = {"+cluster": options.cluster, "+loopback": options.loopback}
    return [
        f"+orc-exe={options.executable}",
        f"+conf-file={options.conf}",
        f"+name={options.name}",
        f"+port={options.port}",
        f"+ifname={','.join(options.interfaces)}",
        *(word for word, given in flags.items() if given),
    ]


def parse(argv: Sequence[str]) -> ShardOptions:
    """Return the options that the words `argv` give.

    Raises:
        ShardError: a word is unknown, an option is missing, or the port is not a number.
    """
    values: dict[str, str] = {}
    for word in argv:
        name, _, value = word.partition("=")
        if name not in {"+orc-exe", "+conf-file", "+name", "+port", "+ifname", "+cluster", "+loopback"}:
            raise ShardError(f"unknown option {word!r}")
        values[name] = value
    missing = [name for name in ("+orc-exe", "+conf-file", "+name", "+port", "+ifname") if not values.get(name)]
    if missing:
        raise ShardError(f"missing option: {', '.join(missing)}")
    if not (values["+port"].isascii() and values["+port"].isdigit()):
        raise ShardError(f"+port={values['+port']} is not a port number")
    return ShardOptions(
        executable=values["+orc-exe"],
        conf=values["+conf-file"],
        name=values["+name"],
        port=int(values["+port"]),
        interfaces=tuple(values["+ifname"].split(",")),
        cluster="+cluster" in values,
        loopback="+loopback" in values,
    )


def server_command(options: ShardOptions, addresses: Sequence[str], folder: str) -> list[str]:
    """Return the command line of the server.

    What is given here wins over the configuration file: a file that was written for a system service would put the
    server in the background, its log out of sight, or its data outside of the database's folder.

    Args:
        options: what to start.
        addresses: IP addresses to listen on, the first is announced.
        folder: where the server keeps its files.
    """
    command = [options.executable, options.conf, "--port", str(options.port), "--bind", *addresses]
    command += ["--daemonize", "no", "--logfile", "", "--dir", folder]
    if options.cluster:
        # Shards on one machine share the folder, so each needs files of its own.
        command += ["--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{options.name}-{options.port}.conf"]
        command += ["--cluster-announce-ip", addresses[0], "--dbfilename", f"dump-{options.name}.rdb"]
    return command


def _check_port(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
            sock.listen(1)
        except (OSError, OverflowError) as error:
            raise ShardError(
                f"cannot listen on {address}:{port}: {error}. Is another database running there? "
                "Stop it, or give this one another port."
            ) from error


def _prepare(options: ShardOptions) -> tuple[list[str], list[str]]:
    """Check what can be checked before the server runs; return its addresses and warnings."""
    try:
        addresses, warnings = resolve(options.interfaces, LOOPBACK if options.loopback else None)
    except MissingInterfaceError as error:
        raise ShardError(str(error)) from error
    for address in addresses:
        _check_port(address, options.port)
        if options.cluster:
            _check_port(address, options.port + BUS_OFFSET)
    if not os.access(options.conf, os.R_OK):
        raise ShardError(f"the configuration file {options.conf} cannot be read on {socket.gethostname()}")
    return addresses, warnings


def _announce(options: ShardOptions, addresses: Sequence[str], command: Sequence[str]) -> None:
    info = {"name": options.name, "hostname": addresses[0], "port": options.port, "cluster": options.cluster}
    lines = [
        "----------- Running Command ----------",
        f"COMMAND: {' '.join(word or repr(word) for word in command)}",
        f"IPADDRESS: {addresses[0]}",
        f"NETWORK: {','.join(options.interfaces)}",
        f"{MARK}: {json.dumps(info)}",
        _RULE,
        "--------------- Output ---------------",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str]) -> NoReturn:
    """Become the server that the words `argv` describe, or exit with status 1 and one line that says why not."""
    try:
        options = parse(argv)
        addresses, warnings = _prepare(options)
        # What the server complains of before it reads its configuration belongs into the same file as its log.
        os.dup2(1, 2)
        for warning in warnings:
            sys.stdout.write(f"WARNING: {warning}\n")
        command = server_command(options, addresses, os.getcwd())  # noqa: PTH109 - pathlib would be imported for this alone
        _announce(options, addresses, command)
        os.execv(command[0], command)  # noqa: S606 - to become the server is the point
    except (ShardError, OSError) as error:
        sys.stdout.write(f"ERROR: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
