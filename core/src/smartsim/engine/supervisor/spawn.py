"""Starting one process: its files, its environment, and an error that names the remedy when it cannot be started."""

from __future__ import annotations

import errno
import os
import signal
import stat
from contextlib import suppress

from smartsim.engine.supervisor.processes import MARK_EXPERIMENT, MARK_JOB

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Mapping

_RESET = [
    number
    for name in ("SIGPIPE", "SIGXFSZ", "SIGXFZ", "SIGINT", "SIGHUP", "SIGTERM", "SIGCHLD")
    if (number := getattr(signal, name, None)) is not None
]


class SpawnError(Exception):
    """A process could not be started; nothing of it is left."""


class Spawner:
    """Starts the processes of one launch request, which share an environment.

    Args:
        environ: the environment that each process gets, before its own changes.
        experiment: folder of the experiment, for the mark of its processes.
    """

    def __init__(self, environ: Mapping[str, str], experiment: str) -> None:
        self._environ = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
        self._environ[os.fsencode(MARK_EXPERIMENT)] = os.fsencode(experiment)
        self._found: dict[tuple[str, bytes], str] = {}

    def spawn(self, job: str, argv: list[str], env: Mapping[str, str], cwd: str, stdout: str, stderr: str) -> int:
        """Start a process in a process group of its own, with nothing to read and its output in files.

        Leaves the calling process in `cwd`.

        Args:
            job: id of the job.
            argv: program and arguments; a program without ``/`` is looked for on the process's own PATH.
            env: changes of the environment.
            cwd: folder to run in.
            stdout: file for standard output; see `open_output`.
            stderr: file for standard error, may be the same.

        Returns:
            The process id.

        Raises:
            SpawnError: the process was not started.
        """
        if not argv:
            raise SpawnError("there is no program to start: argv is empty")
        environ = self._environ.copy()
        try:
            for name, value in env.items():
                environ[os.fsencode(name)] = os.fsencode(value)
            environ[os.fsencode(MARK_JOB)] = os.fsencode(job)
            os.chdir(cwd)
        except (OSError, ValueError) as error:
            raise SpawnError(f"cannot enter the folder {cwd!r}: {_words(error)}") from error
        program = self._program(argv[0], environ)
        files = _Files()
        try:
            out = files.open(stdout)
            err = out if stderr == stdout else files.open(stderr)
            pid = _start(program, argv, environ, out, err)
        except BaseException:
            files.undo()
            raise
        files.close()
        return pid

    def _program(self, name: str, environ: Mapping[bytes, bytes]) -> str:
        if "/" in name:
            return name
        path = environ.get(b"PATH", os.fsencode(os.defpath))
        if (name, path) not in self._found:
            self._found[name, path] = _search(name, path)
        return self._found[name, path]


def _search(name: str, path: bytes) -> str:
    denied = ""
    for folder in os.fsdecode(path).split(os.pathsep):
        candidate = os.path.join(folder or ".", name)
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            denied = denied or candidate
    if denied:
        raise SpawnError(f"{denied!r} is not executable: allow it with `chmod +x`")
    raise SpawnError(f"the program {name!r} is not on PATH: install it, load its module or give its full path")


def _start(program: str, argv: list[str], environ: Mapping[bytes, bytes], out: int, err: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, err, 2),
    ]
    try:
        # Not a session: Linux puts each into a scheduling group of its own, which doubles the cost of a short process.
        return os.posix_spawn(
            program, argv, environ, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=_RESET
        )
    except (OSError, ValueError) as error:
        raise SpawnError(_why(program, error)) from error


def _why(program: str, error: OSError | ValueError) -> str:
    """Return what is wrong with `program` and what to do about it."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT and os.path.lexists(program):
        words = "cannot be started: the interpreter or loader that it names does not exist"
    elif number == errno.ENOENT:
        words = "does not exist: check its path"
    elif number == errno.EACCES and os.path.isdir(program):
        words = "is a folder, not a program"
    elif number == errno.EACCES:
        words = "is not executable: allow it with `chmod +x`"
    elif number == errno.ENOEXEC:
        words = "is neither a program of this machine nor a script that begins with `#!`"
    elif number == errno.EAGAIN:
        words = "cannot be started: the limit of processes is reached, see `ulimit -u`"
    else:
        words = f"cannot be started: {_words(error)}"
    return f"{program!r} {words}"


def _words(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


class _Files:
    """The output files of one process, which can be put back as they were while it has not started."""

    def __init__(self) -> None:
        self._open: list[int] = []
        self._made: list[str] = []
        self._moved: list[tuple[str, str]] = []

    def open(self, path: str) -> int:
        try:
            return self._open_file(path)
        except (OSError, ValueError) as error:
            raise SpawnError(f"cannot write output to {path!r}: {_words(error)}") from error

    def _open_file(self, path: str) -> int:
        try:
            fd = self._create(path)
        except FileExistsError:
            fd = self._replace(path)
        self._open.append(fd)
        return fd

    def _create(self, path: str) -> int:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._made.append(path)
        return fd

    def _replace(self, path: str) -> int:
        """Open a path that is taken: earlier output is kept under another name, an empty file or a device is used."""
        found: os.stat_result | None = None
        with suppress(FileNotFoundError):
            found = os.stat(path)
        if found is not None and (found.st_size == 0 or not stat.S_ISREG(found.st_mode)):
            # Not blocking, lest a pipe that nobody reads stops everything; the process gets an ordinary descriptor.
            fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            os.set_blocking(fd, True)
            return fd
        earlier = earlier_name(path)
        os.rename(path, earlier)
        self._moved.append((earlier, path))
        return self._create(path)

    def close(self) -> None:
        for fd in self._open:
            os.close(fd)

    def undo(self) -> None:
        self.close()
        for path in self._made:
            with suppress(OSError):
                os.unlink(path)
        for earlier, path in reversed(self._moved):
            with suppress(OSError):
                os.rename(earlier, path)


def earlier_name(path: str) -> str:
    """Return the name under which the file `path` is kept when its name is needed again: ``<stem>.<k><ext>``."""
    stem, extension = os.path.splitext(path)
    k = 0
    while os.path.lexists(f"{stem}.{k}{extension}"):
        k += 1
    return f"{stem}.{k}{extension}"
