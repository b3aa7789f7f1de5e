"""The entities of one call of `start`, `stop`, `generate`, `get_status` or `preview`, checked and sorted by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from smartsim.database.orchestrator import Orchestrator
from smartsim.entity import Ensemble, Model
from smartsim.entity.checks import entity_name
from smartsim.error import SmartSimError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Manifest"]


@frozen(kw_only=True)
class Manifest:
    """Entities by kind, each kind in the order of the call.

    Attributes:
        models: the Models that belong to no ensemble.
        ensembles: the Ensembles.
        dbs: the databases.
    """

    models: tuple[Model, ...] = ()
    ensembles: tuple[Ensemble, ...] = ()
    dbs: tuple[Orchestrator, ...] = ()

    @classmethod
    def of(cls, args: Iterable[Any]) -> Manifest:
        """Check and sort the arguments of a call.

        Args:
            args: the arguments.

        Raises:
            TypeError: an argument is not a Model, an Ensemble or an Orchestrator.
            AttributeError: an entity has no name.
            SmartSimError: two entities have the same name.
            ValueError: an Ensemble or Orchestrator is empty, or the name of an entity was changed to one that cannot
                name a folder.
        """
        entities = list(args)
        _check_types(entities)
        _check_names(entities)
        for entity in entities:
            if isinstance(entity, (Ensemble, Orchestrator)) and len(entity) == 0:
                raise ValueError(f"{entity.name} is empty. Nothing to launch: add Models to it first")
        return cls(
            models=tuple(entity for entity in entities if isinstance(entity, Model)),
            ensembles=tuple(entity for entity in entities if isinstance(entity, Ensemble)),
            dbs=tuple(entity for entity in entities if isinstance(entity, Orchestrator)),
        )


def _check_types(entities: list[Any]) -> None:
    for entity in entities:
        if not isinstance(entity, (Model, Ensemble, Orchestrator)):
            raise TypeError(
                f"expected Models, Ensembles and Orchestrators, got {entity!r} ({type(entity).__name__}); "
                "several entities are given one by one: exp.start(*entities)"
            )


def _check_names(entities: list[Any]) -> None:
    seen = set()
    for entity in entities:
        if not entity.name:
            raise AttributeError(f"an entity of type {type(entity).__name__} has no name: set its name")
        entity_name(entity.name, type(entity).__name__)
        if entity.name in seen:
            raise SmartSimError(f"two of the entities are called {entity.name!r}: pass each once, with its own name")
        seen.add(entity.name)
