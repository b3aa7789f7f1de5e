"""Turns the entities of one start into the journal's record of that run: JSON values, with no further effect."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smartsim.database.orchestrator import Orchestrator
    from smartsim.entity import DBModel, DBScript, Ensemble, Model
    from smartsim.settings.base import BatchSettings, RunSettings

__all__ = ["describe_run"]


def describe_run(
    run_id: str,
    models: Iterable[Model],
    ensembles: Iterable[Ensemble],
    databases: Iterable[Orchestrator],
    *,
    database_types: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the fields of the journal's ``run`` record: what was started, as the manifest shows it.

    Args:
        run_id: names the call of ``Experiment.start``.
        models: the models that were given to it.
        ensembles: the ensembles.
        databases: the orchestrators.
        database_types: the family of each database's server by identifier (``redis`` or ``keydb``); without it the name
            of the database plugin stands in.
    """
    types = database_types or {}
    return {
        "run_id": run_id,
        "models": [_model(model) for model in models],
        "ensembles": [_ensemble(ensemble) for ensemble in ensembles],
        "databases": [_database(database, types) for database in databases],
    }


def _model(model: Model) -> dict[str, Any]:
    settings = model.run_settings
    files = model.files
    return {
        "name": model.name,
        "path": model.path,
        "exe_args": _plain(settings.exe_args),
        "run_settings": _run_settings(settings),
        "batch_settings": _batch_settings(model.batch_settings),
        "params": _plain(model.params),
        "files": {
            "Symlink": _plain(files.link) if files else [],
            "Configure": _plain(files.tagged) if files else [],
            "Copy": _plain(files.copy) if files else [],
        },
        "colocated_db": _colocated(settings),
    }


def _ensemble(ensemble: Ensemble) -> dict[str, Any]:
    return {
        "name": ensemble.name,
        "params": _plain(ensemble.params),
        "batch_settings": _batch_settings(ensemble.batch_settings),
        "models": [_model(model) for model in ensemble.models],
    }


def _database(database: Orchestrator, types: Mapping[str, str]) -> dict[str, Any]:
    spec = database.spec(0)
    names = [f"{spec.identifier}_{index}" for index in range(spec.shards)]
    return {
        "name": spec.identifier,
        "type": types.get(spec.identifier, spec.engine),
        "path": spec.path,
        "interface": list(spec.interfaces),
        "cluster": spec.clustered,
        "telemetry": bool(database.telemetry.is_enabled),
        "shards": [{"name": name, "port": port} for name, port in zip(names, spec.ports, strict=True)],
    }


def _run_settings(settings: RunSettings) -> dict[str, Any]:
    return {
        "exe": _plain(settings.exe),
        "run_command": settings.run_command,
        "run_args": _plain(settings.run_args),
    }


def _batch_settings(settings: BatchSettings | None) -> dict[str, Any]:
    if not settings:
        return {}
    return {"batch_command": settings.batch_cmd, "batch_args": _plain(settings.batch_args)}


def _colocated(settings: RunSettings) -> dict[str, Any]:
    colocated = settings.colocated_db_settings
    if not colocated:
        return {}
    given = dict(colocated)
    scripts: Iterable[DBScript] = given.pop("db_scripts", ())
    models: Iterable[DBModel] = given.pop("db_models", ())
    return {
        "settings": _plain(given),
        "scripts": [{script.name: {"backend": "TORCH", "device": script.device}} for script in scripts],
        "models": [{model.name: {"backend": model.backend, "device": model.device}} for model in models],
    }


def _plain(value: Any) -> Any:
    """Return `value` as JSON values; what JSON does not know becomes text."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    return str(value)
