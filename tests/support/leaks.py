"""Finds what a test leaves behind: processes, threads, listening sockets, environment variables, temporary files."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARKER = "SMARTSIM_TEST_MARKER"
"""Every process that a test starts inherits this variable, however it daemonises, and is found by it. A server that
writes its title over its environment is found by its working folder, below the path that is the variable's value."""

GRACE = 5.0
"""Seconds until what is on its way out must be gone."""

# Written into the driver's environment by a running experiment, for clients in the driver itself.
WRITTEN_BY_EXPERIMENTS = ("SSDB", "SR_DB_TYPE", "SMARTSIM_FLAG_TELEMETRY")


def _names(folder: str | Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _pids() -> set[int]:
    return {int(name) for name in _names("/proc") if name.isdigit()}


def _is_ours(pid: int) -> bool:
    """Whether process `pid` lives and was started below this test process."""
    try:
        if Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z":
            # A zombie has no environment any more. It is a leak if it is our own child that nobody waited for.
            return _parent(pid) == os.getpid()
        wanted = f"{MARKER}={os.environ[MARKER]}".encode()
        if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(os.environ[MARKER])
    except OSError:
        return False


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def _describe(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    return f"process {pid}: {b' '.join(words).decode(errors='replace')[:200]}"


def _own_sockets() -> set[str]:
    """Inodes of the sockets that this process has open."""
    found = set()
    for name in _names("/proc/self/fd"):
        try:
            target = str(Path(f"/proc/self/fd/{name}").readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _listening(inodes: set[str]) -> set[str]:
    """Those of `inodes` that listen."""
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A")):
        for line in Path(f"/proc/self/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == state and fields[9] in inodes:
                found.add(f"listening socket {table} {fields[1]}")
    for line in Path("/proc/self/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
        fields = line.split()
        accepts_connections = int(fields[3], 16) & 0x10000
        if accepts_connections and fields[6] in inodes:
            found.add(f"listening socket {' '.join(fields[7:])}")
    return found


@dataclass(frozen=True)
class Snapshot:
    """The state of the process and of its surroundings before a test."""

    pids: frozenset[int]
    threads: frozenset[int | None]
    sockets: frozenset[str]
    environ: dict[str, str]
    folder: Path
    files: frozenset[str]

    @classmethod
    def take(cls, folder: Path) -> Snapshot:
        """Look around; `folder` is where temporary files and sockets of the tests are made."""
        return cls(
            pids=frozenset(_pids()),
            threads=frozenset(thread.ident for thread in threading.enumerate()),
            sockets=frozenset(_own_sockets()),
            environ=dict(os.environ),
            folder=folder,
            files=frozenset(_names(folder)),
        )

    def leaks(self) -> list[str]:
        """What is left. Environment variables are put back in any case."""
        found = self._environment()
        for search in (self._processes, self._threads, self._sockets, self._files):
            found += _settled(search)
        return found

    def end_processes(self) -> None:
        """Kill the processes that are left, so that one test's leak is not another test's trouble."""
        for pid in self._left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _left(self) -> list[int]:
        return [pid for pid in sorted(_pids() - self.pids) if _is_ours(pid)]

    def _processes(self) -> list[str]:
        return [_describe(pid) for pid in self._left()]

    def _threads(self) -> list[str]:
        return [f"{thread}" for thread in threading.enumerate() if thread.ident not in self.threads]

    def _sockets(self) -> list[str]:
        new = _own_sockets() - self.sockets
        return sorted(_listening(new)) if new else []

    def _files(self) -> list[str]:
        return [f"temporary file {self.folder / name}" for name in sorted(_names(self.folder) - self.files)]

    def _environment(self) -> list[str]:
        now = dict(os.environ)
        if now == self.environ:
            return []
        os.environ.clear()
        os.environ.update(self.environ)
        return [
            f"environment variable {name}"
            for name in sorted(now.keys() | self.environ.keys())
            if now.get(name) != self.environ.get(name)
            and not name.startswith(WRITTEN_BY_EXPERIMENTS)
            and name != "PYTEST_CURRENT_TEST"
        ]


def _settled(search: Callable[[], list[str]]) -> list[str]:
    """What `search` still finds after everything had time to end and unreachable objects were collected."""
    found = search()
    if not found:
        return []
    gc.collect()
    deadline = time.monotonic() + GRACE
    while found and time.monotonic() < deadline:
        time.sleep(0.01)
        found = search()
    return found
