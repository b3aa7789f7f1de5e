"""Waits until the shards of a database answer, and explains why they do not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field

from smartsim.error.errors import SmartSimError, SSConfigError
from smartsim.plugin.shards import SHARD_INFO, parse_shard_info
from smartsim.values import DbNodeAddress, Deployment, OrchestratorSpec
from smartsim_redis.client import Connection, LoadingError, ServerError
from smartsim_redis.cluster import StartupError, form_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["node_names", "output_files", "start_timeout", "wait_until_ready"]

_SHORTEST_PAUSE = 0.001
_LONGEST_PAUSE = 0.02
_QUEUED_PAUSE = 1.0
_PING_TIMEOUT = 2.0
_TAIL_LINES = 12
_MOST_QUOTED = 3
_TAIL_BYTES = 8192


def node_names(spec: OrchestratorSpec) -> list[str]:
    """Return the names of the shards of `spec`."""
    return [f"{spec.identifier}_{i}" for i in range(spec.shards)]


def output_files(spec: OrchestratorSpec) -> list[Path]:
    """Return the files that receive the standard output of the steps of `spec`."""
    names = node_names(spec)[:1] if spec.single_step else node_names(spec)
    return [Path(spec.path) / f"{name}.out" for name in names]


def _positive(environ: Mapping[str, str], variable: str, default: float) -> float:
    text = environ.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise SSConfigError(f"{variable}={text} must be a positive number")
    return value


def start_timeout(environ: Mapping[str, str]) -> float:
    """Return how many seconds a started database may take until it answers.

    ``SMARTSIM_DB_START_TIMEOUT``, else ``SMARTSIM_DB_FILE_PARSE_TRIALS`` (10) times
    ``SMARTSIM_DB_FILE_PARSE_INTERVAL`` (2 s).

    Raises:
        SSConfigError: one of them is not a positive number.
    """
    trials = _positive(environ, "SMARTSIM_DB_FILE_PARSE_TRIALS", 10)
    interval = _positive(environ, "SMARTSIM_DB_FILE_PARSE_INTERVAL", 2)
    return _positive(environ, "SMARTSIM_DB_START_TIMEOUT", trials * interval)


@define
class _Patience:
    """Pauses that grow from a millisecond, until the time is up."""

    check: Callable[[], None]
    timeout: float
    deadline: float = field(init=False)
    delay: float = _SHORTEST_PAUSE

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Count the time from now on."""
        self.deadline = time.monotonic() + self.timeout
        self.delay = _SHORTEST_PAUSE

    def pause(self, awaited: str) -> None:
        """Wait a moment for what `awaited` says; raise when there is no point in waiting longer."""
        self.check()
        if time.monotonic() > self.deadline:
            raise StartupError(
                f"Waited {self.timeout:g} s in vain for {awaited}. "
                "Raise SMARTSIM_DB_START_TIMEOUT if the machine is slow."
            )
        time.sleep(self.delay)
        self.delay = min(self.delay * 1.5, _LONGEST_PAUSE)


def wait_until_ready(spec: OrchestratorSpec, check: Callable[[], None], environ: Mapping[str, str]) -> Deployment:
    """Return the addresses of the database `spec` as soon as it can be used; see `smartsim_orchestrator_ready`."""
    patience = _Patience(check, start_timeout(environ))
    try:
        if spec.options.get("queued"):
            _await_first(spec, check)
            patience.restart()
        nodes = _find(spec, patience)
        patience.restart()
        _await_answers(nodes, patience)
        patience.restart()
        if spec.clustered:
            form_cluster(nodes, patience.pause)
    except StartupError as error:
        raise SmartSimError(
            f"Orchestrator {spec.identifier} failed during startup: {error}{_last_words(spec)}"
        ) from error
    return Deployment(identifier=spec.identifier, engine=spec.engine, nodes=nodes, path=spec.path)


def _await_first(spec: OrchestratorSpec, check: Callable[[], None]) -> None:
    """Wait, however long its job is queued, until a shard says where it runs."""
    delay = _SHORTEST_PAUSE
    while not _announced(spec):
        check()
        time.sleep(delay)
        delay = min(delay * 1.5, _QUEUED_PAUSE)


def _announced(spec: OrchestratorSpec) -> dict[str, DbNodeAddress]:
    shards = (shard for file in output_files(spec) for shard in parse_shard_info(_lines(file)))
    return {shard.name: DbNodeAddress(name=shard.name, host=shard.hostname, port=shard.port) for shard in shards}


def _find(spec: OrchestratorSpec, patience: _Patience) -> list[DbNodeAddress]:
    names = node_names(spec)
    while True:
        found = _announced(spec)
        missing = [name for name in names if name not in found]
        if not missing:
            return [found[name] for name in names]
        patience.pause(f"{', '.join(missing)} to say where it runs")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _await_answers(nodes: Sequence[DbNodeAddress], patience: _Patience) -> None:
    waiting = list(nodes)
    while waiting := [node for node in waiting if not _answers(node, patience)]:
        patience.pause(", ".join(f"{node.name} ({node}) to answer" for node in waiting))


def _answers(node: DbNodeAddress, patience: _Patience) -> bool:
    try:
        with Connection(node, _PING_TIMEOUT) as link:
            return link.command("PING") == "PONG"
    except LoadingError:
        # It reads a checkpoint: that takes as long as it takes.
        patience.restart()
        return False
    except ServerError as error:
        raise StartupError(f"{node.name} ({node}) does not serve clients: {error}") from error
    except OSError:
        return False


def _last_words(spec: OrchestratorSpec) -> str:
    """Return the last lines of output of the steps, for an error message."""
    texts: list[str] = []
    for out in output_files(spec)[:_MOST_QUOTED]:
        for file in (out, out.with_suffix(".err")):
            lines = [line for line in _tail(file) if line.strip() and SHARD_INFO not in line]
            if lines:
                texts.append(
                    "\n".join([f"\nThe last lines of {file}:", *(f"    {line}" for line in lines[-_TAIL_LINES:])])
                )
    return "".join(texts) or f"\nThere is no output in {spec.path}."


def _tail(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            return stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
