"""What runs, and how to stop it, from the journal: for whoever comes after the driver, or instead of it.

Works while a driver runs, after it has ended, and after it or the supervisor was killed.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from smartsim.engine.supervisor import boot, journal, processes, runtime_dir
from smartsim.engine.supervisor.client import SupervisorClient
from smartsim.engine.supervisor.ladder import RECHECK, Ladder
from smartsim.error import LauncherError
from smartsim.status import State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from smartsim.engine.supervisor.client import JobSnapshot

__all__ = ["JobRecord", "inspect", "stop", "teardown"]

_LOST = "its supervisor ended before it did; its exit code is not known"
_STOPPED = "stopped; its supervisor was gone, so its exit code is not known"
_PATIENCE = 10.0


@frozen(kw_only=True)
class JobRecord:
    """What is known of one job now.

    Attributes:
        id: name of the job, unique in the journal.
        entity: name of the entity.
        entity_type: class name of the entity.
        group: name of the ensemble or orchestrator, or the empty string.
        run: how often the entity was started before.
        launcher: name of the launcher.
        native_id: what the launcher calls the job; a process id for the supervisor's jobs.
        step: name of the run of the entity.
        managed: whether a scheduler keeps the job, so that only the scheduler knows more than the journal.
        supervised: whether a live supervisor keeps the job.
        state: state now.
        returncode: exit code (negative: the signal), None unless known.
        reason: why it is in that state, for people.
        start: seconds since the epoch.
        end: seconds since the epoch, None while it has not ended or when it is not known when it did.
        pid: process id of the job's first process, None for a managed job.
        host: machine that it was started on, empty for a managed job.
        stdout: file of its standard output.
        stderr: file of its standard error.
    """

    id: str
    entity: str = ""
    entity_type: str = ""
    group: str = ""
    run: int = 0
    launcher: str = ""
    native_id: str = ""
    step: str = ""
    managed: bool = False
    supervised: bool = False
    state: State
    returncode: int | None = None
    reason: str = ""
    start: float
    end: float | None = None
    pid: int | None = None
    host: str = ""
    stdout: str = ""
    stderr: str = ""


def inspect(exp_path: str | os.PathLike[str]) -> list[JobRecord]:
    """Return every job of an experiment in the order in which they were started; changes nothing.

    The supervisor is asked when it is alive. Without it, a job whose first process is alive runs, and one that has
    ended unobserved has failed, with no exit code. Nothing can be found out about processes of another machine: they
    are `State.UNKNOWN`. A scheduler's job is as the journal says.

    Args:
        exp_path: folder of the experiment.

    Raises:
        LauncherError: the supervisor speaks another version.
        OSError: the journal cannot be read.
    """
    client = SupervisorClient.attach(exp_path)
    try:
        return _Survey(exp_path, client).records
    finally:
        if client is not None:
            client.close()


def stop(exp_path: str | os.PathLike[str], ids: Collection[str] | None, grace: float) -> list[JobRecord]:
    """Stop processes of an experiment with everything that they started, and wait until all of it has ended.

    What a live supervisor does not keep is stopped from here, and its end is recorded in the journal.

    Args:
        exp_path: folder of the experiment.
        ids: which jobs, None for all; ids of a scheduler's jobs are ignored.
        grace: seconds between TERM and KILL.

    Returns:
        The jobs in question as they are afterwards.

    Raises:
        LauncherError: a process cannot be ended, or a job runs on another machine; the others have been stopped.
        OSError: the journal cannot be read or written.
    """
    client = SupervisorClient.attach(exp_path)
    try:
        if client is not None:
            client.stop(ids, grace)
        survey = _Survey(exp_path, client)
        survey.stop_orphans(ids, grace)
        records = [record for record in _Survey(exp_path, client).records if ids is None or record.id in ids]
    finally:
        if client is not None:
            client.close()
    _refuse_elsewhere(records)
    return records


def teardown(exp_path: str | os.PathLike[str], grace: float) -> list[JobRecord]:
    """Stop all processes of an experiment, end its supervisor and remove its socket, whatever state they are in.

    Jobs that have ended unobserved get their end in the journal.

    Args:
        exp_path: folder of the experiment.
        grace: seconds between TERM and KILL.

    Returns:
        All jobs as they are afterwards.

    Raises:
        LauncherError: a process cannot be ended, or a job or supervisor is on another machine; the rest has been done.
        OSError: the journal cannot be read or written.
    """
    client = SupervisorClient.attach(exp_path)
    if client is not None:
        client.shutdown(grace)
    experiment = os.path.realpath(exp_path)
    for record in boot.alive(experiment):
        _end_supervisor(record, grace)
    survey = _Survey(exp_path, None)
    survey.stop_orphans(None, grace)
    survey.record_ends()
    for folder in survey.folders():
        boot.clean(folder)
    records = _Survey(exp_path, None).records
    _refuse_elsewhere(records)
    return records


def _refuse_elsewhere(records: Collection[JobRecord]) -> None:
    hosts = sorted({record.host for record in records if record.state is State.UNKNOWN and not record.managed})
    if hosts:
        raise LauncherError(
            f"jobs of this experiment were started on {', '.join(hosts)}, this is {os.uname().nodename}: "
            "run the command there"
        )


def _end_supervisor(record: Mapping[str, Any], grace: float) -> None:
    """End a supervisor that lives but cannot be connected to, because its socket was removed for example."""
    pid: int = record["pid"]
    # Told to terminate, it stops its jobs itself and records their exit codes.
    for number, patience in ((signal.SIGTERM, grace + _PATIENCE), (signal.SIGKILL, _PATIENCE)):
        processes.send(pid, number)
        end = time.monotonic() + patience
        while boot.lives(record):
            boot.reap(pid)
            if time.monotonic() > end:
                break
            time.sleep(RECHECK)


class _Survey:
    """The journal of an experiment beside what is alive.

    Args:
        exp_path: folder of the experiment.
        client: the live supervisor, None when there is none. Connected before the journal is read, so that a job's end
            is known from one of the two.
    """

    def __init__(self, exp_path: str | os.PathLike[str], client: SupervisorClient | None) -> None:
        self._experiment = os.path.realpath(exp_path)
        self._path = journal.journal_path(self._experiment)
        self._snapshot = {} if client is None else {job.id: job for job in client.jobs()}
        self._view = journal.fold(journal.read(self._path))
        self._host = os.uname().nodename
        self._boots = {
            (supervisor.get("host"), supervisor.get("pid")): supervisor.get("boot")
            for supervisor in self._view.supervisors
        }
        self.records = [self._record(job) for job in self._view.jobs.values()]

    def _record(self, job: journal.JournalJob) -> JobRecord:
        pid, run = job.number("pid"), job.number("run")
        record = JobRecord(
            id=job.id,
            entity=job.text("entity"),
            entity_type=job.text("entity_type"),
            group=job.text("group"),
            run=0 if run is None else int(run),
            launcher=job.text("launcher"),
            native_id=job.text("native_id"),
            step=job.text("step"),
            managed=pid is None,
            state=job.state,
            returncode=job.returncode,
            reason=job.reason,
            start=job.start,
            end=job.end,
            pid=None if pid is None else int(pid),
            host=job.text("host"),
            stdout=job.text("stdout"),
            stderr=job.text("stderr"),
        )
        return record if record.managed or record.state.terminal else self._unfinished(record, job)

    def _unfinished(self, record: JobRecord, job: journal.JournalJob) -> JobRecord:
        snapshot = self._snapshot.get(job.id)
        if snapshot is not None:
            return _as_supervised(record, snapshot)
        if record.host != self._host:
            return evolve(record, state=State.UNKNOWN, reason=f"it was started on {record.host}; ask there")
        if self._lives(job):
            return evolve(record, reason="it runs without a supervisor")
        return evolve(record, state=State.FAILED, reason=_LOST)

    def _lives(self, job: journal.JournalJob) -> bool:
        booted = self._boots.get((job.text("host"), job.number("supervisor")))
        return boot.lives(job.record if booted is None else {**job.record, "boot": booted})

    def _orphans(self) -> dict[str, int]:
        """Return the first processes of the jobs that run here without a supervisor."""
        return {
            record.id: record.pid
            for record in self.records
            if record.pid is not None and record.state is State.RUNNING and not record.supervised
        }

    def stop_orphans(self, ids: Collection[str] | None, grace: float) -> None:
        """Stop from here what no supervisor keeps, also what jobs that have ended left behind."""
        orphans = self._orphans()
        leaders = {job: pid for job, pid in orphans.items() if ids is None or job in ids}
        others = {
            record.pid
            for record in self.records
            if record.pid is not None and not record.state.terminal and record.id not in leaders
        }
        stopped = list(leaders)
        members = processes.Membership({pid: job for job, pid in leaders.items()}, ids, others, self._experiment)
        lines: list[bytes] = []

        def note(job: str, action: str, pids: list[int]) -> None:
            lines.append(journal.line("rung", {"id": job, "action": action, "pids": pids}))

        ladder = Ladder(leaders, members.scan, max(0.0, grace), note)
        ladder.start(time.monotonic())
        while not ladder.climb(time.monotonic()):
            time.sleep(RECHECK)
            for job in list(leaders):
                if not self._lives(self._view.jobs[job]):
                    del leaders[job]
        for job in stopped:
            fields = {"id": job, "state": State.CANCELLED.value, "returncode": None, "reason": _STOPPED}
            lines.append(journal.line("state", fields))
        self._write(lines)
        if ladder.stuck:
            raise LauncherError(f"processes {ladder.stuck} did not end although they were killed")

    def record_ends(self) -> None:
        """Write the ends into the journal that nobody was there to write."""
        lines = [
            journal.line("state", {"id": job.id, "state": job.state.value, "returncode": None, "reason": job.reason})
            for job in self.records
            if job.state is State.FAILED and job.end is None
        ]
        for supervisor in self._view.supervisors:
            if "ended" not in supervisor and supervisor.get("host") == self._host and not boot.lives(supervisor):
                fields = {"pid": supervisor.get("pid"), "host": self._host, "reason": "it was found gone"}
                lines.append(journal.line("supervisor-end", fields))
        self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        book = journal.Journal(self._path)
        try:
            if not book.write(lines):
                raise LauncherError(
                    f"cannot write the journal {self._path}: make room on the disk and repeat the command"
                )
        finally:
            book.close()

    def folders(self) -> list[str]:
        """Return the folders that supervisors of the experiment on this machine have listened in."""
        here = [supervisor for supervisor in self._view.supervisors if supervisor.get("host") == self._host]
        recorded = (runtime_dir.of_socket(supervisor.get("socket")) for supervisor in here)
        folders = [folder for folder in recorded if folder is not None]
        return list(dict.fromkeys([*folders, *runtime_dir.candidates(self._experiment, os.environ)]))


def _as_supervised(record: JobRecord, job: JobSnapshot) -> JobRecord:
    """Return the record with what the live supervisor says, which can be ahead of a journal on a full disk."""
    end = job.exited
    if end is None:
        return evolve(record, supervised=True)
    state = State.COMPLETED if end.returncode == 0 else State.FAILED
    return evolve(
        record,
        state=State.CANCELLED if end.stopped else state,
        returncode=end.returncode,
        reason=end.reason,
        end=end.at,
    )
