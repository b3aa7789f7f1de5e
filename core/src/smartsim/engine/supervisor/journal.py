"""The journal of an experiment, ``<experiment>/.smartsim/journal.jsonl``.

JSON lines that are only ever appended, each by one `write` of the operating system, because databases and locks are not
safe on the file systems of clusters. The driver and the supervisor append; whoever wants to know reads all and
folds it.
Every record has ``v`` (schema version), ``t`` (seconds since the epoch) and ``kind``:

===============  ===================================================================================================
kind             fields
===============  ===================================================================================================
experiment       name, path, launcher, host, driver_pid, version
supervisor       pid, create_time, boot, socket, host
supervisor-end   pid, host, reason
run              run_id, models, ensembles, databases
job              id, run_id, entity, entity_type, group, run, launcher, native_id, step, stdout, stderr, cwd, managed,
                 argv, and of the supervisor's jobs pid, create_time, supervisor (its pid), host
state            id, state, returncode, reason; where known hosts, usage (maxrss_kb, utime, stime)
rung             id, action (``term`` or ``kill``), pids
database         identifier, engine, nodes (name, host, port), path
database-end     identifier, reason
===============  ===================================================================================================

Readers ignore kinds and fields that they do not know, lines that are torn, and records of a later schema version.
"""

from __future__ import annotations

import json
import os
import time

from smartsim.status import State

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

SCHEMA = 1
"""Version of the records; a reader ignores records of a later one."""

_START = b'{"v":'


def journal_path(experiment: str) -> str:
    """Return the absolute path of the journal of the experiment in the folder `experiment`."""
    return os.path.join(os.path.abspath(experiment), ".smartsim", "journal.jsonl")


def line(kind: str, fields: Mapping[str, Any], at: float | None = None) -> bytes:
    """Return one record as a line.

    Args:
        kind: what is recorded.
        fields: JSON values.
        at: seconds since the epoch, None for now.
    """
    envelope = {"v": SCHEMA, "t": time.time() if at is None else at, "kind": kind}
    return json.dumps({**envelope, **fields, **envelope}, separators=(",", ":")).encode("ascii") + b"\n"


class Journal:
    """Appends to a journal. Opening it creates the file and its folder.

    A record that cannot be written, because the disk is full for example, is kept in memory and tried again with the
    next one.

    Args:
        path: the file.

    Raises:
        OSError: the file cannot be opened for appending.
    """

    __slots__ = ("_fd", "_pending", "_torn", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._pending: list[bytes] = []
        self._torn = False
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, kind: str, **fields: Any) -> bool:
        """Write one record now.

        Returns:
            Whether the record is in the file; if not, see `pending`.
        """
        return self.write([line(kind, fields)])

    def write(self, lines: Iterable[bytes]) -> bool:
        """Write records made by `line`, several in one go.

        Returns:
            Whether they and all earlier ones are in the file.
        """
        self._pending += lines
        while self._pending:
            # A record that was torn by a full disk is written again whole, on a line of its own.
            head = b"\n" if self._torn else b""
            data = head + b"".join(self._pending)
            try:
                written = os.write(self._fd, data)
            except OSError:
                return False
            self._forget(written - len(head))
            if written == len(data):
                return True
        return True

    def _forget(self, written: int) -> None:
        """Drop the records that the first `written` bytes of the pending ones hold completely."""
        complete = 0
        while complete < len(self._pending) and written >= len(self._pending[complete]):
            written -= len(self._pending[complete])
            complete += 1
        self._torn = written != 0
        del self._pending[:complete]

    @property
    def pending(self) -> int:
        """Number of records that are not in the file yet."""
        return len(self._pending)

    def close(self) -> None:
        """Try what is pending a last time and close the file. Idempotent."""
        if self._fd >= 0:
            self.write([])
            os.close(self._fd)
            self._fd = -1


def read(path: str | os.PathLike[str], containing: bytes = b"") -> Iterator[dict[str, Any]]:
    """Yield the valid records of a journal in order; whatever the file holds, nothing is raised for its content.

    A missing file has no records.

    Args:
        path: the file.
        containing: skip lines without these bytes, which is much quicker than looking at the records.

    Raises:
        OSError: the file exists and cannot be read.
    """
    try:
        stream = open(path, "rb")  # noqa: SIM115 - the next statement is the `with`; only opening may find no file
    except (FileNotFoundError, NotADirectoryError):
        return
    with stream:
        yield from parse(text for text in stream if containing in text)


def parse(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the valid records among the lines of a journal."""
    for text in lines:
        record = _parse(text)
        if record is None:
            # Another host's record can be stuck to the beginning of a torn one: its own beginning is found again.
            begin = text.rfind(_START)
            record = _parse(text[begin:]) if begin > 0 else None
        if record is not None:
            yield record


def _parse(text: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        return None
    version, at = record.get("v"), record.get("t")
    if type(version) is not int or not 1 <= version <= SCHEMA:
        return None
    if not isinstance(at, int | float) or isinstance(at, bool) or not abs(at) < 1e12:
        return None
    return record


class JournalJob:
    """What a journal says of one job.

    Attributes:
        id: name of the job, unique in the journal.
        record: the job record as written.
        state: latest state.
        returncode: exit code (negative: the signal), None unless known.
        reason: why it is in that state, for people.
        start: seconds since the epoch.
        end: seconds since the epoch, None while it has not ended.
        hosts: nodes that it runs on, where known.
        usage: ``maxrss_kb`` and processor seconds ``utime``, ``stime``; empty while not known.
        rungs: the steps of the stop ladder that were taken, as written.
    """

    __slots__ = ("end", "hosts", "id", "reason", "record", "returncode", "rungs", "start", "state", "usage")

    def __init__(self, identifier: str, record: dict[str, Any]) -> None:
        self.id = identifier
        self.record = record
        self.state = State.QUEUED if record.get("managed") is True else State.RUNNING
        self.returncode: int | None = None
        self.reason = ""
        self.start: float = record["t"]
        self.end: float | None = None
        self.hosts: list[str] = []
        self.usage: dict[str, float] = {}
        self.rungs: list[dict[str, Any]] = []

    def text(self, field: str) -> str:
        """Return a field of the job record that should be text, the empty string when it is not."""
        value = self.record.get(field)
        return value if isinstance(value, str) else ""

    def number(self, field: str) -> float | None:
        """Return a field of the job record that should be a number, None when it is not."""
        value = self.record.get(field)
        return value if type(value) in {int, float} else None

    def update(self, record: dict[str, Any]) -> None:
        """Take a state record into account; what would move the job backwards is ignored."""
        try:
            state = State(record.get("state"))
        except ValueError:
            return
        if not self.state.can_become(state):
            return
        returncode, reason = record.get("returncode"), record.get("reason")
        hosts, usage = record.get("hosts"), record.get("usage")
        self.state = state
        self.returncode = returncode if type(returncode) is int else None
        self.reason = reason if isinstance(reason, str) else ""
        if isinstance(hosts, list):
            self.hosts = [host for host in hosts if isinstance(host, str)]
        if isinstance(usage, dict):
            self.usage = {key: value for key, value in usage.items() if type(value) in {int, float}}
        if state.terminal:
            self.end = record["t"]


class JournalView:
    """A journal folded together: what is known after its last record.

    Attributes:
        experiment: latest experiment record, None when there is none.
        jobs: the jobs by id, in the order in which they were started.
        runs: the run records in order.
        databases: database records by identifier, of those that were not ended.
        supervisors: supervisor records in order; one that has ended has its ``reason`` under ``ended``.
    """

    __slots__ = ("databases", "experiment", "jobs", "runs", "supervisors")

    def __init__(self) -> None:
        self.experiment: dict[str, Any] | None = None
        self.jobs: dict[str, JournalJob] = {}
        self.runs: list[dict[str, Any]] = []
        self.databases: dict[str, dict[str, Any]] = {}
        self.supervisors: list[dict[str, Any]] = []

    @property
    def supervisor(self) -> dict[str, Any] | None:
        """The latest supervisor record whose end was not recorded; the process need not be alive."""
        return next((record for record in reversed(self.supervisors) if "ended" not in record), None)

    def _job(self, record: dict[str, Any]) -> None:
        identifier = record.get("id")
        if isinstance(identifier, str) and identifier not in self.jobs:
            self.jobs[identifier] = JournalJob(identifier, record)

    def _change(self, record: dict[str, Any]) -> None:
        identifier = record.get("id")
        job = self.jobs.get(identifier) if isinstance(identifier, str) else None
        if job is None:
            return
        if record["kind"] == "rung":
            job.rungs.append(record)
        else:
            job.update(record)

    def _database(self, record: dict[str, Any]) -> None:
        identifier = record.get("identifier")
        if not isinstance(identifier, str):
            return
        if record["kind"] == "database":
            self.databases[identifier] = record
        else:
            self.databases.pop(identifier, None)

    def _supervisor(self, record: dict[str, Any]) -> None:
        if record["kind"] == "supervisor":
            self.supervisors.append({key: value for key, value in record.items() if key != "ended"})
            return
        for known in reversed(self.supervisors):
            if known.get("pid") == record.get("pid") and known.get("host") == record.get("host"):
                reason = record.get("reason")
                known.setdefault("ended", reason if isinstance(reason, str) else "")
                return

    def add(self, record: dict[str, Any]) -> None:
        """Take one more record, as `read` yields them, into account."""
        kind = record["kind"]
        if kind == "experiment":
            self.experiment = record
        elif kind == "run":
            self.runs.append(record)
        elif kind == "job":
            self._job(record)
        elif kind in {"state", "rung"}:
            self._change(record)
        elif kind in {"database", "database-end"}:
            self._database(record)
        elif kind in {"supervisor", "supervisor-end"}:
            self._supervisor(record)


def fold(records: Iterable[dict[str, Any]]) -> JournalView:
    """Return what the records, in order, amount to."""
    view = JournalView()
    for record in records:
        view.add(record)
    return view
