"""Makes the folders of entities and fills them with their attached files: all of them, or none."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from smartsim.entity.files import PARAMETER_RECORD
from smartsim.entity.model import Model
from smartsim.generation import record
from smartsim.generation.fileset import FileSets, write_new
from smartsim.generation.folders import check_place, check_sources_apart, replaced_folders, targets_of
from smartsim.generation.tags import checked_tag
from smartsim.generation.undo import Changes
from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from smartsim.generation.folders import Entities, Target

__all__ = ["generate"]

logger = get_logger(__name__)


def generate(
    exp_path: str,
    entities: Entities,
    *,
    tag: str | None = None,
    overwrite: bool = False,
    verbose: bool = False,
    running: Collection[str] = (),
) -> None:
    """Make the folders of entities and fill them with their attached files.

    An entity's folder is the one that the user chose for it, else ``<exp_path>/<name>``, and
    ``<exp_path>/<ensemble>/<name>`` for a member of an ensemble. Everything is checked before anything is written;
    should writing fail nevertheless, the folders are as they were before. The entities know their folders afterwards.

    Args:
        exp_path: folder of the experiment; made when it is missing.
        entities: whose folders to make.
        tag: what encloses the name of a parameter in a file, ``;`` by default; taken literally.
        overwrite: whether the present content of the folders is replaced. Otherwise nothing is deleted.
        verbose: whether to log at the level INFO what is done, rather than at DEBUG.
        running: names of the entities that run, whose folders are not replaced.

    Raises:
        FileExistsError: the folder of a Model exists and `overwrite` is False, something that is no folder is in the
            way, or two attached files need the same place.
        FileNotFoundError: an attached file is missing.
        NotADirectoryError: a folder would have to be made in a file.
        ParameterWriterError: a file with tags is not UTF-8 text, or cannot be read.
        PermissionError: a folder cannot be made, or an attached file cannot be read.
        SmartSimError: the folder of a running entity would be replaced.
        TypeError: `tag` is not a str.
        ValueError: two entities have the same folder, something would be deleted that is no entity's output, an
            attached folder leads back to itself, or `tag` has a line break.
    """
    sets = FileSets(checked_tag(tag))
    exp_path = os.path.abspath(exp_path)  # noqa: PTH100 - removes `..`
    _check_experiment_folder(exp_path)
    targets = [
        evolve(target, files=sets.of(target.entity.files)) if isinstance(target.entity, Model) else target
        for target in targets_of(exp_path, entities, running)
    ]
    replaced = replaced_folders(exp_path, targets, overwrite, running)
    check_sources_apart(targets)
    for target in targets:
        _check_templates(target, sets)

    with Changes() as changes:
        changes.make_folder(exp_path)
        for folder in replaced:
            changes.set_aside(folder)
        for target in targets:
            changes.make_folder(target.folder)
        entries = [_fill(target, sets, exp_path) for target in targets]
        text = record.heading() + "".join(entries)
        changes.replace_file(f"{exp_path}/{PARAMETER_RECORD}", text.encode("utf-8", "surrogateescape"))
        changes.keep()
    _tell(targets, logging.INFO if verbose else logging.DEBUG)


def _check_experiment_folder(exp_path: str) -> None:
    if os.path.lexists(exp_path) and not Path(exp_path).is_dir():
        raise FileExistsError(
            f"{exp_path} is no folder, but the experiment's folder would have to be there: move it away, or choose "
            "another exp_path"
        )
    check_place(exp_path)


def _check_templates(target: Target, sets: FileSets) -> None:
    if not isinstance(target.entity, Model) or not target.files.tagged:
        return
    params = target.entity.params
    for _, source in target.files.tagged:
        sets.template(source, params)
    for name, value in params.items():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{target.entity.name}: parameter {name!r} has the value {value!r}, which cannot be written as UTF-8"
            ) from error


def _fill(target: Target, sets: FileSets, exp_path: str) -> str:
    """Write the files of one entity; return what is recorded of it."""
    files = target.files
    for folder in files.folders:
        Path(target.folder, folder).mkdir()
    for name, source in files.copies:
        source.write(f"{target.folder}/{name}")
    for name, origin in files.links:
        Path(target.folder, name).symlink_to(origin)
    if not files.tagged or not isinstance(target.entity, Model):
        return ""
    used = _configure(target, sets, target.entity.params, exp_path)
    if not used:
        return ""
    text = record.entry(target.entity.name, used)
    Path(target.folder, PARAMETER_RECORD).write_bytes(text.encode("utf-8", "surrogateescape"))
    return text


def _configure(target: Target, sets: FileSets, params: Mapping[str, str], exp_path: str) -> dict[str, dict[str, str]]:
    """Write the files with tags of one entity; return for each file the parameters that it has."""
    used = {}
    for name, source in target.files.tagged:
        template = sets.template(source, params)
        path = f"{target.folder}/{name}"
        write_new(path, template.render(params).encode("utf-8"))
        if template.names:
            used[path.removeprefix(f"{exp_path}/")] = {key: params[key] for key in template.names}
    return used


def _tell(targets: Collection[Target], level: int) -> None:
    """Let the entities know their folders, and the log."""
    for target in targets:
        if target.entity.path != target.folder:
            target.entity.place(target.folder)
        logger.log(level, "%s %s: folder %s", target.entity.type, target.entity.name, target.folder)
