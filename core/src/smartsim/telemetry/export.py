"""Derives the tree ``.smartsim/telemetry`` of 0.8 from an experiment's journal.

```
.smartsim/telemetry/manifest.json                                   what was started
.smartsim/telemetry/<experiment>/<run id>/model/<model>/            start.json, stop.json, links to the output files
.smartsim/telemetry/<experiment>/<run id>/ensemble/<ensemble>/<member>/
.smartsim/telemetry/<experiment>/<run id>/database/<database>/<shard>/
```

Deriving it again changes nothing but what has happened since. A file appears complete or not at all.
"""

from __future__ import annotations

import json
import os
import uuid
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartsim.config import TELEMETRY_SUBDIR
from smartsim.engine.supervisor.journal import JournalJob, JournalView, journal_path, parse
from smartsim.error import SmartSimError
from smartsim.status import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["SCHEMA_NAME", "SCHEMA_VERSION", "Exporter", "export"]

SCHEMA_NAME = "entity manifest"
"""Name of the manifest's schema."""
SCHEMA_VERSION = "0.0.4"
"""Version of the manifest's schema."""

CSV_HEADERS = {
    "memory": "timestamp,used_memory,used_memory_peak,total_system_memory",
    "client": "timestamp,client_id,address",
    "client_count": "timestamp,num_clients",
}
"""The tables of a database's telemetry and their columns."""

_LONGEST_ACRONYM = 4


def export(exp_path: str | os.PathLike[str]) -> Path:
    """Derive the telemetry tree of an experiment from its journal.

    Args:
        exp_path: folder of the experiment.

    Returns:
        The manifest.

    Raises:
        SmartSimError: nothing was ever started there.
        OSError: the tree cannot be written.
    """
    exporter = Exporter(exp_path)
    if not exporter.journal.is_file():
        raise SmartSimError(
            f"{exporter.path} is not the folder of an experiment: there is no {exporter.journal}. "
            "Give the folder in which the experiment's entities have theirs"
        )
    exporter.advance()
    if not exporter.manifest.exists():
        exporter.write_manifest()
    return exporter.manifest


class Exporter:
    """Keeps the telemetry tree of one experiment in step with its journal.

    Not to be used by two threads at once.

    Attributes:
        path: absolute folder of the experiment.
        journal: its journal.
        manifest: the manifest that is written.
    """

    def __init__(self, exp_path: str | os.PathLike[str]) -> None:
        """Make the exporter; nothing is read yet.

        Args:
            exp_path: folder of the experiment.
        """
        self.path = Path(os.path.abspath(exp_path))  # noqa: PTH100 - `Path.absolute` keeps `..`
        self.journal = Path(journal_path(str(self.path)))
        self.root = self.path / TELEMETRY_SUBDIR
        self.manifest = self.root / "manifest.json"
        self._offset = 0
        self._rest = b""
        self._view = JournalView()
        self._run_names: dict[str, str] = {}
        self._running_since: dict[str, float] = {}
        self._deployed: dict[tuple[str, str], dict[str, Any]] = {}
        self._undeployed: dict[str, dict[str, Any]] = {}
        self._by_entity: dict[tuple[str, str], JournalJob] = {}
        self._latest_of_file: dict[str, JournalJob] = {}

    def advance(self) -> None:
        """Bring the tree up to date with what was written into the journal since the last call.

        Raises:
            OSError: the tree cannot be written.
        """
        stale = False
        touched: dict[str, JournalJob] = {}
        for record in self._news():
            previous = self._superseded_by(record)
            self._view.add(record)
            stale |= self._note(record)
            job = self._view.jobs.get(str(record.get("id")))
            if job is not None:
                touched |= {one.id: one for one in (previous, job) if one is not None}
        for job in touched.values():
            self._write_job(job)
        if stale:
            self.write_manifest()

    def _news(self) -> Iterable[dict[str, Any]]:
        try:
            with self.journal.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return ()
        self._offset += len(data)
        # What follows the last line break is being written at this moment.
        complete, line_break, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        return parse(BytesIO(complete + line_break))

    # --- taking note -------------------------------------------------------------------------------------------------

    def _superseded_by(self, record: dict[str, Any]) -> JournalJob | None:
        """The job whose output file is taken over by the job of `record`, if it is one."""
        return self._latest_of_file.get(str(record.get("stdout"))) if record["kind"] == "job" else None

    def _note(self, record: dict[str, Any]) -> bool:
        """Remember what the view does not; say whether the manifest changes."""
        kind = record["kind"]
        if kind == "run":
            self._note_run(record)
        elif kind == "job":
            job = self._view.jobs.get(str(record.get("id")))
            if job is not None and job.record is record:
                self._by_entity[job.text("run_id"), job.text("entity")] = job
                self._latest_of_file[job.text("stdout")] = job
        elif kind == "state":
            job = self._view.jobs.get(str(record.get("id")))
            if job is not None and job.state is State.RUNNING and _managed(job):
                self._running_since.setdefault(job.id, record["t"])
        elif kind == "database":
            self._note_database(record)
        return kind in {"run", "job", "database", "experiment"}

    def _note_run(self, record: dict[str, Any]) -> None:
        run_id = _text(record, "run_id")
        self._run_names[run_id] = self._name()
        for database in _items(record, "databases"):
            waiting = self._undeployed.pop(_text(database, "name"), None)
            if waiting is not None:
                self._deployed[run_id, _text(database, "name")] = waiting

    def _note_database(self, record: dict[str, Any]) -> None:
        """Attach a deployment to the run that it belongs to; that one's record may be written before or after it."""
        identifier = _text(record, "identifier")
        for run in reversed(self._view.runs):
            if any(_text(database, "name") == identifier for database in _items(run, "databases")):
                key = (_text(run, "run_id"), identifier)
                if key not in self._deployed:
                    self._deployed[key] = record
                    return
                break
        self._undeployed[identifier] = record

    def _name(self) -> str:
        return _text(self._view.experiment or {}, "name") or self.path.name

    # --- one job -----------------------------------------------------------------------------------------------------

    def _folder(self, run_id: str, *parts: str) -> Path | None:
        """A folder of the tree; None when a name in the journal cannot be that of a folder."""
        names = (self._run_names.get(run_id) or self._name(), run_id, *parts)
        if any(not name or "/" in name or "\0" in name or name in {".", ".."} for name in names):
            return None
        return self.root.joinpath(*names)

    def _job_folder(self, job: JournalJob) -> Path | None:
        run_id, entity, group = job.text("run_id"), job.text("entity"), job.text("group")
        parts = {
            "Model": ("ensemble", group, entity) if group else ("model", entity),
            "Ensemble": ("ensemble", entity),
            "DBNode": ("database", group, entity),
            "Orchestrator": ("database", entity),
        }.get(job.text("entity_type"))
        return None if parts is None else self._folder(run_id, *parts)

    def _write_job(self, job: JournalJob) -> None:
        folder = self._job_folder(job)
        if folder is None:
            return
        has_run = job.id in self._running_since or job.state in {State.COMPLETED, State.FAILED}
        if has_run or not _managed(job):
            since = self._running_since.get(job.id, job.start)
            _write_once(folder / "start.json", lambda: self._event(job, "start", since))
        if job.end is not None:
            end = job.end
            _write_once(folder / "stop.json", lambda: self._event(job, "stop", end))
        for field, ending in (("stdout", ".out"), ("stderr", ".err")):
            target = self._output(job, field)
            if target:
                _link(folder / f"{job.text('entity')}{ending}", target)

    def _event(self, job: JournalJob, action: str, at: float) -> dict[str, Any]:
        step_id, task_id = _identifiers(job)
        event: dict[str, Any] = {
            "timestamp": int(at * 1000),
            "job_id": int(task_id) if task_id and task_id.isdecimal() else "",
            "step_id": step_id or "",
            "type": job.text("entity_type").lower(),
            "action": action,
            "detail": self._start_detail(job) if action == "start" else _stop_detail(job),
        }
        if action == "stop" and job.returncode is not None:
            event["return_code"] = job.returncode
        return event

    def _start_detail(self, job: JournalJob) -> str:
        if _managed(job):
            return ""
        keeper = job.number("supervisor")
        return (
            f"Proxy process {'unknown' if keeper is None else int(keeper)} started child process {_identifiers(job)[1]}"
        )

    def _output(self, job: JournalJob, field: str) -> str:
        """The file that has the output of this run: a later run of the same entity moved it aside."""
        path = job.text(field)
        if not path or self._latest_of_file.get(job.text("stdout"), job) is job:
            return path
        aside = Path(path)
        moved = aside.with_name(f"{aside.stem}.{job.record.get('run')}{aside.suffix}")
        return str(moved) if moved.is_file() else ""

    # --- manifest ----------------------------------------------------------------------------------------------------

    def write_manifest(self) -> None:
        """Write the manifest as far as the journal was read.

        Raises:
            OSError: it cannot be written.
        """
        known = {_text(run, "run_id") for run in self._view.runs}
        document = {
            "schema info": {"schema_name": SCHEMA_NAME, "version": SCHEMA_VERSION},
            "experiment": {
                "name": self._name(),
                "path": str(self.path),
                "launcher": _launcher(_text(self._view.experiment or {}, "launcher")),
                "out_file": str(self.root / "logs" / "smartsim.out"),
                "err_file": str(self.root / "logs" / "smartsim.err"),
            },
            "runs": [
                *(run for run in self._foreign_runs() if run.get("run_id") not in known),
                *(self._run(run) for run in self._view.runs),
            ],
        }
        _write(self.manifest, document)

    def _foreign_runs(self) -> list[dict[str, Any]]:
        """Runs in the present manifest, which the journal need not know: they are kept."""
        try:
            document = json.loads(self.manifest.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return []
        return _items(document, "runs") if isinstance(document, dict) else []

    def _run(self, run: dict[str, Any]) -> dict[str, Any]:
        run_id = _text(run, "run_id")
        return {
            "run_id": run_id,
            "timestamp": int(run["t"] * 1_000_000_000),
            "model": [self._model(run_id, model, "") for model in _items(run, "models")],
            "orchestrator": [self._database(run_id, database) for database in _items(run, "databases")],
            "ensemble": [
                {
                    "name": ensemble.get("name"),
                    "params": ensemble.get("params", {}),
                    "batch_settings": ensemble.get("batch_settings", {}),
                    "models": [
                        self._model(run_id, model, _text(ensemble, "name")) for model in _items(ensemble, "models")
                    ],
                }
                for ensemble in _items(run, "ensembles")
            ],
        }

    def _model(self, run_id: str, model: dict[str, Any], group: str) -> dict[str, Any]:
        name = _text(model, "name")
        job = self._by_entity.get((run_id, name)) or self._by_entity.get((run_id, group))
        own = job is not None and job.text("entity") == name
        folder = self._job_folder(job) if job is not None else self._folder(run_id, "model", name)
        output = Path(_text(model, "path"), name)
        return {
            **model,
            "telemetry_metadata": _metadata(folder, job),
            "out_file": self._output(job, "stdout") if job is not None and own else f"{output}.out",
            "err_file": self._output(job, "stderr") if job is not None and own else f"{output}.err",
        }

    def _database(self, run_id: str, database: dict[str, Any]) -> dict[str, Any]:
        name = _text(database, "name")
        nodes = {_text(node, "name"): node for node in _items(self._deployed.get((run_id, name), {}), "nodes")}
        return {
            "name": name,
            "type": database.get("type") if database.get("type") in {"redis", "keydb"} else "Unknown",
            "interface": database.get("interface", []),
            "shards": [
                self._shard(run_id, database, shard, nodes.get(_text(shard, "name"), {}))
                for shard in _items(database, "shards")
            ],
        }

    def _shard(
        self, run_id: str, database: dict[str, Any], shard: dict[str, Any], node: dict[str, Any]
    ) -> dict[str, Any]:
        name, group = _text(shard, "name"), _text(database, "name")
        port = node.get("port", shard.get("port"))
        job = next(
            (
                found
                for entity in (name, f"{group}_0", group)
                if (found := self._by_entity.get((run_id, entity))) is not None
            ),
            None,
        )
        folder = self._folder(run_id, "database", group, name)
        cluster = database.get("cluster") is True
        output = Path(_text(database, "path"), name)
        return {
            "name": name,
            "hostname": node.get("host", ""),
            "port": port,
            "cluster": cluster,
            "conf_file": f"{output.parent}/nodes-{name}-{port}.conf" if cluster else None,
            "out_file": self._output(job, "stdout") if job is not None else f"{output}.out",
            "err_file": self._output(job, "stderr") if job is not None else f"{output}.err",
            **_tables(folder if database.get("telemetry") is True else None),
            "telemetry_metadata": _metadata(folder, job),
        }


# --- pieces of JSON --------------------------------------------------------------------------------------------------


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    return value if isinstance(value, str) else ""


def _items(record: dict[str, Any], field: str) -> list[dict[str, Any]]:
    value = record.get(field)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _managed(job: JournalJob) -> bool:
    return job.record.get("managed") is True


def _identifiers(job: JournalJob) -> tuple[str | None, str | None]:
    """The scheduler's identifier of a job, and that of its process on this machine."""
    native = job.text("native_id") or None
    process = job.number("pid")
    task = None if process is None else str(int(process))
    return (native, task) if _managed(job) else (None, task or native)


def _stop_detail(job: JournalJob) -> str:
    if not _managed(job):
        code = "unknown" if job.returncode is None else job.returncode
        return f"Process {_identifiers(job)[1]} finished with return code: {code}"
    status = f"status: SmartSimStatus.{job.state.status.name}"
    return f"{status}, error: {job.reason}" if job.reason else status


def _metadata(folder: Path | None, job: JournalJob | None) -> dict[str, Any]:
    step_id, task_id = (None, None) if job is None else _identifiers(job)
    return {
        "status_dir": "" if folder is None else str(folder),
        "step_id": step_id,
        "task_id": task_id,
        "managed": job is not None and _managed(job),
    }


def _tables(folder: Path | None) -> dict[str, str]:
    """Where the tables of a shard are, with their header; empty when its telemetry is off."""
    if folder is None:
        return {f"{table}_file": "" for table in CSV_HEADERS}
    for table, header in CSV_HEADERS.items():
        path = folder / f"{table}.csv"
        if not path.exists():
            _replace(path, f"{header}\n")
    return {f"{table}_file": str(folder / f"{table}.csv") for table in CSV_HEADERS}


def _launcher(name: str) -> str:
    """The launcher as manifests spell it: an acronym in capitals, a word with one."""
    return name.upper() if len(name) <= _LONGEST_ACRONYM else name.capitalize()


# --- files -----------------------------------------------------------------------------------------------------------


def _write_once(path: Path, make: Callable[[], dict[str, Any]]) -> None:
    if not path.exists():
        _write(path, make())


def _write(path: Path, document: dict[str, Any]) -> None:
    _replace(path, json.dumps(document, indent=2) + "\n")


def _beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{uuid.uuid4().hex}.tmp")


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever looks sees the old content or the new one, whole."""
    temporary = _beside(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _link(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`; what is there that is no link is left alone."""
    if path.is_symlink():
        if str(path.readlink()) == target:
            return
    elif path.exists():
        return
    temporary = _beside(path)
    try:
        temporary.symlink_to(target)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
