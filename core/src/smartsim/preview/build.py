"""Makes the value of a preview from entities, without side effects: nothing is asked of a database or a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from smartsim.error.errors import SmartSimError, SSInternalError, SSUnsupportedError
from smartsim.preview.value import (
    BatchPreview,
    ClientPreview,
    ColocatedPreview,
    DatabasePreview,
    EnsemblePreview,
    FilesPreview,
    MLModelPreview,
    ModelPreview,
    PlanPreview,
    Preview,
    ScriptPreview,
)
from smartsim.values import DatabaseInfo, LaunchPlan

if TYPE_CHECKING:
    from smartsim.database.orchestrator import Orchestrator
    from smartsim.entity.dbnode import DBNode
    from smartsim.entity.dbobject import DBModel, DBScript
    from smartsim.entity.ensemble import Ensemble
    from smartsim.entity.files import EntityFiles
    from smartsim.entity.model import Model
    from smartsim.settings.base import BatchSettings

__all__ = ["COLOCATED_ENGINE", "PlanOf", "build_preview"]

Launchable: TypeAlias = Union["Model", "Ensemble", "Orchestrator", "DBNode"]
PlanOf: TypeAlias = Callable[[Launchable], LaunchPlan]
"""Tells the exact command of what is launched on its own: a Model or a DBNode without batch settings, or a Model, an
Ensemble or an Orchestrator with them."""

COLOCATED_ENGINE = "redis"
"""Name of the database engine that serves colocated databases."""


def build_preview(
    *,
    experiment: str,
    path: str,
    launcher: str,
    models: Iterable[Model] = (),
    ensembles: Iterable[Ensemble] = (),
    orchestrators: Iterable[Orchestrator] = (),
    active: Iterable[Orchestrator] = (),
    database_info: Callable[[str], DatabaseInfo],
    plan_of: PlanOf | None = None,
) -> Preview:
    """Return what is to be shown of the given entities.

    Args:
        experiment: name of the experiment.
        path: its folder.
        launcher: name of its launcher.
        models: Models to show.
        ensembles: Ensembles to show.
        orchestrators: databases to show; of one that is also in `active` only is said that it cannot be started again.
        active: databases of the experiment that run.
        database_info: tells the server that an engine would start; called at most once for each engine, and only when a
            database is shown.
        plan_of: tells the exact command of an entity; None leaves the commands out. Only the verbosity ``developer``
            shows them. An error of SmartSim's is shown in place of the command.
    """
    builder = _Builder(cache(database_info), plan_of)
    running = [builder.database(database) for database in active]
    taken = {database.identifier for database in running}
    shown = [
        DatabasePreview(identifier=database.db_identifier, started=True)
        if database.db_identifier in taken
        else builder.database(database, builder.database_plans(database))
        for database in orchestrators
    ]
    reachable = tuple(running + [database for database in shown if not database.started])
    return Preview(
        experiment=experiment,
        path=path,
        launcher=launcher,
        active=running,
        orchestrators=shown,
        models=[builder.model(model, reachable) for model in models],
        ensembles=[builder.ensemble(ensemble, reachable) for ensemble in ensembles],
    )


class _Builder:
    """What every part of one preview needs.

    Args:
        database_info: tells the server that an engine would start.
        plan_of: tells the exact command of an entity, or None.
    """

    def __init__(self, database_info: Callable[[str], DatabaseInfo], plan_of: PlanOf | None) -> None:
        self._database_info = database_info
        self._plan_of = plan_of

    # --- databases ---------------------------------------------------------------------------------------------------

    def database(self, database: Orchestrator, plans: Sequence[PlanPreview] = ()) -> DatabasePreview:
        spec = database.spec(0)
        info = self._info(spec.engine)
        settings = database.entities[0].run_settings
        return DatabasePreview(
            identifier=spec.identifier,
            path=spec.path,
            shards=spec.shards,
            ports=tuple(dict.fromkeys(spec.ports)),
            interfaces=spec.interfaces,
            type=info.type,
            executable=info.executable,
            run_command=settings.run_command,
            run_args=settings.run_args,
            batch=_batch(database.batch_settings),
            plans=plans,
        )

    def database_plans(self, database: Orchestrator) -> list[PlanPreview]:
        launched: Sequence[Launchable] = [database] if database.batch_settings else database.entities
        return [plan for entity in launched for plan in self._plans(entity)]

    def _info(self, engine: str) -> DatabaseInfo:
        try:
            return self._database_info(engine)
        except _KNOWN_ERRORS as error:
            return DatabaseInfo(type=engine, executable=f"none: {error}")

    def _colocated(self, settings: Mapping[str, Any]) -> ColocatedPreview:
        socket = settings.get("unix_socket") or ""
        interfaces = settings.get("ifname") or ()
        return ColocatedPreview(
            identifier=settings.get("db_identifier") or "",
            type=self._info(COLOCATED_ENGINE).type,
            connection="UDS" if socket else "TCP",
            ports=() if socket else (int(settings["port"]),),
            unix_socket=socket,
            interfaces=[interfaces] if isinstance(interfaces, str) else interfaces,
            cpus=settings["cpus"],
            pinning=settings.get("custom_pinning"),
        )

    # --- models ------------------------------------------------------------------------------------------------------

    def model(self, model: Model, databases: Sequence[DatabasePreview]) -> ModelPreview:
        return self._model(model, databases, self._plans(model))

    def ensemble(self, ensemble: Ensemble, databases: Sequence[DatabasePreview]) -> EnsemblePreview:
        in_batch = bool(ensemble.batch_settings)
        return EnsemblePreview(
            name=ensemble.name,
            path=ensemble.path,
            params={name: _texts(values) for name, values in ensemble.params.items()},
            replicas=ensemble.replicas,
            strategy=_strategy(ensemble),
            batch=_batch(ensemble.batch_settings),
            members=[
                self._model(member, databases, () if in_batch else self._plans(member)) for member in ensemble.entities
            ],
            plans=self._plans(ensemble) if in_batch else (),
        )

    def _model(self, model: Model, databases: Sequence[DatabasePreview], plans: Sequence[PlanPreview]) -> ModelPreview:
        settings = model.run_settings
        prefixed = model.query_key_prefixing()
        colocated = self._colocated(settings.colocated_db_settings) if settings.colocated_db_settings else None
        client = None
        if databases or colocated is not None:
            client = ClientPreview(
                databases=databases,
                colocated=colocated,
                incoming=[entity.name for entity in model.incoming_entities],
                key_prefixing=prefixed,
            )
        return ModelPreview(
            name=model.name,
            path=model.path,
            executable=" ".join(settings.exe),
            arguments=settings.exe_args,
            run_command=settings.run_command,
            run_args=settings.run_args,
            batch=_batch(model.batch_settings),
            params=model.params,
            files=_files(model.files),
            colocated=colocated,
            scripts=[_script(script) for script in model.db_scripts],
            ml_models=[_ml_model(ml_model) for ml_model in model.db_models],
            key_prefix=model.name if prefixed else None,
            client=client,
            plans=plans,
        )

    def _plans(self, entity: Launchable) -> tuple[PlanPreview, ...]:
        if self._plan_of is None:
            return ()
        try:
            return (PlanPreview(name=entity.name, plan=self._plan_of(entity)),)
        except _KNOWN_ERRORS as error:
            return (PlanPreview(name=entity.name, problem=str(error)),)


_KNOWN_ERRORS = (SmartSimError, SSInternalError, SSUnsupportedError)


def _batch(settings: BatchSettings | None) -> BatchPreview | None:
    if not settings:
        return None
    return BatchPreview(command=settings.batch_cmd, args=settings.batch_args)


def _files(files: EntityFiles | None) -> FilesPreview:
    if files is None:
        return FilesPreview()
    return FilesPreview(tagged=files.tagged, copied=files.copy, linked=files.link)


def _script(script: DBScript) -> ScriptPreview:
    return ScriptPreview(
        name=script.name,
        path=str(script.file or ""),
        device=script.device,
        devices_per_node=script.devices_per_node,
    )


def _ml_model(ml_model: DBModel) -> MLModelPreview:
    return MLModelPreview(
        name=ml_model.name,
        path=str(ml_model.file or ""),
        backend=ml_model.backend,
        device=ml_model.device,
        devices_per_node=ml_model.devices_per_node,
        first_device=ml_model.first_device,
        inputs=ml_model.inputs,
        outputs=ml_model.outputs,
    )


def _texts(values: object) -> tuple[str, ...]:
    """Return the values that a parameter takes, of which one alone may stand without a list."""
    return tuple(map(str, values)) if isinstance(values, (list, tuple)) else (str(values),)


def _strategy(ensemble: Ensemble) -> str:
    """Name of the permutation strategy; without parameters there is nothing to permute."""
    strategy = ensemble.perm_strat if ensemble.params else ""
    return strategy if isinstance(strategy, str) else getattr(strategy, "__name__", repr(strategy))
