"""The job table: what is known of every job of an experiment.

The table is the only mutable place of the engine. States enter through `JobTable.report`, from whichever thread learns
of them, and move forward only; every change becomes one `JobEvent` for the observers and wakes whoever waits.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from smartsim.engine.interrupt import Monitor
from smartsim.status import SmartSimStatus, State
from smartsim.values import JobEvent, JobHandle, JobStatus, LaunchPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Job", "JobTable"]


@frozen(kw_only=True)
class Job:
    """One run of one entity.

    Attributes:
        handle: names it.
        plan: what was launched.
        status: what is known of it.
        started: when it was launched, seconds since the epoch.
        ended: when its end was observed, None while it has not ended.
        is_database: whether it is a shard of a database; such jobs never keep ``start(block=True)`` waiting.
        stopping: whether the user has asked to stop it; its end then counts as cancelled.
    """

    handle: JobHandle
    plan: LaunchPlan
    status: JobStatus
    started: float
    ended: float | None = None
    is_database: bool = False
    stopping: bool = False

    @property
    def entity(self) -> str:
        """Name of the entity."""
        return self.plan.entity

    @property
    def entity_type(self) -> str:
        """Class name of the entity."""
        return self.plan.entity_type

    @property
    def group(self) -> str:
        """Name of the ensemble or orchestrator, or the empty string."""
        return self.plan.group

    @property
    def run(self) -> int:
        """RunID, from 0."""
        return self.plan.run

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return not self.status.state.terminal


class JobTable:
    """Every job of an experiment, by handle and by entity.

    Args:
        observe: receives each event, in order, on the thread that reports; must be quick.
    """

    def __init__(self, observe: Callable[[JobEvent], None]) -> None:
        self._observe = observe
        self._changed = Monitor()
        self._jobs: dict[JobHandle, Job] = {}
        self._latest: dict[str, JobHandle] = {}
        self._early: dict[JobHandle, JobStatus] = {}
        self._waited_for = 0

    def add(self, jobs: Iterable[Job]) -> None:
        """Enter jobs that were launched; what was reported of them before is applied now."""
        with self._changed:
            for job in jobs:
                self._jobs[job.handle] = job
                self._latest[job.entity] = job.handle
                self._waited_for += not job.is_database
                self._observe(_event(job, State.NEW))
                early = self._early.pop(job.handle, None)
                if early is not None:
                    self._apply(job, early)
            self._changed.notify_all()

    def report(self, handle: JobHandle, status: JobStatus) -> None:
        """Take note of what became known of a job.

        A backward move is dropped. A job that ended is told to the table exactly once. A report may arrive before
        `add`.
        """
        self.report_all([(handle, status)])

    def report_all(self, reports: Iterable[tuple[JobHandle, JobStatus]]) -> None:
        """Take note of several reports at once, waking those who wait only once."""
        with self._changed:
            for handle, status in reports:
                job = self._jobs.get(handle)
                if job is None:
                    self._early[handle] = status
                else:
                    self._apply(job, status)
            self._changed.notify_all()

    def _apply(self, job: Job, status: JobStatus) -> None:
        if status.state.terminal and job.stopping:
            status = evolve(status, state=State.CANCELLED)
        known = job.status
        if not known.state.can_become(status.state):
            return
        changed = (known.state, known.returncode, known.hosts) != (status.state, status.returncode, status.hosts)
        if not changed:
            return
        ended = status.observed_at if status.state.terminal else None
        now = evolve(job, status=status, ended=ended)
        self._jobs[job.handle] = now
        if status.state.terminal:
            self._waited_for -= not job.is_database
        self._observe(_event(now, known.state))

    def mark_stopping(self, handles: Iterable[JobHandle]) -> None:
        """Note that the user wants these jobs to end."""
        with self._changed:
            for handle in handles:
                if (job := self._jobs.get(handle)) is not None and job.active:
                    self._jobs[handle] = evolve(job, stopping=True)

    def latest(self, entity: str) -> Job | None:
        """The newest run of the entity called `entity`, or None when it never ran."""
        with self._changed:
            handle = self._latest.get(entity)
            return None if handle is None else self._jobs[handle]

    def jobs(self) -> list[Job]:
        """Every job in the order of launch."""
        with self._changed:
            return list(self._jobs.values())

    def active(self) -> list[Job]:
        """Every job that has not ended, in the order of launch."""
        return [job for job in self.jobs() if job.active]

    def counts(self, handles: Iterable[JobHandle]) -> Counter[SmartSimStatus]:
        """How many of the jobs named are in which status."""
        with self._changed:
            return Counter(self._jobs[handle].status.state.status for handle in handles)

    @property
    def waited_for(self) -> int:
        """Number of active jobs that are not databases."""
        return self._waited_for

    def wait_until_done(self, tick: float | None = None) -> bool:
        """Wait until no job but databases is active, at most `tick` seconds.

        Returns:
            Whether that is so.
        """
        return self._changed.wait_for(lambda: self._waited_for == 0, tick)

    def wait_ended(self, handles: Sequence[JobHandle], timeout: float) -> bool:
        """Wait until the jobs named have ended, at most `timeout` seconds.

        Returns:
            Whether they have.
        """
        return self._changed.wait_for(
            lambda: not any(self._jobs[handle].active for handle in handles if handle in self._jobs), timeout
        )


def _event(job: Job, previous: State) -> JobEvent:
    return JobEvent(
        handle=job.handle,
        entity=job.entity,
        entity_type=job.entity_type,
        group=job.group,
        run=job.run,
        previous=previous,
        status=job.status,
    )
