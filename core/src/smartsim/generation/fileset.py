"""What the files attached to an entity come down to: which file goes where, checked before anything is written."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from smartsim.entity.files import TaggedFilesHierarchy, source_mode
from smartsim.error import ParameterWriterError
from smartsim.generation import tags
from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from smartsim.entity.files import EntityFiles

__all__ = ["FileSet", "FileSets", "Source", "write_new"]

logger = get_logger(__name__)

_SMALL = 1 << 20
"""Files up to this size are read once and written from memory for each entity."""

_CACHE = 1 << 26
"""At most this much is kept in memory."""


@define(eq=False)
class Source:
    """A file that is copied.

    Attributes:
        path: absolute path.
        executable: whether the copies are executable.
        content: what is in it, None when it is too large to be kept in memory.
    """

    path: str
    executable: bool = False
    content: bytes | None = None

    def write(self, target: str) -> None:
        """Copy the file to `target`, which does not exist."""
        write_new(target, self.content or b"", executable=self.executable)
        if self.content is None:
            shutil.copyfile(self.path, target)


def write_new(target: str, content: bytes, *, executable: bool = False) -> None:
    """Write `content` into a new file.

    Raises:
        FileExistsError: the file exists, if only as a symbolic link.
    """
    mode = 0o777 if executable else 0o666
    with open(target, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as stream:
        stream.write(content)


@frozen(kw_only=True, eq=False)
class FileSet:
    """Where the attached files go; all targets are relative to the entity's folder.

    Attributes:
        folders: folders to make, parents first.
        copies: target and source of each copied file.
        links: target of each symbolic link, and what it leads to.
        tagged: target and source of each file with parameter tags.
        origins: absolute paths of the attached files and folders themselves.
        copied_folders: those of them that are folders whose contents are copied.
    """

    folders: tuple[str, ...] = ()
    copies: tuple[tuple[str, Source], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    tagged: tuple[tuple[str, Source], ...] = ()
    origins: tuple[str, ...] = ()
    copied_folders: tuple[str, ...] = ()


@define(eq=False)
class _Draft:
    """A file set that is being put together.

    Attributes:
        sets: where files are read.
        items: what is at each target so far: ``folder``, ``copy``, ``link`` or ``configure``.
    """

    sets: FileSets
    items: dict[str, str] = field(factory=dict)
    sources: dict[str, Source] = field(factory=dict)
    links: dict[str, str] = field(factory=dict)

    def add_copies(self, path: str) -> None:
        if not Path(path).is_dir():
            self._put(Path(path).name, path, "copy", executable=False)
            return
        for target, found in _walk(path):
            if found is None:
                self._folder(target)
            else:
                self._put(target, found, "copy", executable=os.access(found, os.X_OK))

    def add_link(self, path: str) -> None:
        target = Path(path).name
        if target in self.items:
            raise FileExistsError(
                f"to_symlink: {path} would be linked as {target!r}, but another attached file is there"
            )
        if not os.path.lexists(path):
            raise FileNotFoundError(f"to_symlink: {path} does not exist any more: attach files that do")
        self.items[target] = "link"
        self.links[target] = path

    def add_tagged(self, level: TaggedFilesHierarchy) -> None:
        if level.base:
            self._folder(level.base)
        for path in sorted(level.files):
            self._put(str(Path(level.base, Path(path).name)), path, "configure", executable=False)
        for below in sorted(level.dirs, key=lambda one: one.base):
            self.add_tagged(below)

    def _folder(self, target: str) -> None:
        if self.items.setdefault(target, "folder") != "folder":
            raise FileExistsError(f"attached files clash: {target!r} would be a file and a folder")

    def _put(self, target: str, path: str, kind: str, *, executable: bool) -> None:
        present = self.items.get(target)
        if present == "folder":
            raise FileExistsError(f"attached files clash: {target!r} would be a folder and a copy of {path}")
        if present == "link":
            raise FileExistsError(f"attached files clash: {target!r} would be a symbolic link and a copy of {path}")
        if present == kind and self.sources[target].path != path:
            logger.warning("%s and %s both become %r: the latter is used", self.sources[target].path, path, target)
        try:
            source = self.sets.source(path, executable)
        except PermissionError as error:
            if kind == "configure":
                raise ParameterWriterError(path) from error
            raise
        self.items[target] = kind
        self.sources[target] = source

    def finished(self, copied: Sequence[str], linked: Sequence[str]) -> FileSet:
        def of(kind: str) -> list[str]:
            return [target for target, present in self.items.items() if present == kind]

        return FileSet(
            folders=tuple(of("folder")),
            copies=tuple((target, self.sources[target]) for target in of("copy")),
            links=tuple(self.links.items()),
            tagged=tuple((target, self.sources[target]) for target in of("configure")),
            origins=(*copied, *linked),
            copied_folders=tuple(path for path in copied if Path(path).is_dir()),
        )


def _walk(top: str) -> Iterator[tuple[str, str | None]]:
    """What is in a folder and below: the path relative to it, and the absolute path, or None for a folder.

    Symbolic links are followed. Folders come before what is in them.

    Raises:
        FileNotFoundError: a symbolic link leads nowhere.
        ValueError: a symbolic link leads back to a folder it is in, or something is neither file nor folder.
    """
    pending = [("", Path(top), frozenset({_identity(Path(top))}))]
    while pending:
        base, folder, above = pending.pop()
        for path in sorted(folder.iterdir()):
            target = f"{base}{path.name}"
            if stat.S_ISREG(source_mode(path)):
                yield target, str(path)
                continue
            identity = _identity(path)
            if identity in above:
                raise ValueError(f"{path} leads back to a folder it is in: remove this symbolic link, or attach less")
            yield target, None
            pending.append((f"{target}/", path, above | {identity}))


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


class FileSets:
    """Reads attached files: each file once, however many entities it is attached to.

    Args:
        tag: what encloses the names of parameters in files.
    """

    def __init__(self, tag: str = tags.DEFAULT_TAG) -> None:
        self._tag = tag
        self._room = _CACHE
        self._sets: dict[tuple[object, ...], FileSet] = {}
        self._sources: dict[tuple[str, bool], Source] = {}
        self._templates: dict[tuple[str, tuple[str, ...]], tags.Template] = {}

    def of(self, files: EntityFiles | None) -> FileSet:
        """Return where `files` go.

        Raises:
            FileNotFoundError: something is missing.
            FileExistsError: two of them need the same place.
            PermissionError: a file to copy cannot be read.
            ParameterWriterError: a file with tags cannot be read.
            ValueError: a folder has a symbolic link that leads back to it, or something is neither file nor folder.
        """
        if files is None:
            return FileSet()
        key = (*files.copy, None, *files.link, None, *files.tagged, id(files.tagged_hierarchy))
        if key not in self._sets:
            draft = _Draft(self)
            for path in files.copy:
                draft.add_copies(path)
            for path in files.link:
                draft.add_link(path)
            if files.tagged_hierarchy is not None:
                draft.add_tagged(files.tagged_hierarchy)
            tagged = [os.path.abspath(path) for path in files.tagged]  # noqa: PTH100 - removes `..`
            self._sets[key] = draft.finished((*files.copy, *tagged), files.link)
        return self._sets[key]

    def source(self, path: str, executable: bool) -> Source:
        """Return the file `path`, opened once to be sure that it can be read."""
        key = (path, executable)
        if key not in self._sources:
            source_mode(Path(path))
            with Path(path).open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                small = size <= min(_SMALL, self._room)
                content = stream.read() if small else None
            self._room -= len(content or b"")
            self._sources[key] = Source(path, executable, content)
        return self._sources[key]

    def template(self, source: Source, params: Mapping[str, str]) -> tags.Template:
        """Return the template in a file; unknown tags are warned of once.

        Raises:
            ParameterWriterError: the file is not UTF-8 text or cannot be read.
        """
        key = (source.path, tuple(params))
        if key not in self._templates:
            try:
                content = Path(source.path).read_bytes() if source.content is None else source.content
                text = content.decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ParameterWriterError(source.path) from error
            template = tags.parse(text, params, self._tag)
            for name, lines in template.unknown.items():
                logger.warning("Unused tag %s on line(s): %s of %s", name, list(lines), source.path)
            self._templates[key] = template
        return self._templates[key]
