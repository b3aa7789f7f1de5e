"""Core's own answer to the launch, status and stop hooks: processes of this machine, kept by the supervisor.

The run commands of schedulers are processes too, so this serves every launcher that does not launch by itself.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from smartsim.engine.interrupt import Monitor
from smartsim.error import LauncherError, PluginError
from smartsim.plugin import API_VERSION, hookimpl
from smartsim.status import State
from smartsim.values import Context, JobHandle, JobStatus, LaunchPlan, PluginInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from smartsim.engine.supervisor.client import Exited, SupervisorClient

_UNKNOWN_END = "its exit code is not known, and it may run on: `smart ps` shows it, `smart teardown` ends it"

__all__ = ["ProcessBackend", "exit_status"]


class ProcessBackend:
    """Launches process plans through the supervisor of the experiment, which is started when first needed.

    Args:
        report: receives what becomes known of several jobs at once.
    """

    def __init__(self, report: Callable[[Iterable[tuple[JobHandle, JobStatus]]], None]) -> None:
        self._report = report
        self._lock = Monitor()
        self._preparing = threading.Lock()
        self._clients: dict[str, SupervisorClient] = {}
        self._sent: dict[str, list[str]] = {}
        self._handles: dict[str, JobHandle] = {}
        self._jobs: dict[JobHandle, tuple[str, str]] = {}
        self._started: dict[JobHandle, float] = {}
        self._early: dict[str, Exited] = {}
        self._ended: dict[JobHandle, JobStatus] = {}

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        """Core's word about itself."""
        return PluginInfo(name="supervisor", kind="builtin", api=API_VERSION, capabilities=frozenset({"push"}))

    def prepare(self, path: str) -> SupervisorClient:
        """Start the supervisor of the experiment in `path` now, so that it boots while the launch is being planned."""
        from smartsim.engine.supervisor.client import SupervisorClient

        with self._preparing:
            client = self._clients.get(path)
            if client is None or client.lost:
                if client is not None:
                    client.close()
                client = SupervisorClient.start(path, on_exit=self._exited, on_lost=partial(self._lost, path))
                self._clients[path] = client
            return client

    def started_at(self, handle: JobHandle) -> float | None:
        """When the process was started, seconds since the epoch; None when this backend did not start it."""
        return self._started.get(handle)

    def owns(self, handle: JobHandle) -> bool:
        """Whether this backend follows the job, so that its end is pushed."""
        return handle in self._jobs

    @hookimpl(trylast=True)
    def smartsim_launch(self, plans: Sequence[LaunchPlan], ctx: Context) -> Sequence[JobHandle] | None:
        """Launch processes, all or none: when one cannot be started, those that could are ended again."""
        from smartsim.engine.supervisor.client import Command

        if any(plan.kind != "process" for plan in plans):
            return None
        client = self.prepare(ctx.path)
        commands = [
            Command(
                id=f"{plan.step}.{ctx.run_id}",
                argv=list(plan.argv),
                env=dict(plan.env),
                cwd=plan.cwd,
                stdout=plan.stdout,
                stderr=plan.stderr,
                meta={
                    "run_id": ctx.run_id,
                    "entity": plan.entity,
                    "entity_type": plan.entity_type,
                    "group": plan.group,
                    "run": plan.run,
                    "launcher": ctx.launcher,
                    "step": plan.step,
                    "managed": False,
                },
            )
            for plan in plans
        ]
        ids = [command.id for command in commands]
        # Noted before they exist, so that an interrupted launch can be taken back.
        self._sent.setdefault(ctx.run_id, []).extend(ids)
        started = client.launch(commands, ctx.environ)
        failed = [(plan, start.error) for plan, start in zip(plans, started, strict=True) if start.error]
        if failed:
            client.stop([start.id for start in started if not start.error], 0.0)
            raise LauncherError(_launch_failure(failed))
        handles = [
            JobHandle(launcher=ctx.launcher, native_id=str(start.pid), step=plan.step)
            for plan, start in zip(plans, started, strict=True)
        ]
        self._started |= {handle: start.at for handle, start in zip(handles, started, strict=True)}
        self._enter(ctx.path, dict(zip(ids, handles, strict=True)))
        if client.lost:  # which was told while these were not known yet
            self._lost(ctx.path, client.lost)
        return handles

    def stop_run(self, path: str, run_id: str, grace: float) -> None:
        """End every process that one start has launched or was about to launch."""
        client, ids = self._clients.get(path), self._sent.get(run_id)
        if client is None or not ids:
            return
        try:
            self._exited(client.stop(ids, grace))
        except LauncherError:
            if not client.lost:
                raise
            from smartsim.engine.supervisor import recovery

            recovery.stop(path, ids, grace)

    def untold(self, path: str, run_id: str) -> dict[str, int]:
        """Process id of each running job that one start has launched without having been able to return its handle."""
        client, ids = self._clients.get(path), set(self._sent.get(run_id, ())) - self._handles.keys()
        if client is None or not ids or client.lost:
            return {}
        return {job.id: job.pid for job in client.jobs() if job.id in ids and job.exited is None}

    @hookimpl(trylast=True)
    def smartsim_status(self, handles: Sequence[JobHandle]) -> Mapping[JobHandle, JobStatus]:
        """What the supervisor has pushed: running unless an exit was reported."""
        now = JobStatus(state=State.RUNNING)
        return {handle: self._ended.get(handle, now) for handle in handles if handle in self._jobs}

    @hookimpl(trylast=True)
    def smartsim_stop(self, handles: Sequence[JobHandle], grace: float) -> Mapping[JobHandle, JobStatus]:
        """End processes by the supervisor's stop ladder and wait until they have ended."""
        by_path: dict[str, list[str]] = {}
        for handle in handles:
            if handle in self._jobs and handle not in self._ended:
                path, job = self._jobs[handle]
                by_path.setdefault(path, []).append(job)
        for path, jobs in by_path.items():
            client = self._clients.get(path)
            if client is None:
                raise PluginError(f"the experiment in {path} has been closed: end its jobs with `smart stop`")
            self._exited(client.stop(jobs, grace))
        return {handle: self._ended[handle] for handle in handles if handle in self._ended}

    @hookimpl
    def smartsim_close(self) -> None:
        """Let go of the supervisors; the jobs run on under them."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def adopt(self, path: str, jobs: Mapping[str, JobHandle]) -> None:
        """Follow jobs that another driver launched in the experiment folder `path`.

        Args:
            path: folder of the experiment whose supervisor keeps them.
            jobs: handle of each job by its id in the journal.

        Raises:
            LauncherError: their supervisor is gone.
        """
        from smartsim.engine.supervisor.client import SupervisorClient

        client = self._clients.get(path) or SupervisorClient.attach(
            path, on_exit=self._exited, on_lost=partial(self._lost, path)
        )
        if client is None:
            raise LauncherError(f"no supervisor runs for the experiment in {path}")
        self._clients[path] = client
        self._enter(path, jobs)
        self._exited(job.exited for job in client.jobs() if job.exited is not None and job.id in jobs)

    def _enter(self, path: str, jobs: Mapping[str, JobHandle]) -> None:
        with self._lock:
            for job, handle in jobs.items():
                self._handles[job] = handle
                self._jobs[handle] = (path, job)
            early = [self._early.pop(job) for job in jobs if job in self._early]
        self._exited(early)

    def _exited(self, exits: Iterable[Exited]) -> None:
        reports = []
        with self._lock:
            for exited in exits:
                handle = self._handles.get(exited.id)
                if handle is None:
                    self._early[exited.id] = exited
                elif handle not in self._ended:
                    status = self._ended[handle] = exit_status(exited)
                    reports.append((handle, status))
        self._report(reports)

    def _lost(self, path: str, reason: str) -> None:
        with self._lock:
            lost = [handle for handle, (owner, _) in self._jobs.items() if owner == path and handle not in self._ended]
            status = JobStatus(state=State.FAILED, reason=f"{reason}; {_UNKNOWN_END}")
            self._ended |= dict.fromkeys(lost, status)
        self._report([(handle, status) for handle in lost])


def exit_status(exited: Exited) -> JobStatus:
    """What the end of a process means.

    A stopped one is cancelled, whatever its exit code; one without an exit code has failed.
    """
    code = exited.returncode
    ended = State.COMPLETED if code == 0 else State.FAILED
    state = State.CANCELLED if exited.stopped else ended
    return JobStatus(state=state, returncode=code, reason=exited.reason, observed_at=exited.at)


def _launch_failure(failed: Sequence[tuple[LaunchPlan, str | None]]) -> str:
    shown = [f"Job step {plan.step} failed to launch: {error}" for plan, error in failed[:5]]
    if len(failed) > len(shown):
        shown.append(f"and {len(failed) - len(shown)} more")
    return "\n".join(shown)
