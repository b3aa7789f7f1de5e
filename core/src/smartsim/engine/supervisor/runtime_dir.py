"""The private folder that holds the socket of an experiment's supervisor.

It lies on a local disk, because unix sockets do not work on parallel file systems and their paths are limited to about
100 bytes. Its name follows from the experiment's folder, so that two drivers of one experiment meet there; who starts
or ends a supervisor holds a lock on the folder meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "s"
"""Name of the socket in the folder."""
ERRORS = "err"
"""Name of the file in the folder that a failing supervisor writes its last words to."""
PATH_LIMIT = 100
"""Bytes of the longest socket path that works everywhere."""

_PREFIX = "smartsim-"
_NAME_LENGTH = len(f"/{_PREFIX}0123456789abcdef/{SOCKET}")


class RuntimeDirError(Exception):
    """The folder cannot be used; the message says why and what to do."""


def of_socket(socket: object) -> str | None:
    """Return the folder of a socket that a journal names; None when it cannot be one that we made."""
    if not isinstance(socket, str):
        return None
    folder, name = os.path.split(socket)
    return folder if name == SOCKET and os.path.basename(folder).startswith(_PREFIX) else None


def candidates(experiment: str, environ: Mapping[str, str]) -> list[str]:
    """Return the folders that could be the one of `experiment`'s supervisor, the best first; none need exist.

    Below ``XDG_RUNTIME_DIR`` when that is a folder of this user and not too long, below ``TMPDIR``, and below ``/tmp``.

    Args:
        experiment: absolute folder of the experiment.
        environ: the environment of the driver.
    """
    import hashlib

    seed = f"{os.getuid()} {os.path.realpath(experiment)}"
    name = f"{_PREFIX}{hashlib.blake2b(os.fsencode(seed), digest_size=8).hexdigest()}"
    places = [
        (environ.get("XDG_RUNTIME_DIR", ""), True),
        (environ.get("TMPDIR", ""), False),
        ("/tmp", False),  # noqa: S108 - the folder that is made there is private, and refused when it is not
    ]
    return [os.path.join(base, name) for base, private in places if usable(base, private=private)]


def choose(experiment: str, environ: Mapping[str, str]) -> str:
    """Return the best of `candidates`.

    Raises:
        RuntimeDirError: there is none.
    """
    for folder in candidates(experiment, environ):
        return folder
    raise RuntimeDirError(
        "no place for the supervisor's socket: set TMPDIR to a writable folder on a local disk with a short path"
    )


def usable(base: str, *, private: bool) -> bool:
    """Say whether the socket's folder can be made in `base`, which must be this user's own if `private`."""
    if not os.path.isabs(base) or len(os.fsencode(base)) + _NAME_LENGTH > PATH_LIMIT:
        return False
    try:
        found = os.stat(base)
    except OSError:
        return False
    if private and found.st_uid != os.getuid():
        return False
    return stat.S_ISDIR(found.st_mode) and os.access(base, os.W_OK | os.X_OK)


class Lock:
    """Holds the folder exclusively, among the processes of this machine, from construction to `release`.

    Args:
        folder: is made, private to this user, when it does not exist.
        create: whether it may be made.
        wait: whether to wait until somebody else lets go.

    Raises:
        RuntimeDirError: it belongs to somebody else, others may enter it, or it does not exist and may not be made.
        BlockingIOError: somebody else holds it and `wait` is False.
    """

    def __init__(self, folder: str, *, create: bool = True, wait: bool = True) -> None:
        self.folder = folder
        while True:
            if create:
                try:
                    os.mkdir(folder, 0o700)
                except FileExistsError:
                    pass
                except OSError as error:
                    raise RuntimeDirError(f"cannot make the folder {folder!r}: {error.strerror}") from error
            try:
                self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except FileNotFoundError:
                if create:
                    continue
                raise RuntimeDirError(f"the folder {folder!r} does not exist") from None
            except OSError as error:
                raise RuntimeDirError(f"cannot use the folder {folder!r}: {error.strerror}") from error
            if self._acquire(wait):
                return

    def _acquire(self, wait: bool) -> bool:
        """Lock what was opened; False when it was removed meanwhile."""
        try:
            found = os.fstat(self._fd)
            if found.st_uid != os.getuid() or found.st_mode & 0o077:
                raise RuntimeDirError(
                    f"the folder {self.folder!r} is not private to you: remove it, or set XDG_RUNTIME_DIR or TMPDIR to "
                    "a folder of your own"
                )
            fcntl.flock(self._fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(OSError):
                if os.path.samestat(os.stat(self.folder, follow_symlinks=False), found):
                    return True
        except BaseException:
            self.release()
            raise
        self.release()
        return False

    def release(self) -> None:
        """Let go. Idempotent."""
        if self._fd >= 0:
            # A process that was forked meanwhile has the descriptor too: closing ours alone would not unlock.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1


def empty(folder: str) -> None:
    """Remove what we put into the folder. Hold the lock. What is gone already is no error."""
    for name in (SOCKET, ERRORS):
        with suppress(OSError):
            os.unlink(os.path.join(folder, name))


def remove(folder: str) -> None:
    """Remove the folder and what we put into it. Hold the lock. What is gone already is no error."""
    empty(folder)
    with suppress(OSError):
        os.rmdir(folder)
