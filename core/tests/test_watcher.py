"""The watcher: one query for all jobs, at growing intervals, undisturbed by a scheduler that is down for a while."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence

import pytest

from smartsim.engine import watcher as watcher_module
from smartsim.engine.watcher import Watcher
from smartsim.error import LauncherError
from smartsim.status import State
from smartsim.values import JobHandle, JobStatus


class Scheduler:
    """Answers what it is told to, one answer a query, and says when everything has been asked."""

    def __init__(self, answers: list[dict[str, State] | Exception]) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []
        self.reported: list[tuple[str, State]] = []
        self.exhausted = threading.Event()

    def ask(self, handles: Sequence[JobHandle]) -> Iterable[tuple[JobHandle, JobStatus]]:
        self.asked.append([handle.native_id for handle in handles])
        answer = self.answers.pop(0)
        if not self.answers:
            self.exhausted.set()
        if isinstance(answer, Exception):
            raise answer
        return [(handle, JobStatus(state=answer[handle.native_id])) for handle in handles if handle.native_id in answer]

    def report(self, reports: Iterable[tuple[JobHandle, JobStatus]]) -> None:
        self.reported += [(handle.native_id, status.state) for handle, status in reports]


def handle(number: int) -> JobHandle:
    return JobHandle(launcher="fake", native_id=str(number), step=f"s{number}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher_module, "FIRST_INTERVAL", 0.001)


def test_all_jobs_are_asked_about_together_until_each_has_ended() -> None:
    scheduler = Scheduler(
        [
            {"1": State.QUEUED, "2": State.RUNNING},
            {"1": State.RUNNING, "2": State.COMPLETED},
            {"1": State.FAILED},
        ]
    )
    watcher = Watcher(scheduler.ask, scheduler.report)
    watcher.watch([handle(1), handle(2)])
    assert scheduler.exhausted.wait(10)
    watcher.close()
    assert scheduler.asked == [["1", "2"], ["1", "2"], ["1"]]
    assert scheduler.reported[-1] == ("1", State.FAILED)


def test_a_silent_scheduler_is_mentioned_once_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    down = LauncherError("connection refused")
    scheduler = Scheduler([down, down, down, {"1": State.COMPLETED}])
    watcher = Watcher(scheduler.ask, scheduler.report)
    with caplog.at_level(logging.WARNING):
        logging.getLogger("SmartSim").addHandler(caplog.handler)
        try:
            watcher.watch([handle(1)])
            assert scheduler.exhausted.wait(10)
            watcher.close()
        finally:
            logging.getLogger("SmartSim").removeHandler(caplog.handler)
    assert scheduler.reported == [("1", State.COMPLETED)]
    said = {record.getMessage() for record in caplog.records if "does not answer" in record.getMessage()}
    assert len(said) == 1


def test_closing_ends_the_thread_at_once() -> None:
    scheduler = Scheduler([{"1": State.RUNNING}])
    watcher = Watcher(lambda handles: [], scheduler.report)
    watcher.watch([handle(1)])
    watcher.close()
    assert not any(thread.name == "SmartSim-watcher" for thread in threading.enumerate())
