"""``smart info``, ``site``, ``dbcli`` and ``version``: what is installed, and where."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import smartsim
from smartsim.cli.output import EX_OK, EX_SOFTWARE, complain, say, say_table

if TYPE_CHECKING:
    import argparse

    from smartsim.values import DatabaseInfo

__all__ = ["add_commands"]

_RUNTIMES = {"PyTorch": "torch", "TensorFlow": "tensorflow", "ONNX Runtime": "onnxruntime"}
_DISTRIBUTIONS = ("smartsim", "smartsim-core", "smartsim-client", "smartredis", "pytest-smartsim")
_PLUGIN_PREFIX = "smartsim-plugin-"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    for name, run, summary, description in (
        (
            "info",
            _info,
            "show what is installed",
            (
                "Show the installed distributions of SmartSim, the database server that would be started, and the "
                "packages for machine learning."
            ),
        ),
        (
            "site",
            _site,
            "print the folder of the installed package",
            "Print the folder of the installed Python package `smartsim`.",
        ),
        (
            "dbcli",
            _dbcli,
            "print the path of the database's command-line client",
            (
                "Print the path of the command-line client of the database. SmartSim itself needs none; the exit "
                "code is 70 when there is none. REDIS_CLI_PATH names one."
            ),
        ),
        ("version", _version, "print the version", "Print the version, as `smart --version` does."),
    ):
        commands.add_parser(name, help=summary, description=description).set_defaults(run=run)


def _version(_: argparse.Namespace) -> int:
    say(f"smart {smartsim.__version__}")
    return EX_OK


def _site(_: argparse.Namespace) -> int:
    say(str(Path(smartsim.__file__).parent))
    return EX_OK


def _dbcli(_: argparse.Namespace) -> int:
    for engine in _engines():
        cli = _database(engine).cli
        if cli is not None:
            say(cli)
            return EX_OK
    complain(
        "smart dbcli: no command-line client of a database was found: install one, or set REDIS_CLI_PATH to its path"
    )
    return EX_SOFTWARE


def _info(_: argparse.Namespace) -> int:
    say_table(("Name", "Version"), _packages(), "Smart Python Packages")
    say("")
    say_table(("Setting", "Value"), _servers(), "Orchestrator Configuration")
    say("")
    say_table(("Name", "Installed"), _runtimes(), "Machine Learning Backends")
    return EX_OK


def _packages() -> list[tuple[str, str]]:
    from importlib.metadata import distributions

    # The first of a name on sys.path is the one that Python imports.
    found: dict[str, str] = {}
    for distribution in distributions():
        name = str(distribution.name)
        if name in _DISTRIBUTIONS or name.startswith(_PLUGIN_PREFIX):
            found.setdefault(name, distribution.version)
    return sorted(found.items())


def _servers() -> list[tuple[str, str]]:
    from smartsim.error import PluginError, SSConfigError

    rows: list[tuple[str, str]] = []
    for engine in _engines():
        try:
            info = _database(engine)
        except (PluginError, SSConfigError) as error:
            rows.append((engine, f"cannot be used: {error}"))
            continue
        rows += [
            ("Engine", engine),
            ("Server", info.executable),
            ("Type", info.type),
            ("Version", info.version or "unknown"),
            ("Configuration file", info.conf or "none"),
            ("Command-line client", info.cli or "none, and none is needed"),
        ]
    return rows or [("Engine", "none is installed: `pip install smartsim-plugin-redis`")]


def _runtimes() -> list[tuple[str, str]]:
    return [(label, "yes" if find_spec(module) is not None else "no") for label, module in _RUNTIMES.items()]


def _engines() -> tuple[str, ...]:
    from smartsim.plugin.catalogue import DATABASES, catalogue

    return catalogue().names(DATABASES)


def _database(engine: str) -> DatabaseInfo:
    from smartsim.plugin.manager import Plugins

    return Plugins.for_database(engine).database_info(engine, os.environ)
