"""The file from which another driver finds a running database again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from smartsim.error.errors import SmartSimError
from smartsim.values import Deployment, JobHandle, OrchestratorSpec, freeze, from_json, to_json

if TYPE_CHECKING:
    from smartsim.database.orchestrator import Orchestrator

__all__ = ["FORMAT", "VERSION", "Checkpoint", "read_checkpoint", "write_checkpoint"]

FORMAT = "smartsim database"
"""What the member ``format`` of a checkpoint file says."""

VERSION = 1
"""Version of the format; raised when an older SmartSim could not read the file any more."""

_PICKLE_MARK = b"\x80"


@frozen(kw_only=True)
class Checkpoint:
    """What is needed to find a running database again.

    Attributes:
        spec: the database as it was started.
        deployment: where its shards listen.
        launcher: name of the launcher that runs it.
        run_command: run command of its shards, the empty string for none.
        batch: whether it runs in a batch job of its own.
        experiment_path: folder of the experiment that started it.
        handles: its jobs, each under its id in the experiment's journal.
    """

    spec: OrchestratorSpec
    deployment: Deployment
    launcher: str
    run_command: str = ""
    batch: bool = False
    experiment_path: str
    handles: Mapping[str, JobHandle] = field(converter=freeze, factory=dict)

    @classmethod
    def of(
        cls,
        orchestrator: Orchestrator,
        *,
        spec: OrchestratorSpec,
        deployment: Deployment,
        experiment_path: str,
        handles: Mapping[str, JobHandle],
    ) -> Checkpoint:
        """Describe a database that has just been started.

        Args:
            orchestrator: the user's object.
            spec: what was started.
            deployment: where it listens.
            experiment_path: folder of the experiment.
            handles: its jobs, each under its id in the journal.
        """
        return cls(
            spec=spec,
            deployment=deployment,
            launcher=orchestrator.launcher,
            run_command=orchestrator.run_command,
            batch=orchestrator.batch,
            experiment_path=str(experiment_path),
            handles=handles,
        )


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to the file `path`; whoever reads it meanwhile sees the old one or the new one, never a part.

    Raises:
        SmartSimError: the file cannot be written.
    """
    path = Path(path)
    content = {"format": FORMAT, "version": VERSION, "checkpoint": json.loads(to_json(checkpoint))}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SmartSimError(f"The checkpoint {path} could not be written: {error}") from error


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Return what the file `path` holds.

    Raises:
        FileNotFoundError: there is no such file.
        SmartSimError: the file cannot be read, or is no checkpoint of this version.
        TypeError: `path` is no path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"checkpoint={path!r}: give the path of a file smartsim_db.dat")
    file = Path(path)
    if not os.path.exists(file):  # noqa: PTH110 - a name that is too long is no file, `Path` would raise
        raise FileNotFoundError(f"There is no checkpoint {file}: give the path of a file smartsim_db.dat")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SmartSimError(f"The checkpoint {file} cannot be read: {error}") from error
    if data.startswith(_PICKLE_MARK):
        raise SmartSimError(
            f"The checkpoint {file} was written by SmartSim 0.8, whose checkpoints are pickles of its own classes: "
            "they cannot be read. Stop that database with the SmartSim that started it, and start it with this one."
        )
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        if content["version"] != VERSION:
            raise ValueError(f"it has version {content['version']!r} and this SmartSim reads version {VERSION}")
        return from_json(Checkpoint, json.dumps(content["checkpoint"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SmartSimError(f"The file {file} is not a checkpoint of a SmartSim database: {error}") from error
