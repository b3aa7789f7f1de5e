"""Operations on experiments whose jobs a scheduler keeps, or that ran elsewhere."""

from __future__ import annotations

import pytest

from smartsim.engine import operations
from smartsim.engine.supervisor.journal import Journal, fold, journal_path, read
from smartsim.error import LauncherError, SmartSimError
from smartsim.plugin.manager import Plugins
from smartsim.status import State
from smartsim.values import JobHandle, JobStatus


class Scheduler:
    """Stands for the plugin of a launcher, and keeps what it was asked."""

    def __init__(self) -> None:
        self.states: dict[str, JobStatus] = {}
        self.stopped: list[tuple[str, float]] = []
        self.contexts = []

    def status(self, handles, ctx):
        self.contexts.append(ctx)
        return {handle: self.states[handle.native_id] for handle in handles if handle.native_id in self.states}

    def stop(self, handles, grace, ctx):
        self.contexts.append(ctx)
        for handle in handles:
            self.stopped.append((handle.native_id, grace))
            self.states[handle.native_id] = JobStatus(state=State.CANCELLED, returncode=None, reason="as asked")
        return self.status(handles, ctx)


class Database(Scheduler):
    """Stands for the plugin of a database engine."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer
        self.asked = []

    def orchestrator_stop(self, deployment, ctx):
        self.asked.append(deployment)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def scheduler(monkeypatch):
    scheduler = Scheduler()
    monkeypatch.setattr(Plugins, "for_launcher", lambda name: scheduler)
    return scheduler


@pytest.fixture
def journal(tmp_path):
    journal = Journal(journal_path(str(tmp_path)))
    journal.append("experiment", name="exp", path=str(tmp_path), launcher="queue", host="x", driver_pid=1, version="1")
    yield journal
    journal.close()


def batch_job(journal, name, native_id, **more):
    fields = {"entity_type": "Model", "group": "", "run": 0, "run_id": "abc", "launcher": "queue", "managed": True}
    journal.append("job", id=f"{name}-0.abc", entity=name, native_id=native_id, step=f"{name}-0", **{**fields, **more})


def only(path):
    (entry,) = operations.survey(str(path)).entries
    return entry


def test_a_queued_job(journal, scheduler, tmp_path):
    batch_job(journal, "one", "77")
    entry = only(tmp_path)
    assert (entry.name, entry.id, entry.status, entry.active, entry.end) == ("one", "77", "Queued", True, None)


def test_the_scheduler_is_asked(journal, scheduler, tmp_path):
    batch_job(journal, "one", "77")
    scheduler.states["77"] = JobStatus(state=State.FAILED, returncode=3, observed_at=5.0)
    entry = only(tmp_path)
    assert (entry.status, entry.returncode, entry.end, entry.active) == ("Failed", 3, 5.0, False)
    (context,) = scheduler.contexts
    assert (context.experiment, context.path, context.launcher) == ("exp", str(tmp_path), "queue")
    assert [record["kind"] for record in read(journal.path)] == ["experiment", "job"]


def test_what_has_ended_is_not_asked_for(journal, scheduler, tmp_path):
    batch_job(journal, "one", "77")
    journal.append("state", id="one-0.abc", state="completed", returncode=0, reason="")
    assert only(tmp_path).status == "Completed"
    assert scheduler.contexts == []


def test_a_late_answer_moves_nothing_backwards(journal, scheduler, tmp_path):
    batch_job(journal, "one", "77")
    journal.append("state", id="one-0.abc", state="running", returncode=None, reason="")
    scheduler.states["77"] = JobStatus(state=State.QUEUED)
    assert only(tmp_path).status == "Running"


def test_a_job_that_the_scheduler_does_not_know(journal, scheduler, tmp_path):
    batch_job(journal, "one", "77")
    scheduler.states["77"] = JobStatus(state=State.UNKNOWN)
    assert only(tmp_path).status == "Unknown"


def test_a_scheduler_that_does_not_answer(journal, scheduler, tmp_path, monkeypatch):
    def fail(handles, ctx):
        raise LauncherError("no answer")

    batch_job(journal, "one", "77")
    monkeypatch.setattr(scheduler, "status", fail)
    survey = operations.survey(str(tmp_path))
    assert survey.entries[0].status == "Queued"
    assert survey.warnings == ("one: shown as last known, because: no answer",)


def test_a_launcher_that_is_not_installed_here(journal, tmp_path):
    batch_job(journal, "one", "77", launcher="nosuch")
    survey = operations.survey(str(tmp_path))
    assert survey.entries[0].status == "Queued"
    assert "nosuch" in survey.warnings[0]


def test_stopping_a_batch_job_is_recorded(journal, scheduler, tmp_path):
    batch_job(journal, "one", "77")
    batch_job(journal, "two", "78")
    (entry,) = operations.stop(str(tmp_path), ["one"], 2.5)
    assert (entry.name, entry.status) == ("one", "Cancelled")
    assert scheduler.stopped == [("77", 2.5)]
    job = fold(read(journal.path)).jobs["one-0.abc"]
    assert (job.state, job.returncode, job.reason) == (State.CANCELLED, None, "as asked")
    assert operations.stop(str(tmp_path), ["one"], 2.5) == []


def test_default_grace(journal, scheduler, tmp_path, monkeypatch):
    batch_job(journal, "one", "77")
    monkeypatch.setenv("SMARTSIM_STOP_GRACE", "1.5")
    operations.teardown(str(tmp_path))
    assert scheduler.stopped == [("77", 1.5)]


def test_a_job_that_does_not_end_is_told(journal, scheduler, tmp_path, monkeypatch):
    batch_job(journal, "one", "77")
    monkeypatch.setattr(scheduler, "stop", lambda handles, grace, ctx: {})
    (entry,) = operations.stop(str(tmp_path), None, 0)
    assert entry.active


def test_a_process_of_another_machine(journal, tmp_path):
    batch_job(journal, "one", "77", managed=False, pid=77, host="elsewhere", create_time=1.0)
    assert only(tmp_path).status == "Unknown"
    with pytest.raises(LauncherError, match="elsewhere"):
        operations.stop(str(tmp_path), None, 0)


# --- databases -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shards(journal, scheduler):
    for index in range(2):
        batch_job(journal, f"db_{index}", f"8{index}", entity_type="DBNode", group="db")
    nodes = [{"name": f"db_{index}", "host": "127.0.0.1", "port": 7000 + index} for index in range(2)]
    journal.append("database", identifier="db", engine="some", nodes=nodes, path="/x")
    batch_job(journal, "app", "90")
    return journal


def with_engine(monkeypatch, answer):
    database = Database(answer)
    monkeypatch.setattr(Plugins, "for_database", lambda engine: database)
    return database


@pytest.mark.parametrize("names", [None, ["db"], ["db_0", "db_1"]])
@pytest.mark.parametrize("answer", [True, False, SmartSimError("no"), ValueError("a broken plugin")])
def test_databases_are_asked_first(shards, scheduler, tmp_path, monkeypatch, names, answer):
    database = with_engine(monkeypatch, answer)
    operations.stop(str(tmp_path), names, 0.1)
    (deployment,) = database.asked
    assert (deployment.identifier, deployment.engine, deployment.path) == ("db", "some", "/x")
    assert deployment.addresses == ("127.0.0.1:7000", "127.0.0.1:7001")
    order = [job for job, _ in scheduler.stopped]
    assert order == (["90", "80", "81"] if names is None else ["80", "81"])
    assert fold(read(shards.path)).databases == {}


def test_a_part_of_a_database_is_just_a_job(shards, scheduler, tmp_path, monkeypatch):
    database = with_engine(monkeypatch, True)
    operations.stop(str(tmp_path), ["db_1"], 0.1)
    assert database.asked == []
    assert [job for job, _ in scheduler.stopped] == ["81"]


def test_a_database_that_has_ended_is_not_asked(shards, scheduler, tmp_path, monkeypatch):
    database = with_engine(monkeypatch, True)
    for index in range(2):
        shards.append("state", id=f"db_{index}-0.abc", state="failed", returncode=1, reason="")
    operations.stop(str(tmp_path), None, 0.1)
    assert database.asked == []


@pytest.mark.parametrize(("reason", "status"), [("stopped", "Cancelled"), ("lost", "Completed")])
def test_a_shard_that_was_asked_to_end_was_cancelled(shards, tmp_path, reason, status):
    for index in range(2):
        shards.append("state", id=f"db_{index}-0.abc", state="completed", returncode=0, reason="")
    shards.append("database-end", identifier="db", reason=reason)
    shown = {entry.name: entry.status for entry in operations.survey(str(tmp_path)).entries}
    assert shown == {"db_0": status, "db_1": status, "app": "Queued"}


# --- finding experiments ---------------------------------------------------------------------------------------------


def test_finding(tmp_path, monkeypatch):
    for name in ("b", "a"):
        Journal(journal_path(str(tmp_path / name))).close()
    (tmp_path / "c").mkdir()
    assert operations.find_experiments(str(tmp_path)) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert operations.find_experiments(str(tmp_path / "a")) == [str(tmp_path / "a")]
    monkeypatch.chdir(tmp_path / "a")
    assert operations.find_experiments(".") == [str(tmp_path / "a")]
    with pytest.raises(SmartSimError, match="no experiment has started anything"):
        operations.find_experiments(str(tmp_path / "c"))
    with pytest.raises(SmartSimError, match="is not a folder"):
        operations.find_experiments(str(tmp_path / "d"))


@pytest.mark.parametrize("path", ["", "\0", "x" * 5000, "/dev/null"])
def test_asking_for_a_journal_is_total(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert operations.has_journal(path) is False


def test_many_names_are_not_all_listed(journal, tmp_path):
    for index in range(30):
        batch_job(journal, f"m{index:02}", str(index))
    with pytest.raises(SmartSimError, match=r"m19 and 10 more"):
        operations.plan_stop([str(tmp_path)], ["nosuch"])
    assert operations.plan_stop([str(tmp_path)], ["m01"]) == [str(tmp_path)]
    assert operations.plan_stop([str(tmp_path)], None) == [str(tmp_path)]


def test_handles_are_those_of_the_launch(journal, scheduler, tmp_path):
    asked = []
    scheduler.status = lambda handles, ctx: asked.extend(handles) or {}
    batch_job(journal, "one", "77")
    operations.survey(str(tmp_path))
    assert asked == [JobHandle(launcher="queue", native_id="77", step="one-0")]
