"""What an operator does with an experiment from outside its driver: see what runs, stop it, clear everything away.

Works from the journal, the supervisor and the launcher's plugin, so that it makes no difference whether the driver
runs, has ended, or was killed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from smartsim.config import STOP_GRACE
from smartsim.engine.supervisor import recovery
from smartsim.engine.supervisor.journal import Journal, JournalView, journal_path, read
from smartsim.error import SmartSimError, SSInternalError, SSUnsupportedError
from smartsim.log import get_logger
from smartsim.plugin.manager import Plugins
from smartsim.status import State
from smartsim.values import Context, DbNodeAddress, Deployment, JobHandle, JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from smartsim.engine.supervisor.recovery import JobRecord

__all__ = [
    "Entry",
    "Survey",
    "find_experiments",
    "has_journal",
    "known_names",
    "plan_stop",
    "stop",
    "survey",
    "teardown",
]

logger = get_logger(__name__)

_STOPPED = "stopped"
_RECHECK = 0.02
_SHOWN_NAMES = 20


@frozen(kw_only=True)
class Entry:
    """One job as an operator sees it.

    Attributes:
        name: name of the entity.
        type: class name of the entity.
        id: process id, or what the scheduler calls the job.
        status: state in one word, as `smartsim.status.SmartSimStatus` has it, or ``Unknown``.
        returncode: exit code (negative: the signal), None unless known.
        start: seconds since the epoch.
        end: seconds since the epoch, None while it has not ended or when it is not known when it did.
        active: whether it has not ended.
        experiment: folder of the experiment.
    """

    name: str
    type: str
    id: str
    status: str
    returncode: int | None
    start: float
    end: float | None
    active: bool
    experiment: str


@frozen(kw_only=True)
class Survey:
    """The jobs of one experiment.

    Attributes:
        path: absolute folder of the experiment.
        entries: its jobs, in the order in which they were started.
        warnings: what could not be found out, for people.
    """

    path: str
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()


# --- which experiments -----------------------------------------------------------------------------------------------


def has_journal(path: str) -> bool:
    """Whether `path` is the folder of an experiment that has started something."""
    return os.path.isfile(journal_path(path))  # noqa: PTH113 - total: a NUL character or a long name is no error


def find_experiments(path: str) -> list[str]:
    """Return the experiments that `path` stands for: itself, else those directly below it, sorted.

    Raises:
        SmartSimError: there are none.
    """
    folder = Path(path).absolute()
    if has_journal(str(folder)):
        return [str(folder)]
    if not folder.is_dir():
        raise SmartSimError(f"{path!r} is not a folder: give the folder of an experiment")
    found = sorted(str(below) for below in folder.iterdir() if has_journal(str(below)))
    if not found:
        raise SmartSimError(
            f"no experiment has started anything in {folder} or directly below it: give the folder of an experiment"
        )
    return found


def known_names(path: str) -> set[str]:
    """Return every name in an experiment that a job can be stopped by: of entities, ensembles and databases.

    Raises:
        OSError: the journal cannot be read.
    """
    view = _view(path)
    names = {name for job in view.jobs.values() for name in (job.text("entity"), job.text("group"))}
    return (names | set(view.databases)) - {""}


def plan_stop(paths: Sequence[str], names: Collection[str] | None) -> list[str]:
    """Return those of the experiments that have one of `names`; all of them for None.

    Raises:
        SmartSimError: a name is known in none of them; says which are known.
    """
    if names is None:
        return list(paths)
    known = {path: known_names(path) for path in paths}
    every = set[str]().union(*known.values())
    for name in names:
        if name not in every:
            shown = ", ".join(sorted(every)[:_SHOWN_NAMES]) or "none"
            more = f" and {len(every) - _SHOWN_NAMES} more" if len(every) > _SHOWN_NAMES else ""
            raise SmartSimError(f"nothing is called {name!r}: nothing was stopped; the names are {shown}{more}")
    return [path for path in paths if known[path].intersection(names)]


# --- what runs -------------------------------------------------------------------------------------------------------


def survey(path: str) -> Survey:
    """Return every job of an experiment; changes nothing.

    The supervisor and the schedulers are asked. What cannot be asked is shown as the journal has it, with a warning.

    Args:
        path: folder of the experiment.

    Raises:
        LauncherError: the supervisor speaks another version.
        OSError: the journal cannot be read.
    """
    folder = str(Path(path).absolute())
    jobs, warnings = _jobs(folder)
    return Survey(path=folder, entries=tuple(_entry(job, folder) for job in jobs), warnings=tuple(warnings))


def _jobs(path: str) -> tuple[list[JobRecord], list[str]]:
    jobs = _with_stopped_databases(recovery.inspect(path), path)
    waiting = [job for job in jobs if job.managed and not job.state.terminal]
    if not waiting:
        return jobs, []
    news: dict[str, JobStatus] = {}
    warnings = []
    for launcher, group in _by_launcher(waiting).items():
        handles = {_handle(job): job.id for job in group}
        try:
            answers = Plugins.for_launcher(launcher).status(list(handles), _context(path, launcher))
        except (SmartSimError, SSInternalError, SSUnsupportedError) as error:
            names = ", ".join(job.entity for job in group[:_SHOWN_NAMES])
            more = f" and {len(group) - _SHOWN_NAMES} more" if len(group) > _SHOWN_NAMES else ""
            warnings.append(f"{names}{more}: shown as last known, because: {error}")
            continue
        news |= {handles[handle]: status for handle, status in answers.items() if handle in handles}
    return [_updated(job, news.get(job.id)) for job in jobs], warnings


def _updated(job: JobRecord, status: JobStatus | None) -> JobRecord:
    if status is None or not job.state.can_become(status.state):
        return job
    end = status.observed_at if status.state.terminal else None
    return evolve(job, state=status.state, returncode=status.returncode, reason=status.reason, end=end)


def _with_stopped_databases(jobs: list[JobRecord], path: str) -> list[JobRecord]:
    """A shard that ended because its database was asked to shut down was cancelled, whatever its exit code says."""
    if not any(job.state is State.COMPLETED and _is_shard(job) for job in jobs):
        return jobs
    stopped: dict[str, float] = {}
    for record in read(journal_path(path)):
        if record["kind"] == "database-end" and record.get("reason") == _STOPPED:
            stopped[str(record.get("identifier"))] = record["t"]
    return [
        evolve(job, state=State.CANCELLED)
        if job.state is State.COMPLETED
        and _is_shard(job)
        and job.start <= max(stopped.get(job.group, -1.0), stopped.get(job.entity, -1.0))
        else job
        for job in jobs
    ]


def _entry(job: JobRecord, path: str) -> Entry:
    return Entry(
        name=job.entity,
        type=job.entity_type,
        id=job.native_id or ("" if job.pid is None else str(job.pid)),
        status="Unknown" if job.state is State.UNKNOWN else str(job.state.status),
        returncode=job.returncode,
        start=job.start,
        end=job.end,
        active=not job.state.terminal,
        experiment=path,
    )


# --- ending it -------------------------------------------------------------------------------------------------------


def stop(path: str, names: Collection[str] | None, grace: float | None = None) -> list[Entry]:
    """Stop jobs of an experiment: applications first, then databases, which are asked to shut down cleanly.

    Args:
        path: folder of the experiment.
        names: names of entities, ensembles and databases; None for everything. Unknown ones are ignored.
        grace: seconds until a job is ended by force, None for what ``SMARTSIM_STOP_GRACE`` says.

    Returns:
        The jobs that were running, as they are afterwards.

    Raises:
        SmartSimError: a job could not be stopped.
        LauncherError: a process does not end, or runs on another machine.
        OSError: the journal cannot be read or written.
    """
    folder = str(Path(path).absolute())
    seconds = STOP_GRACE.read() if grace is None else grace
    jobs, warnings = _jobs(folder)
    for warning in warnings:
        logger.warning(warning)
    chosen = [job for job in jobs if not job.state.terminal and _is_named(job, names)]
    shards = [job for job in chosen if _is_shard(job)]
    _stop_jobs(folder, [job for job in chosen if not _is_shard(job)], seconds)
    _shut_down(folder, jobs, shards, seconds)
    _stop_jobs(folder, shards, seconds)
    after = {job.id: job for job in _jobs(folder)[0]}
    return [_entry(after[job.id], folder) for job in chosen]


def teardown(path: str, grace: float | None = None) -> list[Entry]:
    """End everything that an experiment has left running: jobs, databases, its supervisor and that one's socket.

    Args:
        path: folder of the experiment.
        grace: seconds until a job is ended by force, None for what ``SMARTSIM_STOP_GRACE`` says.

    Returns:
        The jobs that were running, as they are afterwards.

    Raises:
        SmartSimError: a job could not be stopped.
        LauncherError: a process does not end, or runs on another machine; the rest has been done.
        OSError: the journal cannot be read or written.
    """
    ended = stop(path, None, grace)
    recovery.teardown(path, STOP_GRACE.read() if grace is None else grace)
    return ended


def _is_named(job: JobRecord, names: Collection[str] | None) -> bool:
    return names is None or job.entity in names or bool(job.group and job.group in names)


def _stop_jobs(path: str, jobs: Sequence[JobRecord], grace: float) -> None:
    processes = [job.id for job in jobs if not job.managed]
    if processes:
        recovery.stop(path, processes, grace)
    for launcher, group in _by_launcher(job for job in jobs if job.managed).items():
        handles = {_handle(job): job.id for job in group}
        answers = Plugins.for_launcher(launcher).stop(list(handles), grace, _context(path, launcher))
        _record(path, {handles[handle]: status for handle, status in answers.items() if handle in handles})


def _record(path: str, statuses: Mapping[str, JobStatus]) -> None:
    """Write into the journal how jobs ended that no supervisor keeps."""
    book = Journal(journal_path(path))
    try:
        for job, status in statuses.items():
            if status.state.terminal:
                book.append(
                    "state", id=job, state=status.state.value, returncode=status.returncode, reason=status.reason
                )
    finally:
        book.close()


def _shut_down(path: str, jobs: Sequence[JobRecord], shards: Sequence[JobRecord], grace: float) -> None:
    """Ask the databases of which every running shard is to be stopped to shut down, and give them the time for it."""
    for identifier, record in _view(path).databases.items():
        running = {job.id for job in jobs if not job.state.terminal and identifier in {job.group, job.entity}}
        if not running or not running <= {job.id for job in shards}:
            continue
        deployment = _deployment(identifier, record)
        try:
            accepted = Plugins.for_database(deployment.engine).orchestrator_stop(deployment, _context(path, ""))
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises, the shards must be stopped
            logger.warning("Database %s could not be asked to shut down: %s", identifier, error)
            continue
        finally:
            book = Journal(journal_path(path))
            book.append("database-end", identifier=identifier, reason=_STOPPED)
            book.close()
        if accepted:
            _wait_until_ended(path, running, grace)


def _wait_until_ended(path: str, ids: Collection[str], patience: float) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if all(job.state.terminal or job.managed for job in recovery.inspect(path) if job.id in ids):
            return
        time.sleep(_RECHECK)


def _deployment(identifier: str, record: Mapping[str, object]) -> Deployment:
    nodes = record.get("nodes")
    return Deployment(
        identifier=identifier,
        engine=str(record.get("engine", "")),
        nodes=tuple(
            DbNodeAddress(name=str(node.get("name")), host=str(node.get("host")), port=int(node.get("port", 0)))
            for node in (nodes if isinstance(nodes, list) else ())
            if isinstance(node, dict)
        ),
        path=str(record.get("path", "")),
    )


# --- pieces ----------------------------------------------------------------------------------------------------------


def _view(path: str) -> JournalView:
    view = JournalView()
    for record in read(journal_path(path)):
        view.add(record)
    return view


def _is_shard(job: JobRecord) -> bool:
    return job.entity_type in {"DBNode", "Orchestrator"}


def _handle(job: JobRecord) -> JobHandle:
    return JobHandle(launcher=job.launcher, native_id=job.native_id, step=job.step)


def _by_launcher(jobs: Iterable[JobRecord]) -> dict[str, list[JobRecord]]:
    groups: dict[str, list[JobRecord]] = {}
    for job in jobs:
        groups.setdefault(job.launcher, []).append(job)
    return groups


def _context(path: str, launcher: str) -> Context:
    name = (_view(path).experiment or {}).get("name")
    return Context(
        experiment=name if isinstance(name, str) else Path(path).name,
        path=path,
        launcher=launcher,
        environ=dict(os.environ),
    )
