"""The stop ladder: TERM, wait, KILL, wait; for many jobs at once, their grandchildren included."""

from __future__ import annotations

import signal

from smartsim.engine.supervisor import processes

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RECHECK = 0.02
"""Seconds between two looks at processes whose end is not reported to us; only while jobs are being stopped."""
PATIENCE = 10.0
"""Seconds after the first KILL after which a process counts as one that cannot be ended."""


class Ladder:
    """Stops some jobs. Owns no clock and no loop: whoever does calls `climb` when something ended or `due` has come.

    Args:
        leaders: process id of each job's first process, of the jobs that have not ended; the ladder asks this mapping
            again each time, so the owner removes a job from it as soon as its first process has been waited for.
        scan: finds every process of the jobs, see `processes.Membership.scan`.
        grace: seconds between TERM and KILL.
        note: is told of every rung: job id, ``term`` or ``kill``, process ids.
    """

    def __init__(
        self,
        leaders: Mapping[str, int],
        scan: Callable[[], dict[int, tuple[processes.Process, str]]],
        grace: float,
        note: Callable[[str, str, list[int]], None],
    ) -> None:
        self._leaders = leaders
        self._scan = scan
        self._grace = grace
        self._note = note
        self._tracked: dict[int, float] = {}
        self._groups: set[int] = set()
        self._kill_at = 0.0
        self._give_up_at = 0.0
        self._killing = False
        self.due: float | None = None
        """When to call `climb` again even if nothing ended."""
        self.stuck: list[int] = []
        """Processes that outlived KILL."""

    def start(self, now: float) -> None:
        """Take the first rung.

        Args:
            now: seconds of a clock that never jumps; the same clock is used for `due` and `climb`.
        """
        self._kill_at = self.due = now + self._grace
        if self._grace > 0:
            self._signal(signal.SIGTERM, "term", self._scan(), set(self._leaders))

    def climb(self, now: float) -> bool:
        """Go on as far as possible.

        Returns:
            Whether every process of the jobs has ended.
        """
        if not self._killing and now >= self._kill_at:
            self._killing = True
            self._give_up_at = now + PATIENCE
            self._signal(signal.SIGKILL, "kill", self._scan(), set(self._leaders))
        if self._leaders:
            return self._wait(now)
        self._tracked = {pid: created for pid, created in self._tracked.items() if processes.same_process(pid, created)}
        self._groups = {group for group in self._groups if processes.send_group(group, 0)}
        if self._tracked or self._groups:
            return self._wait(now)
        found = self._scan()
        if not found:
            return True
        # Started since the last look, so these have had no signal yet.
        number, action = (signal.SIGKILL, "kill") if self._killing else (signal.SIGTERM, "term")
        self._signal(number, action, found, set())
        return self._wait(now)

    def _wait(self, now: float) -> bool:
        if self._killing and now >= self._give_up_at:
            self.stuck = [*self._leaders.values(), *self._tracked, *self._groups]
            return True
        if self._killing:
            self.due = now + RECHECK
        else:
            self.due = min(self._kill_at, now + RECHECK) if not self._leaders else self._kill_at
        return False

    def _signal(
        self, number: int, action: str, found: Mapping[int, tuple[processes.Process, str]], groups: set[str]
    ) -> None:
        """Send a signal to the groups of the jobs named in `groups` and to every process outside them."""
        rung: dict[str, list[int]] = {}
        for group in self._groups:
            processes.send_group(group, number)
        for job in groups:
            leader = self._leaders[job]
            processes.send_group(leader, number)
            rung[job] = [leader]
            if not processes.HAS_PROC:
                # The group is then all that can be seen of what the job started.
                self._groups.add(leader)
        signalled = {self._leaders[job] for job in groups}
        stopped = set()
        for pid, (process, job) in found.items():
            if pid not in signalled:
                self._tracked[pid] = process.created
                rung.setdefault(job, []).append(pid)
                if process.group not in signalled and processes.same_process(pid, process.created):
                    processes.send(pid, number)
            if process.state == "T":
                stopped.add(pid)
        for pid in stopped:
            # A stopped process gets its TERM only once it runs again.
            processes.send(pid, signal.SIGCONT)
        for job, pids in rung.items():
            self._note(job, action, pids)
