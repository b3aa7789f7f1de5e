"""Changes to folders that are taken back unless all of them succeed."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from smartsim.log import get_logger

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Changes"]

logger = get_logger(__name__)


class Changes:
    """A context manager: leaving it after `keep` lets the changes stand, leaving it otherwise takes them back."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._made: set[str] = set()
        self._aside: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._undo.close()

    def set_aside(self, folder: str) -> None:
        """Take away a folder or a symbolic link; `keep` deletes it."""
        path = Path(folder)
        aside = path.with_name(f".smartsim-old-{os.urandom(8).hex()}")
        self._undo.callback(_put_back, aside, path)
        path.rename(aside)
        self._aside.append(aside)

    def make_folder(self, folder: str) -> None:
        """Make a folder and those that it is in; one that exists is kept as it is."""
        if folder in self._made:
            return
        path = Path(folder)
        try:
            self._mkdir(path)
        except FileExistsError:
            if not path.is_dir():
                raise FileExistsError(
                    f"{folder} is no folder, but a folder would have to be there: move it away, or choose another path="
                ) from None
            return
        except OSError as error:
            if error.errno is None:  # said by a folder above it
                raise
            # Where the folder above exists, "no such file" is how /proc and its like refuse.
            kind = PermissionError if isinstance(error, FileNotFoundError) else type(error)
            raise kind(f"{folder} cannot be made ({error.strerror}): choose another path for it") from error
        self._made.add(folder)
        if str(path.parent) not in self._made:
            self._undo.callback(shutil.rmtree, folder, ignore_errors=True)

    def _mkdir(self, path: Path) -> None:
        try:
            path.mkdir()
        except FileNotFoundError:
            self.make_folder(str(path.parent))
            path.mkdir()

    def replace_file(self, target: str, content: bytes) -> None:
        """Write a file, or replace the one of that name, in one step."""
        path = Path(target)
        draft = path.with_name(f".smartsim-new-{os.urandom(8).hex()}")
        self._undo.callback(draft.unlink, missing_ok=True)
        draft.write_bytes(content)
        draft.replace(path)

    def keep(self) -> None:
        """Let the changes stand, and delete what was set aside."""
        self._undo.pop_all()
        for path in self._aside:
            try:
                _delete(path)
            except OSError as error:
                logger.warning("%s is no longer needed but cannot be deleted: %s", path, error)


def _put_back(aside: Path, path: Path) -> None:
    if aside.is_symlink() or aside.exists():
        aside.rename(path)


def _delete(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
