"""Which folder each entity gets, and what stands in the way."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

from smartsim.database.orchestrator import Orchestrator
from smartsim.entity import Ensemble, Model
from smartsim.error import SmartSimError
from smartsim.generation.fileset import FileSet
from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence


__all__ = ["Entities", "Target", "check_place", "check_sources_apart", "replaced_folders", "targets_of"]

logger = get_logger(__name__)


class Entities(Protocol):
    """What folders are made for; `smartsim.engine.manifest.Manifest` is one."""

    @property
    def models(self) -> Sequence[Model]:
        """The Models that belong to no ensemble."""

    @property
    def ensembles(self) -> Sequence[Ensemble]:
        """The Ensembles."""

    @property
    def dbs(self) -> Sequence[Orchestrator]:
        """The databases."""


@frozen(kw_only=True, eq=False)
class Target:
    """One folder.

    Attributes:
        entity: whose folder it is.
        folder: absolute path.
        files: what is written into it.
        shared: whether it may exist: the folder of an ensemble or a database.
        jobs: names under which a Model or Ensemble may be running.
    """

    entity: Model | Ensemble | Orchestrator
    folder: str
    files: FileSet = field(factory=FileSet)
    shared: bool = False
    jobs: frozenset[str] = frozenset()


def targets_of(exp_path: str, entities: Entities, running: Collection[str]) -> Iterator[Target]:
    """Yield the folder of every entity, without files; that of an ensemble before those of its members.

    A running database is left out: it stays where it is.
    """
    for database in entities.dbs:
        folder = _folder(database, exp_path)
        if {database.name, *(node.name for node in database.entities)}.isdisjoint(running):
            yield Target(entity=database, folder=folder, shared=True)
        else:
            logger.warning("%s is running: its folder %s stays as it is", database.name, database.path)
    for ensemble in entities.ensembles:
        folder = _folder(ensemble, exp_path)
        members = frozenset(model.name for model in ensemble.entities)
        yield Target(entity=ensemble, folder=folder, shared=True, jobs=members | {ensemble.name})
        for model in ensemble.entities:
            own = _folder(model, exp_path, f"{folder}/{model.name}")
            yield Target(entity=model, folder=own, jobs=frozenset({model.name}))
    for model in entities.models:
        yield Target(entity=model, folder=_folder(model, exp_path), jobs=frozenset({model.name}))


def _folder(entity: Model | Ensemble | Orchestrator, exp_path: str, member_folder: str = "") -> str:
    usual = f"{exp_path}/{entity.name}"
    default = member_folder or usual
    if not entity.path_is_chosen or entity.path in (usual, default):
        return default
    chosen = os.path.abspath(entity.path)  # noqa: PTH100 - removes `..`
    if chosen == exp_path or _is_below(exp_path, chosen):
        logger.warning("%s: path=%s holds the experiment, its folder is %s", entity.name, chosen, default)
        return default
    return chosen


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder if folder.endswith("/") else f"{folder}/")


def replaced_folders(exp_path: str, targets: Sequence[Target], overwrite: bool, running: Collection[str]) -> list[str]:
    """Check every folder and return those whose present content is replaced.

    Args:
        exp_path: folder of the experiment.
        targets: the folders to make.
        overwrite: whether content may be replaced.
        running: names of the entities that run.

    Raises:
        FileExistsError: a folder exists and `overwrite` is False, or something that is no folder is in the way.
        NotADirectoryError: a folder would have to be made in a file.
        PermissionError: a folder cannot be made there.
        SmartSimError: the folder of a running entity would be replaced.
        ValueError: two entities have the same folder, or something would be lost that is no entity's output.
    """
    _check_distinct(targets)
    kept = _guarded_places(exp_path, targets)
    parents: dict[str, str] = {}
    replaced: list[str] = []
    for target in targets:
        parent, _, name = target.folder.rpartition("/")
        if parent not in parents:
            check_place(parent)
            parents[parent] = os.path.realpath(parent)
        if not os.path.lexists(target.folder) or not _is_replaced(target, overwrite, running):
            continue
        reason = kept.get(f"{parents[parent]}/{name}")
        if reason and not Path(target.folder).is_symlink():
            raise ValueError(
                f"{target.entity.name}: overwrite=True would delete {target.folder}, which holds {reason}: "
                "choose another path= for the entity"
            )
        replaced.append(target.folder)
    return _outermost(replaced)


def _is_replaced(target: Target, overwrite: bool, running: Collection[str]) -> bool:
    """Whether the existing folder of `target` is replaced; if it can neither stay nor be replaced, say why."""
    name, folder = target.entity.name, target.folder
    if not Path(folder).is_dir():
        raise FileExistsError(f"{name}: {folder} is no folder but its folder would have to be there: move it away")
    if not overwrite:
        if target.shared:
            return False
        raise FileExistsError(
            f"{name}: its folder {folder} exists; pass overwrite=True to replace what is in it, or choose another path="
        )
    busy = sorted(target.jobs.intersection(running))
    if busy:
        raise SmartSimError(
            f"{name}: its folder {folder} cannot be replaced while {busy[0]} is running: wait for it or stop it first"
        )
    return True


def _check_distinct(targets: Iterable[Target]) -> None:
    owners: dict[str, str] = {}
    for target in targets:
        owner = owners.setdefault(target.folder, target.entity.name)
        if owner != target.entity.name:
            raise ValueError(
                f"{owner} and {target.entity.name} have the same folder {target.folder}: give each its own path="
            )


def _guarded_places(exp_path: str, targets: Iterable[Target]) -> dict[str, str]:
    """For each folder that must not be deleted what is in it."""
    places = {exp_path: "the experiment"}
    with suppress(OSError, RuntimeError):  # there may be no home, and the working directory may be gone
        places[str(Path.home())] = "your home"
        places[str(Path.cwd())] = "the working directory"
    for files in {target.files for target in targets}:
        places |= {origin: f"the attached file {origin}" for origin in files.origins}
    guarded: dict[str, str] = {}
    for place, reason in places.items():
        real = Path(os.path.realpath(place))
        for folder in (real, *real.parents):
            guarded.setdefault(str(folder), reason)
    return guarded


def check_place(place: str) -> None:
    """Check that something can be made in the folder `place`, which is made when it is missing.

    Raises:
        NotADirectoryError: it would have to be made in a file.
        PermissionError: it cannot be written to.
    """
    folder = Path(place or "/")
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder, so that {place} cannot be made: move it away")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(f"{folder} cannot be written to: change its permissions or choose another folder")


def _outermost(folders: Iterable[str]) -> list[str]:
    """The folders that are in none of the others."""
    result: list[str] = []
    for folder in sorted(folders, key=lambda path: path.split("/")):
        if not result or not _is_below(folder, result[-1]):
            result.append(folder)
    return result


def check_sources_apart(targets: Iterable[Target]) -> None:
    """Check that no folder is written into a folder that is attached to it: copying would never end.

    Raises:
        ValueError: one is.
    """
    real: dict[str, str] = {}

    def resolved(path: str) -> str:
        if path not in real:
            real[path] = os.path.realpath(path)
        return real[path]

    for target in targets:
        folders = target.files.copied_folders
        if not folders:
            continue
        parent, _, name = target.folder.rpartition("/")
        own = f"{resolved(parent)}/{name}"
        for folder in folders:
            if own == resolved(folder) or _is_below(own, resolved(folder)):
                raise ValueError(
                    f"{target.entity.name}: its folder {own} is inside the attached folder {folder}, which would be "
                    "copied into itself: attach what is needed of it, one by one"
                )
