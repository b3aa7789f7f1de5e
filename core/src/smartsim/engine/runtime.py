"""What one experiment holds while it runs: its plugins, its job table, its journal and its threads.

A `Runtime` knows nothing of the Experiment above it, so that it can be closed when the Experiment is garbage.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim.config import STOP_GRACE
from smartsim.engine.backend import ProcessBackend
from smartsim.engine.observers import Observers, log_event
from smartsim.engine.plan import launch_plan, output_files
from smartsim.engine.table import Job, JobTable
from smartsim.engine.watcher import Watcher
from smartsim.error import LauncherError, SmartSimError
from smartsim.plugin.catalogue import core_version
from smartsim.status import State
from smartsim.values import BatchSpec, Context, JobHandle, JobSpec, JobStatus, LaunchPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from smartsim.database.checkpoint import Checkpoint
    from smartsim.engine.supervisor.journal import Journal
    from smartsim.plugin.manager import Plugins

__all__ = ["Runtime"]


class Runtime:
    """The running side of an experiment.

    Args:
        name: name of the experiment.
        path: absolute folder of the experiment.
        launcher: name of its launcher.
        plugins: its plugins.
    """

    def __init__(self, *, name: str, path: str, launcher: str, plugins: Plugins) -> None:
        self.name = name
        self.path = path
        self.launcher = launcher
        self.plugins = plugins
        self.observers = Observers(plugins.job_event, log_event)
        self.table = JobTable(self.observers.publish)
        self.backend = ProcessBackend(self.table.report_all)
        self._watcher = Watcher(self._ask, self.table.report_all)
        self._journal: Journal | None = None
        self._process = os.getpid()
        self._lock = threading.Lock()
        plugins.register(self.backend, "builtin:supervisor")

    def context(self, run_id: str = "") -> Context:
        """What hooks may know at this moment."""
        return Context(
            experiment=self.name, path=self.path, launcher=self.launcher, run_id=run_id, environ=dict(os.environ)
        )

    def open(self) -> Context:
        """Get ready to launch: plugins acquire what they need, the journal exists.

        Returns:
            The context of this start, with a run identifier of its own.

        Raises:
            SmartSimError: this process was forked from the one that made the experiment.
        """
        if os.getpid() != self._process:
            raise SmartSimError(
                f"this process was forked from the driver of experiment {self.name!r}, to which it belongs: "
                "make an Experiment of its own here"
            )
        ctx = self.context(os.urandom(4).hex()[:7])
        self.plugins.open(ctx, self.table.report)
        return ctx

    @property
    def journal(self) -> Journal:
        """The journal of the experiment; its first use makes it."""
        from smartsim.engine.supervisor.journal import Journal, journal_path

        with self._lock:
            if self._journal is None:
                self._journal = Journal(journal_path(self.path))
                self._journal.append(
                    "experiment",
                    name=self.name,
                    path=self.path,
                    launcher=self.launcher,
                    host=socket.gethostname(),
                    driver_pid=os.getpid(),
                    version=core_version(),
                )
            return self._journal

    def plans(self, specs: Iterable[JobSpec | BatchSpec], ctx: Context) -> list[LaunchPlan]:
        """Plan every spec; nothing is launched."""
        return [launch_plan(spec, self.plugins, ctx) for spec in specs]

    def launch(self, plans: Sequence[LaunchPlan], ctx: Context, *, database: bool = False) -> list[JobHandle]:
        """Write batch scripts, launch every plan in as few calls as possible, and enter the jobs into the table.

        Returns:
            The handle of each, in order.

        Raises:
            LauncherError: something could not be launched; see `take_back`.
        """
        handles: dict[LaunchPlan, JobHandle] = {}
        for kind in sorted({plan.kind for plan in plans}, reverse=True):
            group = [plan for plan in plans if plan.kind == kind]
            _write_scripts(group)
            launched = self.plugins.launch(group, ctx)
            self._enter(group, launched, ctx, database=database)
            handles |= zip(group, launched, strict=True)
        return [handles[plan] for plan in plans]

    def _enter(
        self, plans: Sequence[LaunchPlan], handles: Sequence[JobHandle], ctx: Context, *, database: bool
    ) -> None:
        first = JobStatus(state=State.RUNNING)
        jobs = [
            Job(
                handle=handle,
                plan=plan,
                status=first if self.backend.owns(handle) else JobStatus(state=State.QUEUED),
                started=self.backend.started_at(handle) or first.observed_at,
                is_database=database,
            )
            for plan, handle in zip(plans, handles, strict=True)
        ]
        self.table.add(jobs)
        unsupervised = [job for job in jobs if not self.backend.owns(job.handle)]
        for job in unsupervised:
            self.journal.append("job", **_job_record(job, ctx))
        if unsupervised and not self._pushes():
            self._watcher.watch(job.handle for job in unsupervised)

    def _pushes(self) -> bool:
        info = self.plugins.launcher
        return info is not None and "push" in info.capabilities

    def _ask(self, handles: Sequence[JobHandle]) -> Iterable[tuple[JobHandle, JobStatus]]:
        return self.plugins.status(handles, self.context()).items()

    def stop(self, handles: Sequence[JobHandle], grace: float | None = None) -> None:
        """End jobs and wait until they have ended; those that have ended already are left alone.

        Args:
            handles: the jobs.
            grace: seconds between asking and forcing, by default what ``SMARTSIM_STOP_GRACE`` says.
        """
        known = {job.handle for job in self.table.active()}
        active = [handle for handle in handles if handle in known]
        if not active:
            return
        grace = STOP_GRACE.read() if grace is None else grace
        self.table.mark_stopping(active)
        statuses = dict(self.plugins.stop(active, grace, self.context()))
        statuses |= self.backend.smartsim_stop([handle for handle in active if handle not in statuses], grace)
        self.table.report_all(statuses.items())

    def adopt(self, saved: Checkpoint) -> None:
        """Enter the jobs of a database that another driver launched.

        Raises:
            SmartSimError: nobody can tell of them any more.
        """
        ctx = self.open()
        running = JobStatus(state=State.RUNNING)
        names = {f"{node.name}-{saved.spec.run}": node.name for node in saved.deployment.nodes}
        jobs = [
            Job(
                handle=handle,
                plan=LaunchPlan(
                    step=handle.step,
                    argv=(),
                    cwd=saved.spec.path,
                    stdout=output_files(saved.spec.path, name)[0],
                    stderr=output_files(saved.spec.path, name)[1],
                    entity=name,
                    entity_type="Orchestrator" if saved.batch else "DBNode",
                    group=saved.spec.identifier,
                    run=saved.spec.run,
                ),
                status=running,
                started=running.observed_at,
                is_database=True,
            )
            for handle in saved.handles.values()
            for name in [names.get(handle.step, saved.spec.identifier)]
        ]
        try:
            self.backend.adopt(saved.experiment_path, saved.handles)
        except LauncherError as error:
            if ctx.launcher != saved.launcher or not saved.batch:
                raise SmartSimError(f"Failed to reconnect orchestrator: {error}") from error
            self._watcher.watch(saved.handles.values())
        self.table.add(jobs)

    def take_back(self, ctx: Context, before: Collection[JobHandle]) -> None:
        """End whatever a start has launched, or was about to launch, when it could not be completed.

        Ctrl-C meanwhile forces it.

        Args:
            ctx: the context of that start.
            before: the jobs that were active before it.
        """
        try:
            self._take_back(ctx, before, STOP_GRACE.read())
        except KeyboardInterrupt:
            self._take_back(ctx, before, 0.0)
            raise

    def _take_back(self, ctx: Context, before: Collection[JobHandle], grace: float) -> None:
        self.backend.stop_run(ctx.path, ctx.run_id, grace)
        self.stop([job.handle for job in self.table.active() if job.handle not in before], grace)

    def close(self) -> None:
        """Let go of everything; jobs run on. A forked process has nothing to let go of."""
        if os.getpid() != self._process:
            return
        # In the direction of the news, so that what is on its way still arrives.
        self._watcher.close()
        self.backend.smartsim_close()
        self.observers.close()
        self.plugins.close(self.context())
        if self._journal is not None:
            self._journal.close()


def _write_scripts(plans: Sequence[LaunchPlan]) -> None:
    for plan in plans:
        if plan.script is not None and plan.script_path is not None:
            path = Path(plan.script_path)
            path.write_text(plan.script, encoding="utf-8", errors="surrogateescape")
            path.chmod(0o755)


def _job_record(job: Job, ctx: Context) -> dict[str, object]:
    return {
        "id": f"{job.plan.step}.{ctx.run_id}",
        "run_id": ctx.run_id,
        "entity": job.entity,
        "entity_type": job.entity_type,
        "group": job.group,
        "run": job.run,
        "launcher": job.handle.launcher,
        "native_id": job.handle.native_id,
        "step": job.plan.step,
        "stdout": job.plan.stdout,
        "stderr": job.plan.stderr,
        "cwd": job.plan.cwd,
        "managed": True,
    }
