"""Processes of this machine as ``/proc`` shows them: which belong to which job, and which are alive.

On systems without ``/proc`` nothing is found here, and a job is its process group.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MARK_JOB = "SMARTSIM_JOB"
"""Variable that every process of a job inherits: the id of the job."""
MARK_EXPERIMENT = "SMARTSIM_JOB_EXPERIMENT"
"""Variable that every process of a job inherits: the folder of the experiment."""

HAS_PROC = os.path.isdir("/proc/self")
"""Whether this system shows its processes under ``/proc``."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = 65536
_ENVIRON_LIMIT = 4 * 1024 * 1024


class Process:
    """One line of the process table.

    Attributes:
        pid: process id.
        parent: process id of the parent.
        group: process group.
        state: the kernel's letter; ``Z`` and ``X`` are dead, ``T`` is stopped.
        created: seconds between the machine's start and the process's.
    """

    __slots__ = ("created", "group", "parent", "pid", "state")

    def __init__(self, pid: int, text: bytes) -> None:
        # The command's name, in parentheses, may contain anything.
        words = text[text.rindex(b")") + 2 :].split(None, 20)
        self.pid = pid
        self.state = words[0].decode("ascii")
        self.parent = int(words[1])
        self.group = int(words[2])
        self.created = int(words[19]) / _TICKS

    @property
    def dead(self) -> bool:
        """Whether it has ended and only waits for its parent to take note."""
        return self.state in "ZX"


def _slurp(path: str, limit: int) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        data = part = os.read(fd, _PAGE)
        # Long ones come in pieces.
        while len(part) == _PAGE and len(data) < limit:
            part = os.read(fd, _PAGE)
            data += part
        return data
    finally:
        os.close(fd)


def look_up(pid: int) -> Process | None:
    """Return the process `pid`, or None when there is none (or no ``/proc``)."""
    try:
        return Process(pid, _slurp(f"/proc/{pid}/stat", 4096))
    except (OSError, ValueError, IndexError):
        return None


def create_time(pid: int) -> float | None:
    """Return when `pid` was created, in seconds since the machine's start; None when that cannot be found out."""
    process = look_up(pid)
    return None if process is None else process.created


def boot_id() -> str:
    """Return a text that is another one after each start of the machine, or the empty string where there is none."""
    try:
        return _slurp("/proc/sys/kernel/random/boot_id", 64).decode("ascii", "replace").strip()
    except OSError:
        return ""


def table() -> dict[int, Process]:
    """Return all processes by id; empty without ``/proc``."""
    found = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                process = look_up(int(name))
                if process is not None:
                    found[process.pid] = process
    return found


def marks(pid: int) -> tuple[str, str]:
    """Return the job id and the experiment folder that a process was marked with, each empty when it was not."""
    try:
        environ = b"\0" + _slurp(f"/proc/{pid}/environ", _ENVIRON_LIMIT)
    except OSError:
        return "", ""
    return _variable(environ, MARK_JOB), _variable(environ, MARK_EXPERIMENT)


def _variable(environ: bytes, name: str) -> str:
    begin = environ.find(f"\0{name}=".encode())
    if begin < 0:
        return ""
    begin += len(name) + 2
    end = environ.find(b"\0", begin)
    return os.fsdecode(environ[begin : end if end >= 0 else len(environ)])


def lineage(pid: int, processes: Mapping[int, Process]) -> list[int]:
    """Return `pid` and its ancestors, the nearest first."""
    line: list[int] = []
    while pid in processes and pid not in line:
        line.append(pid)
        pid = processes[pid].parent
    return line


class Membership:
    """Decides which processes belong to which of some jobs.

    A process belongs to a job when it is the job's first process, is in that one's group, descends from one that
    belongs, or carries the job's mark. So a grandchild is found that made its own session and lost its parent.

    Args:
        leaders: job id by the process id of the job's first process, of the jobs that are looked for.
        ids: ids of the jobs that are looked for, also of those whose first process has ended; None for every job of
            `experiment`.
        others: first processes of other jobs, known not to be looked for.
        experiment: folder of the experiment; marks of other experiments do not count.
        adopter: process all of whose children belong, those without a job to the job with the empty id; None for no
            such process.
    """

    def __init__(
        self,
        leaders: Mapping[int, str],
        ids: Collection[str] | None,
        others: Collection[int],
        experiment: str,
        *,
        adopter: int | None = None,
    ) -> None:
        self._leaders = leaders
        self._ids = ids
        self._others = others
        self._experiment = experiment
        self._adopter = adopter
        self._owner: dict[int, str | None] = {}

    def scan(self) -> dict[int, tuple[Process, str]]:
        """Look at every process once and return those that belong, each with its job's id.

        The calling process and its ancestors never belong, so a job may ask for its own experiment to be stopped.
        """
        processes = table()
        self._owner = {}
        spared = set(lineage(os.getpid(), processes))
        found = {}
        for pid, process in processes.items():
            owner = self._owner_of(pid, processes)
            if owner is not None and not process.dead and pid not in spared:
                found[pid] = (process, owner)
        return found

    def _owner_of(self, pid: int, processes: Mapping[int, Process]) -> str | None:
        """Return the job of `pid`; the answers for its ancestors are kept for the next question."""
        line = []
        owner: str | None = None
        for ancestor in lineage(pid, processes):
            if ancestor in self._owner:
                owner = self._owner[ancestor]
                break
            line.append(ancestor)
        for member in reversed(line):
            mark = self._own_mark(processes[member])
            owner = owner if mark is None else mark
            self._owner[member] = owner
        return owner

    def _own_mark(self, process: Process) -> str | None:
        owner = self._leaders.get(process.group)
        if owner is not None:
            return owner
        if process.group in self._others or process.dead:
            return None
        job, experiment = marks(process.pid)
        if job and experiment == self._experiment and (self._ids is None or job in self._ids):
            return job
        return "" if process.parent == self._adopter else None


def same_process(pid: int, created: float | None) -> bool:
    """Say whether `pid` is alive and is the process that was created at `created` (None: any)."""
    process = look_up(pid)
    return process is not None and not process.dead and created in {None, process.created}


def send(pid: int, number: int) -> bool:
    """Send a signal to a process; say whether it exists."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def send_group(group: int, number: int) -> bool:
    """Send a signal to a process group; say whether it exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group whose last process waits to be taken note of.
        return False
    return True


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
