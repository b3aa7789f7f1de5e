"""Supervisors under test: a client that remembers what it was told, and ways to wait without sleeping blindly."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from smartsim.engine.supervisor import boot, journal, processes
from smartsim.engine.supervisor.client import Command, Exited, Started, SupervisorClient

T = TypeVar("T")
DEADLINE = 30.0
"""Seconds after which what should have happened counts as never going to happen."""


def wait_for(condition: Callable[[], T], what: str = "the condition") -> T:
    """Wait until `condition()` is true and return its value."""
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {DEADLINE} s"
        time.sleep(0.005)
    return value


class Watch:
    """A client together with what it was told."""

    def __init__(self, exp: Path, connect: Callable[..., Any] = SupervisorClient.start) -> None:
        self.exp = exp
        self.exits: dict[str, Exited] = {}
        self.seen: dict[str, float] = {}
        self.losses: list[str] = []
        self.news = threading.Condition()
        self.client: SupervisorClient = connect(exp, self._exited, self._lost)

    def _exited(self, ends: list[Exited]) -> None:
        now = time.time()
        with self.news:
            for end in ends:
                assert end.id not in self.exits, "an end was reported twice"
                self.exits[end.id] = end
                self.seen[end.id] = now
            self.news.notify_all()

    def _lost(self, reason: str) -> None:
        with self.news:
            self.losses.append(reason)
            self.news.notify_all()

    def command(self, job: str, *argv: str, **changes: Any) -> Command:
        """A command with its output files beside those of the others."""
        values: dict[str, Any] = {
            "id": job,
            "argv": list(argv),
            "env": {},
            "cwd": str(self.exp),
            "stdout": str(self.exp / f"{job}.out"),
            "stderr": str(self.exp / f"{job}.err"),
        }
        return Command(**{**values, **changes})

    def launch(self, *commands: Command, env: Mapping[str, str] | None = None) -> list[Started]:
        """Launch with the environment of the test."""
        return self.client.launch(commands, os.environ if env is None else env)

    def run(self, job: str, *argv: str, **changes: Any) -> Started:
        """Start one job."""
        (started,) = self.launch(self.command(job, *argv, **changes))
        return started

    def script(self, job: str, text: str, *arguments: str, **changes: Any) -> Started:
        """Start a Python script as a job."""
        started = self.run(job, sys.executable, "-S", "-c", text, *arguments, **changes)
        assert started.error is None
        return started

    def wait(self, *jobs: str) -> list[Exited]:
        """Wait for the ends of jobs."""
        with self.news:
            assert self.news.wait_for(lambda: all(job in self.exits for job in jobs), DEADLINE), (jobs, self.losses)
            return [self.exits[job] for job in jobs]

    def end(self, job: str) -> Exited:
        """Wait for the end of one job."""
        return self.wait(job)[0]

    def wait_lost(self) -> str:
        """Wait until the supervisor is reported gone; return the reason."""
        with self.news:
            assert self.news.wait_for(lambda: self.losses, DEADLINE)
            return self.losses[0]

    def view(self) -> journal.JournalView:
        """What the journal says now."""
        return read_view(self.exp)

    def output(self, job: str) -> bytes:
        """What a job has written so far."""
        return (self.exp / f"{job}.out").read_bytes()

    def wait_output(self, job: str, text: bytes) -> bytes:
        """Wait until a job has written `text`."""
        return wait_for(lambda: (out := self.output(job)) and text in out and out, f"the output {text!r}")


def read_view(exp: Path) -> journal.JournalView:
    """What the journal of an experiment says now."""
    return journal.fold(journal.read(journal.journal_path(str(exp))))


def marked(exp: Path) -> list[int]:
    """The living processes of an experiment, by the mark that they inherit."""
    real = os.path.realpath(exp)
    table = processes.table()
    return [pid for pid, process in table.items() if not process.dead and processes.marks(pid)[1] == real]


def alive(pid: int | None) -> bool:
    """Whether a process lives."""
    return pid is not None and processes.same_process(pid, None)


def supervisors(exp: Path) -> list[int]:
    """The process ids of the living supervisors of an experiment."""
    return [record["pid"] for record in boot.alive(os.path.realpath(exp))]
