"""The order of things: what `Experiment.start` and `Experiment.stop` do, one step after the other."""

from __future__ import annotations

import os
import weakref
from collections import ChainMap
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from smartsim.engine import interrupt
from smartsim.engine.deploy import Databases
from smartsim.engine.environment import client_environment
from smartsim.engine.manifest import Manifest
from smartsim.engine.plan import batch_spec, model_spec, output_files
from smartsim.engine.progress import progress
from smartsim.engine.rows import job_line
from smartsim.engine.runtime import Runtime
from smartsim.entity import Ensemble, Model
from smartsim.error import LauncherError, NotStartedError, SmartSimError, SSUnsupportedError
from smartsim.generation.undo import Changes
from smartsim.log import get_logger
from smartsim.settings.base import RunSettings
from smartsim.status import SmartSimStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from smartsim.database import Orchestrator
    from smartsim.engine.table import Job
    from smartsim.entity import DBNode
    from smartsim.plugin.manager import Plugins
    from smartsim.values import BatchSpec, Context, Deployment, JobHandle, JobSpec, LaunchPlan

__all__ = ["Named", "Session"]

Named: TypeAlias = "Model | Ensemble | Orchestrator | DBNode"
"""Whatever has a name in an experiment."""

logger = get_logger(__name__)


class Session:
    """Starts, follows and stops the entities of one experiment.

    Args:
        name: name of the experiment.
        path: absolute folder of the experiment.
        launcher: name of its launcher.
        plugins: its plugins.
    """

    def __init__(self, *, name: str, path: str, launcher: str, plugins: Plugins) -> None:
        self.runtime = Runtime(name=name, path=path, launcher=launcher, plugins=plugins)
        self.databases = Databases(self.runtime)
        self._owners: dict[str, object] = {}
        self._kill_on_interrupt = True
        self._interrupted = False
        self._interrupts = 0
        # Jobs outlive the driver, so that letting go is all that is left to do at its end.
        weakref.finalize(self, self.runtime.close)

    @property
    def path(self) -> str:
        """Absolute folder of the experiment."""
        return self.runtime.path

    # --- start -------------------------------------------------------------------------------------------------------

    def start(self, manifest: Manifest, *, folders: Iterable[Orchestrator] = (), kill_on_interrupt: bool) -> None:
        """Launch everything in `manifest`: databases first, then the members of ensembles, then Models.

        Returns when everything has been launched. When something cannot be, whatever this call has launched is ended.

        Args:
            manifest: what to start.
            folders: databases that get their output folder although they are not started now.
            kill_on_interrupt: whether Ctrl-C ends the jobs.

        Raises:
            SSUnsupportedError: an entity is running, or its name was used by another one.
            SSDBIDConflictError: the identifier of a database is in use.
            SmartSimError: something could not be launched.
        """
        self.databases.refuse_conflicts(manifest.dbs)
        self._refuse_duplicates(manifest)
        _refuse_without_settings(manifest)
        self._kill_on_interrupt = kill_on_interrupt
        interrupt.watch(self)
        before = {job.handle for job in self.runtime.table.active()}
        interrupts = self._interrupts
        ctx = self.runtime.open()
        # Everything that can be refused is refused before the first folder or process exists.
        plans = self._member_plans(manifest, self.databases.deployments(), ctx)
        self._make_folders(manifest, folders)
        try:
            self._launch(manifest, plans, ctx)
            self._raise_lost_interrupt(interrupts)
        except BaseException as error:
            if kill_on_interrupt or not isinstance(error, KeyboardInterrupt):
                self.runtime.take_back(ctx, before)
                self.databases.forget_ended()
            else:
                for job, pid in self.runtime.backend.untold(ctx.path, ctx.run_id).items():
                    _warn_of_survivor(job, pid)
            self._raise_lost_interrupt(interrupts)
            if isinstance(error, LauncherError):
                raise SmartSimError(str(error)) from error
            raise

    def _raise_lost_interrupt(self, interrupts: int) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since `interrupts` were counted and its exception was lost."""
        if self._interrupts > interrupts and interrupt.raises():
            raise KeyboardInterrupt

    def _launch(self, manifest: Manifest, plans: list[LaunchPlan], ctx: Context) -> None:
        from smartsim.telemetry.describe import describe_run

        self.runtime.backend.prepare(self.path)
        types = {one.db_identifier: self.databases.info(one).type for one in manifest.dbs}
        record = describe_run(ctx.run_id, manifest.models, manifest.ensembles, manifest.dbs, database_types=types)
        self.runtime.journal.append("run", **record)
        self._claim(manifest)
        if manifest.dbs:
            runs = [(orchestrator, self._run_of(orchestrator.entities)) for orchestrator in manifest.dbs]
            self.databases.start(runs, ctx)
            plans = self._member_plans(manifest, self.databases.deployments(), ctx)
        if plans:
            self.runtime.launch(plans, ctx)

    def _member_plans(self, manifest: Manifest, deployments: Sequence[Deployment], ctx: Context) -> list[LaunchPlan]:
        specs: list[JobSpec | BatchSpec] = []
        for ensemble in manifest.ensembles:
            specs += self._ensemble_specs(ensemble, deployments)
        specs += [self._model_spec(model, deployments) for model in manifest.models]
        return self.runtime.plans(specs, ctx)

    def _ensemble_specs(self, ensemble: Ensemble, deployments: Sequence[Deployment]) -> list[JobSpec] | list[BatchSpec]:
        steps = [self._step(member, deployments, group=ensemble.name) for member in ensemble.models]
        if not ensemble.batch_settings:
            return steps
        return [
            batch_spec(
                ensemble.name,
                ensemble.path,
                ensemble.batch_settings,
                steps,
                entity_type="Ensemble",
                run=self._next_run(ensemble.name),
            )
        ]

    def _model_spec(self, model: Model, deployments: Sequence[Deployment], group: str = "") -> JobSpec | BatchSpec:
        step = self._step(model, deployments, group=group)
        if not model.batch_settings or group:
            return step
        return batch_spec(model.name, model.path, model.batch_settings, [step], entity_type="Model", run=step.run)

    def planner(self, manifest: Manifest) -> Callable[[Named], LaunchPlan]:
        """Tells what starting `manifest` would execute for an entity that is launched on its own; launches nothing."""
        ctx = self.runtime.context()
        deployments = self.databases.deployments()
        groups = {member.name: ensemble.name for ensemble in manifest.ensembles for member in ensemble.models}
        databases = {name: one for one in manifest.dbs for name in (one.name, *(node.name for node in one.entities))}

        def specs(entity: Named) -> Sequence[JobSpec | BatchSpec]:
            if isinstance(entity, Ensemble):
                return self._ensemble_specs(entity, deployments)
            if isinstance(entity, Model):
                return [self._model_spec(entity, deployments, groups.get(entity.name, ""))]
            return self.databases.specs(databases[entity.name], ctx)

        def plan(entity: Named) -> LaunchPlan:
            chosen = next(spec for spec in specs(entity) if spec.name == entity.name)
            return self.runtime.plans([chosen], ctx)[0]

        return plan

    def _step(self, model: Model, deployments: Sequence[Deployment], group: str = "") -> JobSpec:
        client = client_environment(
            deployments,
            incoming=[entity.name for entity in model.incoming_entities],
            outgoing=model.name if model.query_key_prefixing() else None,
            given=ChainMap(model.run_settings.environment(os.environ), os.environ),
        )
        return model_spec(model, os.environ, group=group, run=self._next_run(model.name), client=client)

    def _refuse_duplicates(self, manifest: Manifest) -> None:
        seen: set[str] = set()
        for name, entity in _named(manifest):
            if name in seen:
                raise SSUnsupportedError(
                    f"SmartSim entities cannot have duplicate names. {name!r} is the name of two of those to be "
                    "started: give each its own name"
                )
            seen.add(name)
            job = self.runtime.table.latest(name)
            if (job is not None and job.active) or self._owners.get(name, entity) is not entity:
                running = "it is running" if job is not None and job.active else "another entity had that name"
                raise SSUnsupportedError(
                    f"SmartSim entities cannot have duplicate names. {name!r} cannot be started: {running}"
                )

    def _claim(self, manifest: Manifest) -> None:
        self._owners |= dict(_named(manifest))

    def _next_run(self, name: str) -> int:
        job = self.runtime.table.latest(name)
        return 0 if job is None else job.run + 1

    def _run_of(self, nodes: Iterable[DBNode]) -> int:
        return max((self._next_run(node.name) for node in nodes), default=0)

    def _make_folders(self, manifest: Manifest, databases: Iterable[Orchestrator]) -> None:
        outputs = [node for orchestrator in databases for node in orchestrator.entities]
        with Changes() as changes:
            for path in {entity.path: None for _, entity in _named(manifest)} | {node.path: None for node in outputs}:
                changes.make_folder(path)
            for node in outputs:
                for file in output_files(node.path, node.name):
                    Path(file).touch()
            changes.keep()

    # --- stop --------------------------------------------------------------------------------------------------------

    def stop(self, manifest: Manifest) -> None:
        """End everything in `manifest`: Models and Ensembles at once, then databases.

        Raises:
            NotStartedError: one of them never ran; then nothing is stopped.
        """
        handles: list[JobHandle] = []
        for name, entity in _launched_names(manifest):
            job = self._job(name, entity)
            if job is None:
                raise NotStartedError(f"{name!r} was never started by this experiment: nothing was stopped")
            if not job.is_database:
                handles.append(job.handle)
        self.runtime.stop(handles)
        for orchestrator in manifest.dbs:
            self.databases.stop(orchestrator)
        self.runtime.observers.drain()

    def interrupt(self) -> None:
        """React to Ctrl-C, see `smartsim.engine.interrupt`; a second one while jobs are being ended forces them."""
        self._interrupts += 1
        active = self.runtime.table.active()
        if not self._kill_on_interrupt:
            for job in active:
                _warn_of_survivor(job.plan.step, job.handle.native_id)
            return
        hurried, self._interrupted = self._interrupted, True
        try:
            self.runtime.stop([job.handle for job in active], grace=0.0 if hurried else None)
        finally:
            self._interrupted = False

    # --- follow ------------------------------------------------------------------------------------------------------

    def wait(self, *, interval: float | None, kill_on_interrupt: bool) -> None:
        """Wait until no job but databases is active.

        Args:
            interval: how often to log the active jobs, in seconds; None for never.
            kill_on_interrupt: whether Ctrl-C ends the jobs.
        """
        self._kill_on_interrupt = kill_on_interrupt
        table = self.runtime.table
        waited_for = [job.handle for job in table.active() if not job.is_database]
        with progress(len(waited_for), source=lambda: table.counts(waited_for)):
            while not table.wait_until_done(interval):
                for job in table.active():
                    if not job.is_database:
                        logger.info(job_line(job))
        self.runtime.observers.drain()

    def status(self, manifest: Manifest) -> list[SmartSimStatus]:
        """The status of each Model, then of each ensemble member, then of each shard."""
        jobs = [self._job(name, entity) for name, entity in _launched_names(manifest)]
        return [SmartSimStatus.STATUS_NEVER_STARTED if job is None else job.status.state.status for job in jobs]

    def finished(self, entity: Model | Ensemble) -> bool:
        """Whether `entity` has ended.

        Raises:
            ValueError: it never ran.
        """
        jobs = [(name, self._job(name, owner)) for name, owner in _launched_names(Manifest.of((entity,)))]
        for name, job in jobs:
            if job is None:
                raise ValueError(f"{name!r} was never started by this experiment: start it before asking for its end")
        return all(job is not None and not job.active for _, job in jobs)

    def _job(self, name: str, entity: object) -> Job | None:
        return self.runtime.table.latest(name) if self._owners.get(name) is entity else None

    def running_names(self) -> Collection[str]:
        """Names of the entities that are running, and of the ensembles and databases that have one."""
        return {name for job in self.runtime.table.active() for name in (job.entity, job.group) if name}

    def reconnect(self, checkpoint: str) -> Orchestrator:
        """Take over a database that another driver started.

        Raises:
            FileNotFoundError: there is no such checkpoint.
            SmartSimError: it cannot be read, or the database is gone.
        """
        from smartsim.database import Orchestrator
        from smartsim.database.checkpoint import read_checkpoint

        saved = read_checkpoint(checkpoint)
        orchestrator = Orchestrator.restore(saved)
        self.databases.refuse_conflicts([orchestrator])
        if not self.runtime.plugins.orchestrator_active(saved.deployment):
            addresses = ", ".join(saved.deployment.addresses)
            raise SmartSimError(f"Failed to reconnect orchestrator: no database answers at {addresses}")
        self.runtime.adopt(saved)
        self.databases.adopt(orchestrator, saved.deployment, list(saved.handles.values()))
        self._owners |= {node.name: node for node in orchestrator.entities}
        return orchestrator


def _refuse_without_settings(manifest: Manifest) -> None:
    for model in (*manifest.models, *(member for ensemble in manifest.ensembles for member in ensemble.models)):
        if not isinstance(model.run_settings, RunSettings):
            raise TypeError(
                f"{model.name!r} cannot be started with run_settings={model.run_settings!r}: "
                "set it to what Experiment.create_run_settings returns"
            )


def _warn_of_survivor(step: str, native_id: str | int) -> None:
    logger.warning("Task %s with id: %s still runs: `smart stop` ends it", step, native_id)


def _named(manifest: Manifest) -> Iterator[tuple[str, Named]]:
    """Every name that `manifest` uses, with the object it stands for."""
    for model in manifest.models:
        yield model.name, model
    groups: tuple[Ensemble | Orchestrator, ...] = (*manifest.ensembles, *manifest.dbs)
    for group in groups:
        yield group.name, group
        for member in group.entities:
            yield member.name, member


def _launched_names(manifest: Manifest) -> Iterator[tuple[str, Named]]:
    """Every name of `manifest` that has a job of its own: a batch job stands for its members."""
    for model in manifest.models:
        yield model.name, model
    groups: tuple[Ensemble | Orchestrator, ...] = (*manifest.ensembles, *manifest.dbs)
    for group in groups:
        if group.batch:
            yield group.name, group
        else:
            for member in group.entities:
                yield member.name, member
