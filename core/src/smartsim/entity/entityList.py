"""Several entities under one name: what an Ensemble and an Orchestrator have in common."""  # noqa: N999 - published

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smartsim.entity import checks
from smartsim.entity.entity import Located, SmartSimEntity

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from smartsim.entity.dbobject import DBModel, DBScript
    from smartsim.settings.base import BatchSettings

__all__ = ["EntityList", "EntitySequence"]

_EntityT = TypeVar("_EntityT", bound=SmartSimEntity)


class EntitySequence(Located, Generic[_EntityT]):
    """A named list of entities, which a subclass makes in `_initialize_entities`.

    Args:
        name: name, unique in its experiment.
        path: folder of the list, made absolute; None is the working directory.
        **kwargs: passed to `_initialize_entities`.

    Attributes:
        name: as above.
        path: as above.
        entities: the entities.
        batch_settings: how to run them as one batch job, or None.

    Raises:
        AttributeError: `name` is None.
        TypeError: `name` or `path` is not a str.
        ValueError: `name` cannot name a folder.
    """

    batch_settings: BatchSettings | None = None

    def __init__(self, name: str, path: str | os.PathLike[str] | None, **kwargs: Any) -> None:
        self.name = checks.entity_name(name, type(self).__name__)
        self.entities: list[_EntityT] = []
        super().__init__(path)
        self._db_models: list[DBModel] = []
        self._db_scripts: list[DBScript] = []
        self._initialize_entities(**kwargs)

    def _initialize_entities(self, **kwargs: Any) -> None:
        """Fill `entities` from the constructor's further arguments."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its entities are made")

    @property
    def db_models(self) -> Iterator[DBModel]:
        """The machine-learning models of the list, one after the other."""
        return (model for model in self._db_models)

    @property
    def db_scripts(self) -> Iterator[DBScript]:
        """The scripts of the list, one after the other."""
        return (script for script in self._db_scripts)

    @property
    def batch(self) -> bool:
        """Whether the entities run together in one batch job."""
        return bool(self.batch_settings)

    @property
    def type(self) -> str:
        """Name of the class, which tables show as the type."""
        return type(self).__name__

    def set_path(self, new_path: str) -> None:
        """Choose one folder for the list and for every entity in it.

        `Experiment.generate` gives each member of an Ensemble a folder of its own below that folder.

        Args:
            new_path: the folder, made absolute.

        Raises:
            TypeError: `new_path` is not a str.
        """
        if not isinstance(new_path, str):
            raise TypeError(f"new_path must be a str, not {type(new_path).__name__}: {new_path!r}")
        path = checks.absolute_path(new_path)
        for entity in self.entities:
            entity.place(path)
        self.path = path
        self._placed = None

    def place(self, path: str) -> None:
        """Set the folder that SmartSim picks for the list and for every entity in it."""
        super().place(path)
        for entity in self.entities:
            entity.place(path)

    def __getitem__(self, name: str) -> _EntityT | None:
        return next((entity for entity in self.entities if entity.name == name), None)

    def __iter__(self) -> Iterator[_EntityT]:
        return iter(self.entities)

    def __len__(self) -> int:
        return len(self.entities)


class EntityList(EntitySequence[_EntityT]):
    """The base class of lists that are launched as one thing."""
