"""The hooks of the database engine ``redis``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from smartsim.error.errors import SmartSimError
from smartsim.log import get_logger
from smartsim.plugin import hookimpl
from smartsim.values import (
    Context,
    DatabaseInfo,
    DbNodeAddress,
    Deployment,
    JobSpec,
    OrchestratorSpec,
    PluginInfo,
)
from smartsim_redis.client import Connection, ServerError
from smartsim_redis.cluster import is_usable
from smartsim_redis.locate import find_server
from smartsim_redis.shard import ShardOptions, words
from smartsim_redis.startup import node_names, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "smartsim_database_info",
    "smartsim_deploy_orchestrator",
    "smartsim_orchestrator_active",
    "smartsim_orchestrator_configure",
    "smartsim_orchestrator_ready",
    "smartsim_orchestrator_stop",
    "smartsim_plugin_info",
]

logger = get_logger(__name__)

_T = TypeVar("_T")

_ANSWER_TIMEOUT = 2.0
_SAVE_TIMEOUT = 600.0
_MOST_THREADS = 32


@hookimpl
def smartsim_plugin_info() -> PluginInfo:
    """Introduce the plugin."""
    return PluginInfo(name="redis", kind="database", api=(1, 0), capabilities=frozenset({"cluster", "checkpoint"}))


@hookimpl
def smartsim_database_info(environ: Mapping[str, str]) -> DatabaseInfo:
    """Find the server, see `smartsim_redis.locate.find_server`."""
    return find_server(environ)


@hookimpl
def smartsim_deploy_orchestrator(spec: OrchestratorSpec, ctx: Context) -> list[JobSpec]:
    """Describe the shards: each runs `smartsim_redis.shard`, which becomes the server.

    Of `OrchestratorSpec.options` count ``loopback`` (a missing interface is replaced by loopback), ``env`` (variables
    of the shards) and ``queued`` (the job may have to wait in a queue). The thread counts are for a server that runs
    models, which this engine does not start.
    """
    info = find_server(ctx.environ)
    steps = [
        JobSpec(
            name=name,
            argv=(sys.executable, "-m", "smartsim_redis.shard", *words(_shard(spec, info, name, port))),
            env=spec.options.get("env", {}),
            cwd=spec.path,
            stdout=str(Path(spec.path) / f"{name}.out"),
            stderr=str(Path(spec.path) / f"{name}.err"),
            resources=spec.resources,
            options=spec.settings[i] if i < len(spec.settings) else {},
            entity_type="DBNode",
            group=spec.identifier,
            run=spec.run,
        )
        for i, (name, port) in enumerate(zip(node_names(spec), spec.ports, strict=True))
    ]
    if spec.single_step:
        return [_joined(steps)]
    return steps


def _shard(spec: OrchestratorSpec, info: DatabaseInfo, name: str, port: int) -> ShardOptions:
    return ShardOptions(
        executable=info.executable,
        conf=info.conf or "",
        name=name,
        port=port,
        interfaces=spec.interfaces,
        cluster=spec.clustered,
        loopback=bool(spec.options.get("loopback", False)),
    )


def _joined(steps: Sequence[JobSpec]) -> JobSpec:
    from attrs import evolve

    first, *others = steps
    return evolve(first, mpmd=tuple(evolve(other, stdout=first.stdout, stderr=first.stderr) for other in others))


@hookimpl
def smartsim_orchestrator_ready(spec: OrchestratorSpec, check: Callable[[], None], ctx: Context) -> Deployment:
    """Wait for the shards and join them, see `smartsim_redis.startup.wait_until_ready`."""
    return wait_until_ready(spec, check, ctx.environ)


def _each(nodes: Sequence[DbNodeAddress], ask: Callable[[DbNodeAddress], _T]) -> Iterator[_T]:
    """Ask all shards at once; yield the answers in order."""
    if len(nodes) == 1:
        yield ask(nodes[0])
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(nodes), _MOST_THREADS)) as pool:
        yield from pool.map(ask, nodes)


@hookimpl
def smartsim_orchestrator_stop(deployment: Deployment) -> bool:
    """Shut every shard down. A shard that has save points (checkpoints were enabled) writes its data first."""
    return all(list(_each(deployment.nodes, _shut_down)))


def _shut_down(node: DbNodeAddress) -> bool:
    try:
        with Connection(node, _SAVE_TIMEOUT) as link:
            try:
                link.command("SHUTDOWN")
            except ServerError as error:
                logger.warning("%s (%s) does not shut down: %s", node.name, node, error)
                return False
            except OSError:
                # The connection ends when the server does: that is the answer hoped for.
                return True
    except OSError as error:
        logger.warning("%s (%s) cannot be asked to shut down: %s", node.name, node, error)
    return False


@hookimpl
def smartsim_orchestrator_active(deployment: Deployment) -> bool:
    """Say whether every shard answers and, for several, calls its cluster usable."""

    def answers(node: DbNodeAddress) -> bool:
        try:
            with Connection(node, _ANSWER_TIMEOUT) as link:
                return link.command("PING") == "PONG" and (not deployment.clustered or is_usable(link))
        except (ServerError, OSError):
            return False

    return bool(deployment.nodes) and all(list(_each(deployment.nodes, answers)))


@hookimpl
def smartsim_orchestrator_configure(deployment: Deployment, key: str, value: str) -> bool:
    """Change a setting of a running database on every shard.

    Raises:
        SmartSimError: a shard refused, or cannot be reached.
    """

    def configure(node: DbNodeAddress) -> None:
        try:
            with Connection(node, _ANSWER_TIMEOUT) as link:
                link.command("CONFIG", "SET", key, value)
        except ServerError as error:
            raise SmartSimError(f"Invalid CONFIG key-value pair ({key}: {value}): {error}") from error
        except OSError as error:
            raise SmartSimError(f"{node.name} ({node}) cannot be reached to set {key}: {error}") from error

    list(_each(deployment.nodes, configure))
    return True
