"""What a preview says, as values: the input of every renderer.

All values are frozen all the way down and survive a round trip through JSON (`smartsim.values.to_json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen
from immutabledict import immutabledict

from smartsim.values import LaunchPlan, freeze

__all__ = [
    "BatchPreview",
    "ClientPreview",
    "ColocatedPreview",
    "DatabasePreview",
    "EnsemblePreview",
    "FilesPreview",
    "MLModelPreview",
    "ModelPreview",
    "PlanPreview",
    "Preview",
    "ScriptPreview",
]

_EMPTY: Mapping[str, Any] = immutabledict()


def _tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(value)


def _strings(value: Iterable[object]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"expected a sequence of strings, got the text {value!r}: wrap it in a list")
    return tuple(str(item) for item in value)


def _options(value: Mapping[str, object]) -> Mapping[str, str | None]:
    return immutabledict({str(key): None if item is None else str(item) for key, item in value.items()})


@frozen(kw_only=True)
class PlanPreview:
    """The exact command of one step or batch job, or the reason why there is none yet.

    Attributes:
        name: name of the step's entity.
        plan: what launch would run, None when it cannot be told yet.
        problem: why it cannot be told; empty when there is a plan.
    """

    name: str
    plan: LaunchPlan | None = None
    problem: str = ""


@frozen(kw_only=True)
class BatchPreview:
    """A request for a batch job.

    Attributes:
        command: the submit command.
        args: its options; None is an option without a value.
    """

    command: str
    args: Mapping[str, str | None] = field(default=_EMPTY, converter=_options)


@frozen(kw_only=True)
class DatabasePreview:
    """A standalone database.

    Attributes:
        identifier: its name.
        path: folder of its files.
        shards: number of servers.
        ports: TCP port of each server.
        interfaces: network interfaces, the announced one first.
        type: family of the server: ``redis`` or ``keydb``.
        executable: absolute path of the server, or why there is none.
        run_command: command that starts each server, or None.
        run_args: options of `run_command`.
        batch: the batch job that the servers run in, or None.
        started: whether it runs already, so that it cannot be started.
        plans: the exact commands, where they were asked for.
    """

    identifier: str
    path: str = ""
    shards: int = 1
    ports: tuple[int, ...] = field(default=(), converter=_tuple)
    interfaces: tuple[str, ...] = field(default=(), converter=_strings)
    type: str = ""
    executable: str = ""
    run_command: str | None = None
    run_args: Mapping[str, str | None] = field(default=_EMPTY, converter=_options)
    batch: BatchPreview | None = None
    started: bool = False
    plans: tuple[PlanPreview, ...] = field(default=(), converter=_tuple)


@frozen(kw_only=True)
class ColocatedPreview:
    """A database that shares the nodes of a Model.

    Attributes:
        identifier: its name, or the empty string.
        type: family of the server.
        connection: ``TCP`` or ``UDS``.
        ports: TCP ports; empty for a unix socket.
        unix_socket: path of the socket; empty for TCP.
        interfaces: network interfaces.
        cpus: number of CPUs of the database.
        pinning: CPUs that it is pinned to, separated by commas, or None.
    """

    identifier: str = ""
    type: str = ""
    connection: str = "TCP"
    ports: tuple[int, ...] = field(default=(), converter=_tuple)
    unix_socket: str = ""
    interfaces: tuple[str, ...] = field(default=(), converter=_strings)
    cpus: int = 1
    pinning: str | None = None


@frozen(kw_only=True)
class ClientPreview:
    """What a client of the database inside a Model is configured with.

    Attributes:
        databases: the standalone databases that it can connect to.
        colocated: the colocated database, or None.
        incoming: names of the entities whose data it may read.
        key_prefixing: whether the keys that it writes are prefixed with the Model's name.
    """

    databases: tuple[DatabasePreview, ...] = field(default=(), converter=_tuple)
    colocated: ColocatedPreview | None = None
    incoming: tuple[str, ...] = field(default=(), converter=_strings)
    key_prefixing: bool = False


@frozen(kw_only=True)
class FilesPreview:
    """Files that `Experiment.generate` puts into a Model's folder.

    Attributes:
        tagged: files whose parameter tags are replaced.
        copied: files that are copied.
        linked: files that are linked.
    """

    tagged: tuple[str, ...] = field(default=(), converter=_strings)
    copied: tuple[str, ...] = field(default=(), converter=_strings)
    linked: tuple[str, ...] = field(default=(), converter=_strings)


@frozen(kw_only=True)
class ScriptPreview:
    """A script or function for the database.

    Attributes:
        name: its key in the database.
        path: file that it comes from; empty when it is in memory.
        backend: what runs it.
        device: ``CPU`` or ``GPU``, possibly with a number.
        devices_per_node: on how many devices it is placed.
    """

    name: str
    path: str = ""
    backend: str = "TORCH"
    device: str = "CPU"
    devices_per_node: int = 1


@frozen(kw_only=True)
class MLModelPreview:
    """A machine learning model for the database.

    Attributes:
        name: its key in the database.
        path: file that it comes from; empty when it is in memory.
        backend: what runs it.
        device: ``CPU`` or ``GPU``, possibly with a number.
        devices_per_node: on how many devices it is placed.
        first_device: number of the first of them.
        inputs: names of its input tensors.
        outputs: names of its output tensors.
    """

    name: str
    path: str = ""
    backend: str = ""
    device: str = "CPU"
    devices_per_node: int = 1
    first_device: int = 0
    inputs: tuple[str, ...] = field(default=(), converter=_strings)
    outputs: tuple[str, ...] = field(default=(), converter=_strings)


@frozen(kw_only=True)
class ModelPreview:
    """A Model, alone or as a member of an Ensemble.

    Attributes:
        name: its name.
        path: its folder.
        executable: what it runs.
        arguments: arguments of the executable, one word each.
        run_command: command that starts the executable, or None.
        run_args: options of `run_command`.
        batch: its own batch job, or None.
        params: parameter values by name.
        files: files put into its folder.
        colocated: the database on its nodes, or None.
        scripts: scripts and functions for the database.
        ml_models: machine learning models for the database.
        key_prefix: prefix of the keys that it writes, or None.
        client: configuration of its database client, None when there is no database.
        plans: the exact command, where it was asked for.
    """

    name: str
    path: str = ""
    executable: str = ""
    arguments: tuple[str, ...] = field(default=(), converter=_strings)
    run_command: str | None = None
    run_args: Mapping[str, str | None] = field(default=_EMPTY, converter=_options)
    batch: BatchPreview | None = None
    params: Mapping[str, str] = field(default=_EMPTY, converter=freeze)
    files: FilesPreview = field(factory=FilesPreview)
    colocated: ColocatedPreview | None = None
    scripts: tuple[ScriptPreview, ...] = field(default=(), converter=_tuple)
    ml_models: tuple[MLModelPreview, ...] = field(default=(), converter=_tuple)
    key_prefix: str | None = None
    client: ClientPreview | None = None
    plans: tuple[PlanPreview, ...] = field(default=(), converter=_tuple)


@frozen(kw_only=True)
class EnsemblePreview:
    """An Ensemble.

    Attributes:
        name: its name.
        path: its folder.
        params: the values that each parameter takes.
        replicas: how many equal members were asked for, or None.
        strategy: name of the permutation strategy; empty without parameters.
        batch: the batch job that all members run in, or None.
        members: its members.
        plans: the exact command of the batch job, where it was asked for.
    """

    name: str
    path: str = ""
    params: Mapping[str, tuple[str, ...]] = field(default=_EMPTY, converter=freeze)
    replicas: int | None = None
    strategy: str = ""
    batch: BatchPreview | None = None
    members: tuple[ModelPreview, ...] = field(default=(), converter=_tuple)
    plans: tuple[PlanPreview, ...] = field(default=(), converter=_tuple)


@frozen(kw_only=True)
class Preview:
    """Everything that a preview shows.

    Attributes:
        experiment: name of the experiment.
        path: its folder.
        launcher: name of its launcher.
        active: databases that run.
        orchestrators: databases to be previewed.
        models: Models to be previewed.
        ensembles: Ensembles to be previewed.
    """

    experiment: str
    path: str
    launcher: str
    active: tuple[DatabasePreview, ...] = field(default=(), converter=_tuple)
    orchestrators: tuple[DatabasePreview, ...] = field(default=(), converter=_tuple)
    models: tuple[ModelPreview, ...] = field(default=(), converter=_tuple)
    ensembles: tuple[EnsemblePreview, ...] = field(default=(), converter=_tuple)
