"""Finding executables and run commands on this machine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from smartsim.error import SmartSimError
from smartsim.settings.checks import path_text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["executable_path", "find_command", "select_run_command"]


_SHOWN = 1000


def _home(path: str) -> str:
    # `Path.expanduser` raises for a user who does not exist; such a name is just no file.
    return os.path.expanduser(path)  # noqa: PTH111


def find_command(command: str) -> str | None:
    """Return the absolute path of `command`, looked up on PATH as a shell does, or None."""
    found = shutil.which(_home(command)) if command and "\0" not in command else None
    return None if found is None else os.path.abspath(found)  # noqa: PTH100 - symbolic links stay as the user wrote them


def executable_path(exe: Any) -> str:
    """Return the absolute path of the executable `exe`: a path, a name on PATH, or a file in the current folder.

    Raises:
        TypeError: it is no path, or names a file that may not be executed.
        FileNotFoundError: there is no such file.
        ValueError: it has a NUL character.
    """
    name = path_text("exe", exe)
    found = find_command(name)
    if found is not None:
        return found
    path = _home(name)
    if os.path.isfile(path):  # noqa: PTH113 - a name that is too long is no file, `Path` would raise
        if os.access(path, os.X_OK):
            return os.path.abspath(path)  # noqa: PTH100 - symbolic links stay as the user wrote them
        raise TypeError(f"exe {name!r} is not executable: run `chmod +x {path}`, or give its interpreter as exe")
    if name and os.path.isdir(path):  # noqa: PTH112 - the same
        raise FileNotFoundError(f"exe {name!r} is a folder: give the executable file inside it")
    name = name if len(name) <= _SHOWN else f"{name[:60]}... ({len(name)} characters)"
    where = "does not exist" if os.sep in name else "is neither on PATH nor in the current folder"
    hint = "; arguments belong into exe_args" if len(name.split()) > 1 else ""
    raise FileNotFoundError(f"exe {name!r} {where}: check its spelling, or give its absolute path{hint}")


def select_run_command(candidates: Sequence[str]) -> str:
    """Return the first of `candidates` that is on PATH.

    Raises:
        SmartSimError: none is; names them.
    """
    for candidate in candidates:
        if find_command(candidate) is not None:
            return candidate
    raise SmartSimError(
        f"No run command found: none of {', '.join(candidates)} is on PATH. Load the module that has one, or say which "
        "command to use with run_command="
    )
