"""The files that are attached to an entity and written into its folder by `Experiment.generate`."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PARAMETER_RECORD", "EntityFiles", "TaggedFilesHierarchy", "source_mode"]

PARAMETER_RECORD = "smartsim_params.txt"
"""Name of the file that records which parameters were written where."""


class TaggedFilesHierarchy:
    """One folder level of the files whose tags are replaced, and the levels below it.

    Args:
        parent: the level above, None for the top.
        subdir_name: name of this level's folder, empty for the top.

    Attributes:
        parent: as above.
        files: absolute paths of the source files of this level.
        dirs: the levels below.

    Raises:
        ValueError: only one of `parent` and `subdir_name` was given, or the name is not that of one folder.
    """

    def __init__(self, parent: TaggedFilesHierarchy | None = None, subdir_name: str = "") -> None:
        if parent is None and subdir_name:
            raise ValueError(f"subdir_name={subdir_name!r} needs a parent: the top level has no name")
        if parent is not None and not subdir_name:
            raise ValueError("subdir_name is missing: only the top level, which has no parent, goes without")
        if subdir_name in {".", ".."} or os.sep in subdir_name or (os.altsep and os.altsep in subdir_name):
            raise ValueError(f"subdir_name={subdir_name!r} must be the name of one folder, not a path")
        self._base = os.path.join(parent.base, subdir_name) if parent else ""  # noqa: PTH118 - a published text
        self.parent = parent
        self.files: set[str] = set()
        self.dirs: set[TaggedFilesHierarchy] = set()

    @property
    def base(self) -> str:
        """Path of this level's folder, relative to the entity's folder."""
        return self._base

    @classmethod
    def from_list_paths(cls, path_list: Sequence[str], dir_contents_to_base: bool = False) -> TaggedFilesHierarchy:
        """Make a hierarchy of files and folders.

        Args:
            path_list: the files and folders.
            dir_contents_to_base: put what is in the given folders into the top level, instead of the folders.

        Returns:
            The top level.

        Raises:
            FileNotFoundError: something is missing.
            ValueError: a folder below a given one is a symbolic link (it could lead in a circle), or something is
                neither file nor folder.
        """
        top = cls()
        paths = [Path(os.path.abspath(path)) for path in path_list]  # noqa: PTH100 - removes `..`
        if dir_contents_to_base:
            top._add(item for path in paths for item in (sorted(path.iterdir()) if path.is_dir() else [path]))
        else:
            top._add(paths)
        return top

    def _add(self, paths: Iterable[Path]) -> None:
        for path in paths:
            mode = source_mode(path)
            if stat.S_ISREG(mode):
                self.files.add(str(path))
            elif path.is_symlink():
                raise ValueError(
                    f"{path} is a symbolic link to a folder, which could lead in a circle: "
                    "attach the folder that it leads to"
                )
            else:
                self._level(path.name)._add(sorted(path.iterdir()))  # noqa: SLF001 - of the same class

    def _level(self, name: str) -> TaggedFilesHierarchy:
        """The level `name` below this one, made when it is missing: two folders of one name are merged."""
        for level in self.dirs:
            if level.base == os.path.join(self.base, name):  # noqa: PTH118 - as above
                return level
        level = type(self)(self, name)
        self.dirs.add(level)
        return level


def source_mode(path: Path) -> int:
    """Return the mode of the file or folder that `path` leads to.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is neither file nor folder.
    """
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise
    except OSError as error:
        raise FileNotFoundError(f"{path} does not exist, or is a symbolic link that leads nowhere") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError(f"{path} is neither a file nor a folder: attach it as a symbolic link (to_symlink) instead")
    return mode


class EntityFiles:
    """The files and folders attached to an entity. A single path may be given without a list.

    Args:
        tagged: those whose parameter tags are replaced.
        copy: those that are copied.
        symlink: those that a symbolic link is made to.

    Attributes:
        tagged: as given, as a list.
        copy: absolute paths.
        link: absolute paths of what the links lead to.
        tagged_hierarchy: the tagged files by folder, None when there are none.

    Raises:
        TypeError: an argument is neither a str nor an iterable of str.
        FileNotFoundError: something is missing.
        ValueError: something has the name that SmartSim's own record of parameters has, a tagged folder has a
            symbolic link to a folder in it, or something is neither file nor folder.
    """

    def __init__(
        self,
        tagged: Iterable[str] | str | None = None,
        copy: Iterable[str] | str | None = None,
        symlink: Iterable[str] | str | None = None,
    ) -> None:
        self.tagged = _path_list("to_configure", tagged)
        self.copy = _existing("to_copy", _path_list("to_copy", copy))
        self.link = _existing("to_symlink", _path_list("to_symlink", symlink))
        _existing("to_configure", self.tagged)
        for path in self.copy:
            source_mode(Path(path))
        self.tagged_hierarchy = (
            TaggedFilesHierarchy.from_list_paths(self.tagged, dir_contents_to_base=True) if self.tagged else None
        )

    def duplicate(self) -> EntityFiles:
        """Return an equal attachment for another entity, without looking at the file system again."""
        twin = object.__new__(type(self))
        twin.tagged = list(self.tagged)
        twin.copy = list(self.copy)
        twin.link = list(self.link)
        twin.tagged_hierarchy = self.tagged_hierarchy
        return twin

    def table(self) -> str:
        """Return a table of the attached files, or a sentence when there are none."""
        rows = [
            [strategy, "\n".join(paths)]
            for strategy, paths in (("Copy", self.copy), ("Symlink", self.link), ("Configure", self.tagged))
            if paths
        ]
        if not rows:
            return "No file attached to this entity."
        from tabulate import tabulate

        return tabulate(rows, headers=["Strategy", "Files"], tablefmt="grid")

    def __str__(self) -> str:
        return self.table()


def _path_list(argument: str, value: Iterable[str] | str | None) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    try:
        paths = list(value)
    except TypeError:
        raise TypeError(
            f"{argument} must be a path or a list of paths, not {type(value).__name__}: {value!r}"
        ) from None
    for path in paths:
        if not isinstance(path, str):
            raise TypeError(f"{argument} must hold paths as str, not {type(path).__name__}: {path!r}")
    return paths


def _existing(argument: str, paths: Sequence[str]) -> list[str]:
    absolute = []
    for path in paths:
        if not path or "\0" in path:
            raise ValueError(f"{argument}: {path!r} is not a path")
        full = os.path.abspath(path)  # noqa: PTH100 - removes `..` and a trailing separator
        if os.path.basename(full) == PARAMETER_RECORD:  # noqa: PTH119 - of a text
            raise ValueError(f"{argument}: {path} has the name of SmartSim's record of parameters: rename it")
        if not os.path.exists(full):  # noqa: PTH110 - of a text
            raise FileNotFoundError(
                f"{argument}: {path} does not exist, or is a symbolic link that leads nowhere (looked for {full})"
            )
        absolute.append(full)
    return absolute
