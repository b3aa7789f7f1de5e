"""``smart validate``: a real experiment on this machine, to see whether the installation works."""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim.cli.output import EX_OK, EX_SOFTWARE, complain, say

if TYPE_CHECKING:
    from smartsim.experiment import Experiment

__all__ = ["add_commands"]

_HIGHEST_PORT = 65535
_MEMBER = """\
import os
import redis

host, port = os.environ["SSDB"].rsplit(":", 1)
database = redis.Redis(host=host, port=int(port))
if os.environ["SSKEYOUT"] == "writer":
    database.set("writer.words", "from one process to another")
elif database.get("writer.words") != b"from one process to another":
    raise SystemExit(f"the database answered {database.get('writer.words')!r}")
database.close()
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "validate",
        help="check the installation with a real experiment",
        description="Start a database and two processes that exchange data through it, on this machine, and end "
        "everything again. The exit code is 70 when something fails; the experiment's folder is then kept for a look "
        "at its files.",
    )
    parser.add_argument(
        "-p", "--port", type=_port, metavar="PORT", help="TCP port of the database (default: one that is free)"
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "gpu"),
        default="cpu",
        help="device of the machine-learning checks, which are made where the inference plugin is installed "
        "(default: cpu)",
    )
    parser.set_defaults(run=_validate)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a whole number from 1 to {_HIGHEST_PORT}")
    return int(text)


def _validate(arguments: argparse.Namespace) -> int:
    from smartsim.error import SmartSimError, SSInternalError, SSUnsupportedError

    folder = Path(tempfile.mkdtemp(prefix="smartsim-validate-"))
    try:
        _exchange(folder, arguments.port or _free_port())
    except (SmartSimError, SSInternalError, SSUnsupportedError, OSError) as error:
        complain(f"smart validate: {error}\nThe experiment's files are in {folder}")
        return EX_SOFTWARE
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)
    say("SmartSim works: a database was started, two processes exchanged data through it, and everything was ended.")
    return EX_OK


def _exchange(folder: Path, port: int) -> None:
    from smartsim.engine.operations import teardown
    from smartsim.experiment import Experiment

    experiment = Experiment("validate", exp_path=str(folder), launcher="local")
    try:
        database = experiment.create_database(port=port, interface="lo")
        experiment.start(database)
        for name in ("writer", "reader"):
            _run_member(experiment, name)
        experiment.stop(database)
    finally:
        teardown(str(folder))


def _run_member(experiment: Experiment, name: str) -> None:
    from smartsim.error import SmartSimError
    from smartsim.status import SmartSimStatus

    settings = experiment.create_run_settings(sys.executable, exe_args=["-c", _MEMBER])
    member = experiment.create_model(name, settings, enable_key_prefixing=True)
    experiment.start(member, block=True)
    status = experiment.get_status(member)[0]
    if status is not SmartSimStatus.STATUS_COMPLETED:
        errors = Path(member.path, f"{name}.err").read_text(encoding="utf-8", errors="replace").strip()
        raise SmartSimError(f"the process {name!r} ended as {status}: {errors or 'it said nothing'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
