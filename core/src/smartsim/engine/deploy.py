"""The databases of one experiment: launched as ordinary jobs, waited for until they answer, shut down cleanly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from smartsim.config import STOP_GRACE
from smartsim.database import Orchestrator
from smartsim.database.checkpoint import Checkpoint, write_checkpoint
from smartsim.engine.plan import batch_spec
from smartsim.error import SmartSimError, SSDBIDConflictError
from smartsim.log import get_logger
from smartsim.values import Deployment, JobHandle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from smartsim.engine.runtime import Runtime
    from smartsim.values import BatchSpec, Context, DatabaseInfo, JobSpec

__all__ = ["Databases", "last_lines"]

logger = get_logger(__name__)

SHOWN_LINES = 10
"""How many of the last lines of a server's output an error quotes."""


@frozen(kw_only=True)
class _Running:
    orchestrator: Orchestrator
    deployment: Deployment
    handles: tuple[JobHandle, ...]


class Databases:
    """The databases that an experiment has started.

    Args:
        runtime: the running side of the experiment.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: dict[str, _Running] = {}

    def refuse_conflicts(self, orchestrators: Iterable[Orchestrator]) -> None:
        """Raise SSDBIDConflictError when the identifier of one of `orchestrators` is in use."""
        running = {deployment.identifier for deployment in self.deployments()}
        for orchestrator in orchestrators:
            if orchestrator.db_identifier in running:
                raise SSDBIDConflictError(
                    f"A database with db_identifier={orchestrator.db_identifier!r} is running in this experiment: "
                    "stop it first, or give the new one another db_identifier"
                )

    def deployments(self) -> list[Deployment]:
        """The databases of which at least one shard runs."""
        active = {job.handle for job in self._runtime.table.active()}
        return [one.deployment for one in self._running.values() if active.intersection(one.handles)]

    def orchestrators(self) -> list[Orchestrator]:
        """The user's objects of the databases that run."""
        running = {deployment.identifier for deployment in self.deployments()}
        return [one.orchestrator for name, one in self._running.items() if name in running]

    def info(self, orchestrator: Orchestrator) -> DatabaseInfo:
        """The server that `orchestrator` would start."""
        return self._runtime.plugins.database_info(orchestrator.engine, os.environ)

    def specs(self, orchestrator: Orchestrator, ctx: Context, run: int = 0) -> list[JobSpec | BatchSpec]:
        """What launching `orchestrator` would launch; pure."""
        steps = self._runtime.plugins.deploy_orchestrator(orchestrator.spec(run), ctx)
        settings = orchestrator.batch_settings
        if settings is None:
            return list(steps)
        return [batch_spec(orchestrator.name, orchestrator.path, settings, steps, entity_type="Orchestrator", run=run)]

    def start(self, orchestrators: Sequence[tuple[Orchestrator, int]], ctx: Context) -> None:
        """Launch databases and wait until each can be used.

        They start side by side.

        Args:
            orchestrators: each database with how often it was started before.
            ctx: the context of this start.

        Raises:
            SmartSimError: one did not become usable; has the last lines of its output.
        """
        launched = []
        for orchestrator, run in orchestrators:
            plans = self._runtime.plans(self.specs(orchestrator, ctx, run), ctx)
            orchestrator.remove_stale_files()
            launched.append((orchestrator, run, self._runtime.launch(plans, ctx, database=True)))
        for orchestrator, run, handles in launched:
            self._await(orchestrator, run, handles, ctx)

    def _await(self, orchestrator: Orchestrator, run: int, handles: Sequence[JobHandle], ctx: Context) -> None:
        spec = orchestrator.spec(run)
        if orchestrator.batch:
            logger.info("Waiting for database %s: its batch job may be queued", orchestrator.name)

        def check() -> None:
            self._refuse_ended(orchestrator, handles)

        deployment = self._runtime.plugins.orchestrator_ready(spec, check, ctx)
        self.adopt(orchestrator, deployment, handles)
        self._runtime.journal.append(
            "database",
            identifier=deployment.identifier,
            engine=deployment.engine,
            nodes=[{"name": node.name, "host": node.host, "port": node.port} for node in deployment.nodes],
            path=deployment.path or orchestrator.path,
        )
        write_checkpoint(
            Path(orchestrator.checkpoint_file),
            Checkpoint.of(
                orchestrator,
                spec=spec,
                deployment=deployment,
                experiment_path=self._runtime.path,
                handles={f"{handle.step}.{ctx.run_id}": handle for handle in handles},
            ),
        )

    def adopt(self, orchestrator: Orchestrator, deployment: Deployment, handles: Sequence[JobHandle]) -> None:
        """Take over a database that runs."""
        orchestrator.set_deployment(deployment)
        self._running[orchestrator.db_identifier] = _Running(
            orchestrator=orchestrator, deployment=deployment, handles=tuple(handles)
        )

    def _refuse_ended(self, orchestrator: Orchestrator, handles: Sequence[JobHandle]) -> None:
        chosen = set(handles)
        for job in self._runtime.table.jobs():
            if job.handle in chosen and not job.active:
                output = last_lines(job.plan.stdout) or last_lines(job.plan.stderr)
                raise SmartSimError(
                    f"Orchestrator failed during startup See {orchestrator.path} for details: {job.entity} ended "
                    f"({job.status.reason or job.status.state.status}). Its last lines:\n{output or '(no output)'}"
                )

    def stop(self, orchestrator: Orchestrator) -> None:
        """Shut a database down: first by its own command, then as any other job."""
        running = self._running.get(orchestrator.db_identifier)
        if running is None:
            return
        table = self._runtime.table
        active = [job.handle for job in table.active() if job.handle in set(running.handles)]
        table.mark_stopping(active)
        if active and self._runtime.plugins.orchestrator_stop(running.deployment, self._runtime.context()):
            table.wait_ended(active, STOP_GRACE.read())
        self._runtime.stop(active)
        self._forget(orchestrator.db_identifier)

    def forget_ended(self) -> None:
        """Drop the databases of which no shard runs any more."""
        running = {deployment.identifier for deployment in self.deployments()}
        for identifier in [name for name in self._running if name not in running]:
            self._forget(identifier)

    def _forget(self, identifier: str) -> None:
        self._running.pop(identifier).orchestrator.clear_deployment()
        self._runtime.journal.append("database-end", identifier=identifier, reason="stopped")


def last_lines(path: str, count: int = SHOWN_LINES) -> str:
    """The last `count` lines of a file, whatever bytes it has; empty when it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 8192))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-count:])
