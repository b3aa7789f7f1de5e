"""The driver's side of the supervisor: starts it, hands requests over, and reports what it is told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import Factory, frozen

from smartsim.engine.interrupt import shield
from smartsim.engine.supervisor import boot
from smartsim.engine.supervisor.link import LaunchRequest, Link, Request
from smartsim.error import LauncherError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Command", "Exited", "JobSnapshot", "Started", "SupervisorClient"]

_ATTEMPTS = 5
_PATIENCE = 10.0


def _ignore(_: object) -> None:
    """Listen to nothing."""


@frozen
class Command:
    """One process to start.

    Attributes:
        id: name of the job, unique in the experiment's journal.
        argv: program and arguments; a program without ``/`` is looked for on the job's own PATH.
        env: variables set in addition to the base environment.
        cwd: absolute folder to run in.
        stdout: absolute file for standard output; an earlier one with content is kept as ``<stem>.<k><ext>``.
        stderr: absolute file for standard error, may be the same.
        meta: JSON values that go into the journal's job record.
    """

    id: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    stdout: str
    stderr: str
    meta: Mapping[str, Any] = Factory(dict)

    def message(self) -> dict[str, Any]:
        """Return the JSON form that the supervisor understands."""
        return {
            "id": self.id,
            "argv": list(self.argv),
            "env": dict(self.env),
            "cwd": self.cwd,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "meta": dict(self.meta),
        }


@frozen
class Started:
    """What became of one command.

    Attributes:
        id: name of the job.
        pid: process id, None when it was not started.
        at: seconds since the epoch.
        error: why it was not started, None when it was.
    """

    id: str
    pid: int | None
    at: float
    error: str | None = None


@frozen
class Exited:
    """The end of one job.

    Attributes:
        id: name of the job.
        returncode: exit code, negative for the signal that ended it.
        at: seconds since the epoch.
        reason: what happened, for people; empty for exit code 0.
        usage: ``maxrss_kb`` and processor seconds ``utime``, ``stime``.
        stopped: whether it was running when it was told to stop.
    """

    id: str
    returncode: int
    at: float
    reason: str
    usage: Mapping[str, float]
    stopped: bool


@frozen
class JobSnapshot:
    """What the supervisor knows of one job.

    Attributes:
        id: name of the job.
        pid: process id.
        at: when it was started, seconds since the epoch.
        exited: its end, None while it runs.
    """

    id: str
    pid: int
    at: float
    exited: Exited | None


class SupervisorClient:
    """A driver's connection to the supervisor of its experiment.

    Every method may be called from any thread and from a signal handler, also while another call of the same client
    waits; only the two callbacks must not call back. A call that is interrupted by an exception, such as
    KeyboardInterrupt, leaves the connection intact: what it asked for still happens.

    Events come in the order in which things happened. The end of a short job can be reported before `launch` has
    returned, and ends of jobs that another driver of the same experiment launched are reported too: whoever listens
    goes by the ids.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @classmethod
    def start(
        cls,
        exp_path: str | os.PathLike[str],
        on_exit: Callable[[list[Exited]], None],
        on_lost: Callable[[str], None],
    ) -> SupervisorClient:
        """Connect to the supervisor of an experiment, starting it if none is alive; does not wait until it has booted.

        Args:
            exp_path: folder of the experiment.
            on_exit: receives the jobs that have ended, on the client's own thread; must not block.
            on_lost: receives, on that thread and once, why there is no supervisor any more. Nothing is known then of
                the jobs that had not ended.

        Raises:
            LauncherError: the journal cannot be written, or the supervisor cannot be started or refuses this driver.
        """
        experiment = os.path.realpath(exp_path)
        for _ in range(_ATTEMPTS):
            with shield:
                line = boot.find_or_start(experiment)
                client = cls(_link(line, experiment, on_exit, on_lost))
            if line.pid is not None or client._greeted():
                return client
        raise LauncherError(f"the supervisor of {experiment} does not answer; `smart teardown` removes it")

    @classmethod
    def attach(
        cls,
        exp_path: str | os.PathLike[str],
        on_exit: Callable[[list[Exited]], None] = _ignore,
        on_lost: Callable[[str], None] = _ignore,
    ) -> SupervisorClient | None:
        """Connect to the live supervisor of an experiment on this machine.

        Args:
            exp_path: folder of the experiment.
            on_exit: see `start`.
            on_lost: see `start`.

        Returns:
            The client, or None when no supervisor is alive here.

        Raises:
            LauncherError: it refuses this driver.
        """
        experiment = os.path.realpath(exp_path)
        line = boot.find(experiment)
        if line is None:
            return None
        client = cls(_link(line, experiment, on_exit, on_lost))
        return client if client._greeted() else None

    def _greeted(self) -> bool:
        """Wait for the supervisor's welcome; False when it was just about to end."""
        try:
            self._link.greeting.wait()
        except LauncherError:
            self.close()
            if self._link.refused:
                raise
            return False
        except BaseException:
            self.close()
            raise
        return True

    @property
    def lost(self) -> str:
        """Why there is no supervisor any more; empty while there is one."""
        return self._link.lost

    @property
    def pid(self) -> int | None:
        """Process id of the supervisor, None until it is known."""
        return self._link.pid

    def launch(self, commands: Sequence[Command], base_env: Mapping[str, str]) -> list[Started]:
        """Start processes and wait until each is started or has failed to.

        Args:
            commands: what to start.
            base_env: the environment that their own variables are added to.

        Returns:
            What became of each command, in their order.

        Raises:
            LauncherError: the supervisor is gone; what it started before is in the journal.
            TypeError: the environment holds something else than text.
            ValueError: two commands have one id.
        """
        environ: dict[Any, Any] = dict(base_env)
        for name, value in environ.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError(f"base_env: {name!r}={value!r} is not text; convert it with str()")
        if len({command.id for command in commands}) < len(commands):
            raise ValueError("commands: two of them have one id; make the ids unique")
        if not commands:
            return []
        request = LaunchRequest(commands, environ)
        self._link.submit(request)
        request.wait()
        return [_started(request.results[command.id]) for command in commands]

    def stop(self, ids: Collection[str] | None, grace: float) -> list[Exited]:
        """Stop jobs with everything that they started, and wait until all of it has ended. Idempotent.

        Commands of a launch that have not been started yet are not started any more.

        Args:
            ids: which jobs, None for all; ids that the supervisor does not know are ignored.
            grace: seconds between TERM and KILL; 0 kills at once.

        Returns:
            The ends of the jobs, also of those that had ended before.

        Raises:
            LauncherError: the supervisor is gone, or a process cannot be ended.
        """
        return self._stop(Request(op="stop", ids=None if ids is None else list(ids), grace=grace))

    def _stop(self, request: Request) -> list[Exited]:
        self._link.submit(request)
        answer = request.wait()
        if answer["stuck"]:
            raise LauncherError(
                f"processes {answer['stuck']} did not end although they were killed; they wait inside the kernel, "
                "often for a file system"
            )
        return [Exited(**end) for end in answer["jobs"]]

    def jobs(self) -> list[JobSnapshot]:
        """Return all jobs that this supervisor started, in that order, ended ones included.

        Raises:
            LauncherError: the supervisor is gone.
        """
        request = Request(op="jobs")
        self._link.submit(request)
        return [
            JobSnapshot(job["id"], job["pid"], job["at"], Exited(**job["exited"]) if job["exited"] else None)
            for job in request.wait()["jobs"]
        ]

    def shutdown(self, grace: float) -> list[Exited]:
        """Stop all jobs, end the supervisor, whoever else is connected to it, and close.

        Args:
            grace: see `stop`.

        Returns:
            The ends of all jobs.

        Raises:
            LauncherError: the supervisor is gone, or a process cannot be ended.
        """
        try:
            return self._stop(Request(op="shutdown", grace=grace))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the supervisor; its jobs run on. Idempotent.

        A supervisor without jobs ends by this, and is waited for. Calls that wait for an answer raise.
        """
        self._link.close(_PATIENCE)


def _started(result: Mapping[str, Any]) -> Started:
    return Started(result["id"], result.get("pid"), result["at"], result.get("error"))


def _link(
    line: boot.Line, experiment: str, on_exit: Callable[[list[Exited]], None], on_lost: Callable[[str], None]
) -> Link:
    def exited(ends: list[dict[str, Any]]) -> None:
        on_exit([Exited(**end) for end in ends])

    return Link(line, experiment, exited, on_lost)
