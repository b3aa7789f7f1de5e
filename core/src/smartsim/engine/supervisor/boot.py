"""Finds the supervisor of an experiment, or starts one."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

import smartsim
from smartsim.engine.supervisor import journal, processes, runtime_dir
from smartsim.error import LauncherError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE = (
    "import sys; sys.path.append(sys.argv[1]); from smartsim.engine.supervisor.server import main; main(sys.argv[2:])"
)
_BACKLOG = 128
_CLOCK_TOLERANCE = 5.0

_children: list[int] = []
"""Supervisors that this process started and has not waited for yet."""


@frozen
class Line:
    """A connection to a supervisor.

    Attributes:
        sock: the connected socket.
        folder: the private folder that the supervisor listens in.
        pid: the supervisor's process id when this call started it, None when it was there already.
    """

    sock: socket.socket
    folder: str
    pid: int | None


def find(experiment: str) -> Line | None:
    """Connect to the live supervisor of `experiment` on this machine; None when there is none.

    Args:
        experiment: real path of the experiment's folder.

    Raises:
        OSError: the journal exists and cannot be read.
    """
    for folder in _folders(experiment):
        try:
            lock = runtime_dir.Lock(folder, create=False)
        except runtime_dir.RuntimeDirError:
            continue
        try:
            sock = _connect(folder)
        finally:
            lock.release()
        if sock is not None:
            return Line(sock, folder, None)
    return None


def find_or_start(experiment: str) -> Line:
    """Connect to the live supervisor of `experiment` on this machine, or start one; does not wait until it answers.

    Args:
        experiment: real path of the experiment's folder.

    Raises:
        LauncherError: the journal cannot be written, there is no place for a socket, or the interpreter cannot
            be started.
    """
    path = journal.journal_path(experiment)
    try:
        folder = runtime_dir.choose(experiment, os.environ)
        journal.Journal(path).close()
        found = find(experiment)
        if found is not None:
            return found
        lock = runtime_dir.Lock(folder)
    except OSError as error:
        raise LauncherError(f"cannot write the journal {path}: {error.strerror}; make its folder writable") from error
    except runtime_dir.RuntimeDirError as error:
        raise LauncherError(str(error)) from error
    try:
        sock = _connect(folder)
        return _start(experiment, folder) if sock is None else Line(sock, folder, None)
    except BaseException as error:
        runtime_dir.remove(folder)
        if not isinstance(error, OSError | ValueError):
            raise
        raise LauncherError(
            f"cannot start the supervisor with {sys.executable!r}: {error}; run a Python whose sys.executable exists"
        ) from error
    finally:
        lock.release()


def _folders(experiment: str) -> list[str]:
    """Return the folders where a supervisor of `experiment` may listen, the likeliest first."""
    recorded = (runtime_dir.of_socket(record.get("socket")) for record in alive(experiment))
    folders = [folder for folder in recorded if folder is not None]
    return list(dict.fromkeys([*folders, *runtime_dir.candidates(experiment, os.environ)]))


def alive(experiment: str) -> list[dict[str, Any]]:
    """Return the journal's records of supervisors on this machine whose process lives, the latest first."""
    records = journal.read(journal.journal_path(experiment), containing=b'"kind":"supervisor')
    view = journal.fold(records)
    return [record for record in reversed(view.supervisors) if "ended" not in record and lives(record)]


def lives(record: Mapping[str, Any]) -> bool:
    """Say whether the process of a supervisor or job record is alive on this machine and is still the same one."""
    pid = record.get("pid")
    if type(pid) is not int or pid <= 0 or record.get("host") != os.uname().nodename:
        return False
    if record.get("boot", processes.boot_id()) != processes.boot_id():
        return False
    created = record.get("create_time")
    return processes.same_process(pid, created) if created is not None else _started_at(pid, record["t"])


def _started_at(pid: int, at: float) -> bool:
    """Say whether `pid` lives and was started at `at`, seconds since the epoch: for systems without ``/proc``."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - at) < _CLOCK_TOLERANCE
    except psutil.Error:
        return False


def _connect(folder: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(os.path.join(folder, runtime_dir.SOCKET))
    except OSError:
        sock.close()
        return None
    return sock


def _start(experiment: str, folder: str) -> Line:
    """Bind the socket, start the interpreter on it and connect, all before the interpreter has booted."""
    reap()
    runtime_dir.empty(folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(os.path.join(folder, runtime_dir.SOCKET))
        listener.listen(_BACKLOG)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(os.path.join(folder, runtime_dir.SOCKET))
            pid = _spawn(listener.fileno(), folder, experiment)
        except BaseException:
            sock.close()
            raise
    _children.append(pid)
    return Line(sock, folder, pid)


def _spawn(listener: int, folder: str, experiment: str) -> int:
    root = str(Path(smartsim.__file__).resolve().parent.parent)
    # Both sides must turn bytes into text in the same way.
    encoding = f"utf8={sys.flags.utf8_mode}"
    argv = [sys.executable, "-I", "-S", "-X", encoding, "-c", _CODE, root, folder, experiment]
    errors = os.path.join(folder, runtime_dir.ERRORS)
    actions = [
        (os.POSIX_SPAWN_DUP2, listener, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    reset = [signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP]
    return os.posix_spawn(
        sys.executable, argv, os.environ, file_actions=actions, setsid=True, setsigmask=[], setsigdef=reset
    )


def started(pid: int | None) -> bool:
    """Say whether `pid` is a supervisor that was started here and has not been waited for."""
    return pid in _children


def reap(pid: int | None = None, *, wait: bool = False) -> str:
    """Take note of supervisors started here that have ended, so that none stays a zombie.

    Args:
        pid: the one to ask for, None for all.
        wait: whether it is known to end now and should be waited for.

    Returns:
        How the one asked for ended, in words; empty when it has not ended, was not started here, or ended well.
    """
    words = ""
    for child in [pid] if pid is not None else list(_children):
        if child not in _children:
            continue
        try:
            found, status = os.waitpid(child, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            found, status = child, 0
        if found == 0:
            continue
        with suppress(ValueError):  # another thread, of another client in this process, was quicker
            _children.remove(child)
        code = os.waitstatus_to_exitcode(status)
        words = (
            f"was killed by {processes.signal_name(-code)}"
            if code < 0
            else f"ended with exit code {code}"
            if code
            else ""
        )
    return words


def last_words(folder: str) -> str:
    """Return the last line that a failing supervisor wrote, the empty string when there is none."""
    try:
        lines = (Path(folder) / runtime_dir.ERRORS).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def clean(folder: str) -> None:
    """Remove the folder of a supervisor that is no more. Does nothing while one listens there."""
    try:
        lock = runtime_dir.Lock(folder, create=False)
    except runtime_dir.RuntimeDirError:
        return
    try:
        sock = _connect(folder)
        if sock is None:
            runtime_dir.remove(folder)
        else:
            sock.close()
    finally:
        lock.release()


def forget_children() -> None:
    """Drop what a forked process inherited of its parent's children."""
    _children.clear()


os.register_at_fork(after_in_child=forget_children)
