"""The immutable values that core and plugins exchange.

Every value is frozen all the way down (lists become tuples, dictionaries become immutable mappings), is hashable when
its content is, and survives a round trip through JSON: ``from_json(type(v), to_json(v)) == v``. New fields always have
a default, so that an older plugin keeps working.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import field, frozen
from immutabledict import immutabledict

from smartsim.status import State

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter

__all__ = [
    "BatchSpec",
    "Context",
    "DatabaseInfo",
    "DbNodeAddress",
    "Deployment",
    "Detection",
    "JobEvent",
    "JobHandle",
    "JobSpec",
    "JobStatus",
    "LaunchPlan",
    "OrchestratorSpec",
    "PluginInfo",
    "Query",
    "Resources",
    "freeze",
    "from_json",
    "to_json",
]

T = TypeVar("T")


def freeze(value: Any) -> Any:
    """Return `value` with every list turned into a tuple and every mapping into an immutable one, recursively."""
    if value is None or isinstance(value, (str, int, float)):  # before the slow questions about abstract classes
        return value
    if isinstance(value, Mapping):
        return immutabledict({key: freeze(item) for key, item in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return tuple(freeze(item) for item in value)
    return value


def _names(value: Iterable[str]) -> frozenset[str]:
    return frozenset(value)


def _tuple(value: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(value)


def _words(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError(f"expected a sequence of words, got the text {value!r}: wrap it in a list")
    return tuple(value)


_EMPTY: Mapping[str, Any] = immutabledict()


@frozen(kw_only=True)
class Resources:
    """What a step or a batch job asks for; None means that nothing was asked.

    Attributes:
        nodes: number of nodes.
        tasks: number of tasks (ranks) in all.
        tasks_per_node: tasks on each node.
        cpus_per_task: CPUs of each task.
        gpus_per_task: GPUs of each task.
        hosts: names of the nodes to use.
        walltime: limit in seconds.
    """

    nodes: int | None = None
    tasks: int | None = None
    tasks_per_node: int | None = None
    cpus_per_task: int | None = None
    gpus_per_task: int | None = None
    hosts: tuple[str, ...] = field(default=(), converter=_words)
    walltime: int | None = None


@frozen(kw_only=True)
class JobSpec:
    """One step: what to run, where, and what it asks for; independent of any launcher.

    Attributes:
        name: name of the entity, unique in its experiment.
        argv: executable and arguments, one word each. A container's words are included.
        env: variables set in addition to the driver's environment.
        cwd: absolute folder the step runs in.
        stdout: absolute file that receives standard output.
        stderr: absolute file that receives standard error.
        resources: what the step asks for.
        options: what the run settings carry, JSON values only. Core fills ``settings`` (class name of the run
            settings),
            ``run_command`` (str or None) and ``run_args`` (formatted words); a settings class may add keys.
        mpmd: further programs of the same step, for run commands that can start several.
        entity_type: ``Model`` or ``DBNode``.
        group: name of the ensemble or orchestrator that the entity belongs to, or the empty string.
        run: how often the entity was started before, from 0: the RunID column of the summary.
    """

    name: str
    argv: tuple[str, ...] = field(converter=_words)
    env: Mapping[str, str] = field(default=_EMPTY, converter=freeze)
    cwd: str
    stdout: str
    stderr: str
    resources: Resources = field(factory=Resources)
    options: Mapping[str, Any] = field(default=_EMPTY, converter=freeze)
    mpmd: tuple[JobSpec, ...] = field(default=(), converter=_tuple)
    entity_type: str = "Model"
    group: str = ""
    run: int = 0

    @property
    def step(self) -> str:
        """Name of this run of the entity: ``<name>-<run>``."""
        return f"{self.name}-{self.run}"


@frozen(kw_only=True)
class BatchSpec:
    """One batch job and the steps that it runs.

    Attributes:
        name: name of the entity (a Model, an Ensemble or an Orchestrator).
        cwd: absolute folder that the script is written to.
        stdout: absolute file that receives the job's standard output.
        stderr: absolute file that receives the job's standard error.
        resources: what the job asks for.
        options: what the batch settings carry, JSON values only. Core fills ``settings`` (class name of the batch
            settings), ``batch_command`` and ``batch_args`` (formatted words).
        preamble: shell lines that run before the steps.
        steps: the steps, started together.
        entity_type: class name of the entity.
        run: how often the entity was started before, from 0.
    """

    name: str
    cwd: str
    stdout: str
    stderr: str
    resources: Resources = field(factory=Resources)
    options: Mapping[str, Any] = field(default=_EMPTY, converter=freeze)
    preamble: tuple[str, ...] = field(default=(), converter=_words)
    steps: tuple[JobSpec, ...] = field(default=(), converter=_tuple)
    entity_type: str = "Ensemble"
    run: int = 0

    @property
    def step(self) -> str:
        """Name of this run of the entity: ``<name>-<run>``."""
        return f"{self.name}-{self.run}"


@frozen(kw_only=True)
class LaunchPlan:
    """The exact command of a step or batch job: preview shows it, launch runs it.

    Attributes:
        kind: ``process`` (a command that stays in the foreground until the step ends) or ``batch`` (a submit command).
        step: name of the run, see `JobSpec.step`.
        argv: the command, one word each.
        script: text of the batch script, None for a process.
        script_path: absolute file that the script is written to, None for a process.
        env: variables set in addition to the driver's environment.
        cwd: absolute folder the command runs in.
        stdout: absolute file that receives the command's standard output.
        stderr: absolute file that receives the command's standard error.
        allocation: identifier of the allocation the step runs in, or None.
        entity: name of the entity.
        entity_type: class name of the entity.
        group: name of the ensemble or orchestrator that the entity belongs to, or the empty string.
        run: RunID, from 0.
    """

    kind: str = "process"
    step: str
    argv: tuple[str, ...] = field(converter=_words)
    script: str | None = None
    script_path: str | None = None
    env: Mapping[str, str] = field(default=_EMPTY, converter=freeze)
    cwd: str
    stdout: str
    stderr: str
    allocation: str | None = None
    entity: str
    entity_type: str = "Model"
    group: str = ""
    run: int = 0


@frozen(kw_only=True, cache_hash=True)
class JobHandle:
    """Names one launched job for as long as anyone may ask for it.

    Attributes:
        launcher: name of the launcher.
        native_id: what the launcher calls the job: a process id, a scheduler's job or step id.
        step: name of the run, see `JobSpec.step`.
    """

    launcher: str
    native_id: str
    step: str


@frozen(kw_only=True)
class JobStatus:
    """What is known of a job at one moment.

    Attributes:
        state: the state.
        returncode: exit code (negative: the signal that ended it), None unless really known.
        reason: why it is so, where that is not plain; for people.
        hosts: nodes the job runs on, where known.
        observed_at: seconds since the epoch.
    """

    state: State
    returncode: int | None = None
    reason: str = ""
    hosts: tuple[str, ...] = field(default=(), converter=_words)
    observed_at: float = field(factory=time.time)


@frozen(kw_only=True)
class JobEvent:
    """One change in the life of a job, as `smartsim_job_event` receives it.

    Attributes:
        handle: the job.
        entity: name of the entity.
        entity_type: class name of the entity.
        group: name of the ensemble or orchestrator, or the empty string.
        run: RunID, from 0.
        previous: state before; `State.NEW` for the launch.
        status: what is known now.
    """

    handle: JobHandle
    entity: str
    entity_type: str
    group: str = ""
    run: int = 0
    previous: State = State.NEW
    status: JobStatus


@frozen(kw_only=True)
class OrchestratorSpec:
    """A database to deploy.

    Attributes:
        identifier: name of the database; also the name of its group of jobs.
        engine: name of the database plugin.
        path: absolute folder of its files.
        ports: TCP port of each shard.
        interfaces: network interfaces to bind, the first is the one announced.
        settings: for each shard the options of its run settings, see `JobSpec.options`.
        resources: what each shard asks for.
        threads_per_queue: worker threads of each device queue, or None.
        inter_op_threads: threads across operators, or None.
        intra_op_threads: threads inside an operator, or None.
        options: engine-specific values, JSON only.
        single_step: whether all shards are programs of one MPMD step.
        run: how often the database was started before, from 0.
    """

    identifier: str
    engine: str
    path: str
    ports: tuple[int, ...] = field(converter=_tuple)
    interfaces: tuple[str, ...] = field(converter=_words)
    settings: tuple[Mapping[str, Any], ...] = field(default=(), converter=freeze)
    resources: Resources = field(factory=Resources)
    threads_per_queue: int | None = None
    inter_op_threads: int | None = None
    intra_op_threads: int | None = None
    options: Mapping[str, Any] = field(default=_EMPTY, converter=freeze)
    single_step: bool = False
    run: int = 0

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.ports)

    @property
    def clustered(self) -> bool:
        """Whether the shards form a cluster."""
        return self.shards > 1


@frozen(kw_only=True)
class DatabaseInfo:
    """The server that a database engine would start.

    Attributes:
        type: family of the server as clients and previews call it: ``redis`` or ``keydb``.
        executable: absolute path of the server.
        version: what the server says of itself, where that is known without starting it.
        cli: absolute path of a command-line client, or None when there is none.
        conf: absolute path of the configuration file.
    """

    type: str
    executable: str
    version: str = ""
    cli: str | None = None
    conf: str | None = None


@frozen(kw_only=True)
class DbNodeAddress:
    """Where one shard listens.

    Attributes:
        name: name of the shard, ``<identifier>_<i>``.
        host: IP address or host name that clients connect to.
        port: TCP port.
    """

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@frozen(kw_only=True)
class Deployment:
    """A database that answers.

    Attributes:
        identifier: name of the database.
        engine: name of the database plugin.
        nodes: addresses of the shards.
        path: absolute folder of its files.
    """

    identifier: str
    engine: str
    nodes: tuple[DbNodeAddress, ...] = field(converter=_tuple)
    path: str = ""

    @property
    def clustered(self) -> bool:
        """Whether the shards form a cluster."""
        return len(self.nodes) > 1

    @property
    def addresses(self) -> tuple[str, ...]:
        """``host:port`` of each shard."""
        return tuple(str(node) for node in self.nodes)


@frozen(kw_only=True)
class Context:
    """What a hook may know of the experiment that calls it.

    Attributes:
        experiment: name of the experiment.
        path: absolute folder of the experiment.
        launcher: name of the launcher.
        run_id: names one call of ``Experiment.start`` in the journal; empty where nothing is launched. A plan must not
            depend on it.
        environ: the driver's environment at the time of the call.
    """

    experiment: str
    path: str
    launcher: str
    run_id: str = ""
    environ: Mapping[str, str] = field(default=_EMPTY, converter=freeze, repr=False)


@frozen(kw_only=True)
class Detection:
    """A launcher's answer to "is this your machine?".

    Attributes:
        score: the highest wins; ties go to the name that sorts first. 0 means "can run anywhere".
        reason: what was found, for people.
    """

    score: int
    reason: str = ""


@frozen(kw_only=True)
class Query:
    """A question about the allocation that the driver runs in.

    Attributes:
        topic: ``hosts`` (list of str), ``queue`` (str), ``tasks`` (int), ``tasks_per_node`` (dict of host to int) or
            ``allocation`` (str).
        environ: the driver's environment.
    """

    topic: str
    environ: Mapping[str, str] = field(default=_EMPTY, converter=freeze, repr=False)


@frozen(kw_only=True)
class PluginInfo:
    """A plugin's word about itself.

    Attributes:
        name: name of the launcher, database engine or extension.
        kind: ``launcher``, ``database`` or ``extension``.
        api: version of the hook specifications it was written for, see `smartsim.plugin.API_VERSION`.
        capabilities: what it can do beyond the minimum; the words are listed on the page about writing plugins.
    """

    name: str
    kind: str
    api: tuple[int, int] = field(converter=_tuple)
    capabilities: frozenset[str] = field(default=frozenset(), converter=_names)

    @property
    def one_host(self) -> bool:
        """Whether all jobs of this launcher run on the driver's machine: it has the capability ``one-host``."""
        return "one-host" in self.capabilities


@cache
def _converter() -> JsonConverter:
    from cattrs.preconf.json import make_converter

    return make_converter()


def to_json(value: Any) -> str:
    """Return a value of this module as one line of JSON."""
    return json.dumps(_converter().unstructure(value), sort_keys=True)


def from_json(kind: type[T], text: str) -> T:
    """Return the value of class `kind` that `to_json` made `text` from.

    Raises:
        ValueError: the text is not JSON or does not describe a `kind`.
    """
    from cattrs import BaseValidationError, transform_error

    try:
        return _converter().structure(json.loads(text), kind)
    except BaseValidationError as error:
        raise ValueError(f"not a {kind.__name__}: {'; '.join(transform_error(error))}") from error
