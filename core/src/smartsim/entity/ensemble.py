"""An Ensemble: Models that are described and launched together."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

from smartsim.entity import checks, strategies
from smartsim.entity.dbobject import DBModel, DBObject, DBScript
from smartsim.entity.entity import Located
from smartsim.entity.entityList import EntityList
from smartsim.entity.files import EntityFiles
from smartsim.entity.model import Model
from smartsim.error import EntityExistsError, SmartSimError, SSUnsupportedError
from smartsim.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from smartsim.entity.entity import SmartSimEntity
    from smartsim.settings.base import BatchSettings, RunSettings

__all__ = ["Ensemble"]

logger = get_logger(__name__)


class Ensemble(EntityList[Model]):
    """Several Models with a common purpose: one for each set of parameters, or replicas of one.

    The members are called ``<name>_0``, ``<name>_1``, ..., have a copy of the run settings each, and put their names
    before the keys that they write into a database.

    Args:
        name: name, unique in its experiment.
        params: for each parameter its value or the list of its values.
        path: folder of the members' folders; None is the working directory, until `Experiment.generate` makes one.
        params_as_args: names of the parameters that become arguments of the program.
        batch_settings: how to run all members in one batch job.
        run_settings: how to run each member.
        perm_strat: ``all_perm`` (every combination), ``step`` (first values together, second values together, ...),
            ``random`` (`n_models` combinations), or a function like those of `smartsim.entity.strategies`.
        **kwargs: ``replicas`` (number of members when there are no parameters) and ``n_models``.

    Attributes:
        name: as above.
        path: as above, absolute.
        params: as above.
        params_as_args: as above.
        batch_settings: as above.
        run_settings: as above.
        perm_strat: as above.
        replicas: as above, or None.
        entities: the members.

    Raises:
        AttributeError: `name` is None.
        TypeError: an argument has the wrong type.
        ValueError: `name` cannot name a folder, or a number is negative.
        SmartSimError: the arguments do not say how to make or run the members.
        SSUnsupportedError: the strategy is not known.
        UserStrategyError: the strategy returned no list of dictionaries.
    """

    def __init__(
        self,
        name: str,
        params: Mapping[str, Any],
        path: str | os.PathLike[str] | None = None,
        params_as_args: list[str] | None = None,
        batch_settings: BatchSettings | None = None,
        run_settings: RunSettings | None = None,
        perm_strat: str | strategies.Strategy = "all_perm",
        **kwargs: Any,
    ) -> None:
        checks.settings_types(name, run_settings, batch_settings)
        self.params = _checked_params(params, name)
        self.params_as_args = checks.names("params_as_args", params_as_args, name)
        self.batch_settings = batch_settings
        self.run_settings = run_settings
        self.perm_strat = perm_strat
        self.replicas: int | None = _count("replicas", kwargs.pop("replicas", None))
        super().__init__(name, path, n_models=_count("n_models", kwargs.pop("n_models", None)) or 0)
        if kwargs:
            logger.warning("Ensemble %s: these arguments are not known and ignored: %s", name, ", ".join(kwargs))

    def _initialize_entities(self, **kwargs: Any) -> None:
        strategy = strategies.resolve(self.perm_strat)
        if self.params:
            if not self.run_settings:
                raise SmartSimError(
                    f"Ensemble {self.name!r} has parameters but no run_settings to run its members with"
                )
            names = list(self.params)
            values = [_texts(self.params[name]) for name in names]
            self._add_members(strategy(names, values, kwargs["n_models"]))
        elif self.run_settings:
            if not self.replicas:
                raise SmartSimError(f"Ensemble {self.name!r} has run_settings: give it params or replicas, too")
            self._add_members([{}] * self.replicas)
        elif self.batch_settings:
            logger.info("Ensemble %s is empty: add Models to it with add_model", self.name)
        else:
            raise SmartSimError(
                f"Ensemble {self.name!r} needs run_settings with params or replicas, "
                "or batch_settings and Models that are added later"
            )

    def _add_members(self, member_params: list[dict[str, str]]) -> None:
        for index, params in enumerate(member_params):
            name = f"{self.name}_{index}"
            member = Model(name, params, copy.deepcopy(self.run_settings), None, self.params_as_args)  # type: ignore[arg-type]  # never None here
            member.place(os.path.join(self.path, name))  # noqa: PTH118 - paths of entities are texts
            member.enable_key_prefixing()
            member.params_to_args()
            self.entities.append(member)

    def place(self, path: str) -> None:
        """Set the folder that SmartSim picks, and those of the members below it that the user did not choose."""
        Located.place(self, path)
        for member in self.entities:
            if not member.path_is_chosen:
                member.place(f"{path}/{member.name}")

    @property
    def models(self) -> list[Model]:
        """The members, in a new list."""
        return list(self.entities)

    def add_model(self, model: Model) -> None:
        """Add a Model to the ensemble; its path and key prefixing stay as they are.

        Args:
            model: the Model.

        Raises:
            TypeError: it is no Model.
            EntityExistsError: a member of that name exists.
            SSUnsupportedError: an ML model or script of the ensemble cannot be given to it.
        """
        if not isinstance(model, Model):
            raise TypeError(f"add_model takes a Model, not {type(model).__name__}: {model!r}")
        if self[model.name] is not None:
            raise EntityExistsError(f"Ensemble {self.name!r} has a member called {model.name!r} already")
        objects: list[DBObject[Any]] = [*self._db_models, *self._db_scripts]
        for db_object in objects:
            _check_addable(db_object, model)
        for db_model in self._db_models:
            model.add_ml_model_object(db_model)
        for db_script in self._db_scripts:
            model.add_script_object(db_script)
        self.entities.append(model)

    # --- to every member ---------------------------------------------------------------------------------------------

    def register_incoming_entity(self, incoming_entity: SmartSimEntity) -> None:
        """Declare that every member reads data of another entity, which has key prefixing enabled.

        Args:
            incoming_entity: the entity that writes the data.

        Raises:
            EntityExistsError: an entity of that name is registered with a member already.
        """
        for model in self.entities:
            model.check_incoming_entity(incoming_entity)
        for model in self.entities:
            model.register_incoming_entity(incoming_entity)

    def enable_key_prefixing(self) -> None:
        """Put the name of each member before the keys that it writes into a database."""
        for model in self.entities:
            model.enable_key_prefixing()

    def query_key_prefixing(self) -> bool:
        """Return whether every member puts its name before the keys that it writes."""
        return all(model.query_key_prefixing() for model in self.entities)

    def attach_generator_files(
        self,
        to_copy: list[str] | None = None,
        to_symlink: list[str] | None = None,
        to_configure: list[str] | None = None,
    ) -> None:
        """Say which files `Experiment.generate` writes into the folder of every member; see the method of `Model`.

        Args:
            to_copy: files, and folders whose contents, are copied.
            to_symlink: files and folders that a symbolic link is made to.
            to_configure: files, and folders whose contents, are copied with their parameter tags replaced.

        Raises:
            TypeError: an argument is neither a path nor a list of paths.
            FileNotFoundError: something is missing.
            ValueError: a file is called ``smartsim_params.txt``, or a folder to configure has a symbolic link to a
                folder in it.
        """
        files = EntityFiles(to_configure, to_copy, to_symlink)
        for model in self.entities:
            model.files = files.duplicate()

    @property
    def attached_files_table(self) -> str:
        """The attached files of every member as a table, or a sentence when there is no member."""
        if not self.entities:
            return "The ensemble is empty, no files to show."
        from tabulate import tabulate

        rows = [[model.name, model.attached_files_table] for model in self.entities]
        return tabulate(rows, headers=["Model name", "Files"], tablefmt="grid")

    def print_attached_files(self) -> None:
        """Print the attached files of every member as a table."""
        print(self.attached_files_table)  # noqa: T201 - that is what it is for

    # --- objects for the database ------------------------------------------------------------------------------------

    def add_ml_model(
        self,
        name: str,
        backend: str,
        model: bytes | None = None,
        model_path: str | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: int = 0,
        tag: str = "",
        inputs: list[str] | None = None,
        outputs: list[str] | None = None,
    ) -> None:
        """Put a machine-learning model into the databases before the members start.

        Args:
            name: key in the database.
            backend: ``TF``, ``TORCH`` or ``ONNX``.
            model: the serialised model.
            model_path: file with the serialised model.
            device: ``CPU``, ``GPU`` or ``GPU:<n>``.
            devices_per_node: number of devices of each node that get the model.
            first_device: number of the first of these devices.
            batch_size: requests that are run together at most; 0 for no batching.
            min_batch_size: requests that are waited for.
            min_batch_timeout: longest such wait in milliseconds.
            tag: a remark that is stored with the model.
            inputs: names of the inputs (TF only).
            outputs: names of the outputs (TF only).

        Raises:
            ValueError: neither model nor file was given, or the backend or device is not known.
            FileNotFoundError: there is no such file.
            SSUnsupportedError: the ensemble or a member has a model of that name, the devices do not fit each other,
                or a member has a colocated database and the model is not in a file.
        """
        db_model = DBModel(
            name,
            backend,
            model,
            model_path,
            device,
            devices_per_node,
            first_device,
            batch_size,
            min_batch_size,
            min_batch_timeout,
            tag,
            inputs,
            outputs,
        )
        self._check_new(db_model, self._db_models)
        self._db_models.append(db_model)
        for member in self.entities:
            member.add_ml_model_object(db_model)

    def add_script(
        self,
        name: str,
        script: str | None = None,
        script_path: str | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
    ) -> None:
        """Put a TorchScript program into the databases before the members start.

        Args:
            name: key in the database.
            script: the program's text.
            script_path: file with the program's text.
            device: ``CPU``, ``GPU`` or ``GPU:<n>``.
            devices_per_node: number of devices of each node that get the script.
            first_device: number of the first of these devices.

        Raises:
            ValueError: neither text nor file was given, or the device is not known.
            FileNotFoundError: there is no such file.
            SSUnsupportedError: the ensemble or a member has a script of that name, the devices do not fit each other,
                or a member has a colocated database and the program is a function.
        """
        self._add_script(DBScript(name, script, script_path, device, devices_per_node, first_device))

    def add_function(
        self,
        name: str,
        function: str | Callable[..., Any] | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
    ) -> None:
        """Put a TorchScript function into the databases before the members start.

        Args:
            name: key in the database.
            function: the function, or its text.
            device: ``CPU``, ``GPU`` or ``GPU:<n>``.
            devices_per_node: number of devices of each node that get the function.
            first_device: number of the first of these devices.

        Raises:
            ValueError: no function was given, or the device is not known.
            SSUnsupportedError: the ensemble or a member has a script of that name, the devices do not fit each other,
                or a member has a colocated database and the function is not given as text.
        """
        self._add_script(DBScript(name, function, None, device, devices_per_node, first_device))

    def _add_script(self, db_script: DBScript) -> None:
        self._check_new(db_script, self._db_scripts)
        self._db_scripts.append(db_script)
        for member in self.entities:
            member.add_script_object(db_script)

    def _check_new(self, db_object: DBObject[Any], present: list[DBModel] | list[DBScript]) -> None:
        if any(other.name == db_object.name for other in present):
            raise SSUnsupportedError(f"Ensemble {self.name!r} has {_kind(db_object)} called {db_object.name!r} already")
        for member in self.entities:
            _check_addable(db_object, member)


def _kind(db_object: DBObject[Any]) -> str:
    return "an ML model" if isinstance(db_object, DBModel) else "a script"


def _check_addable(db_object: DBObject[Any], model: Model) -> None:
    """Raise SSUnsupportedError when `model` has an object of that kind and name, or cannot get it at all."""
    present = model.db_models if isinstance(db_object, DBModel) else model.db_scripts
    if any(other.name == db_object.name for other in present):
        raise SSUnsupportedError(f"Model {model.name!r} has {_kind(db_object)} called {db_object.name!r} already")
    model.check_db_object(db_object)


def _checked_params(params: Mapping[str, Any], owner: str) -> dict[str, Any]:
    checked = dict(checks.mapping("params", params, owner))
    for name, value in checked.items():
        if not isinstance(value, (list, int, str)):
            raise TypeError(
                f"{owner!r}: parameter {name!r} must be an int, a str or a list of values, "
                f"not {type(value).__name__}: {value!r}; wrap it in a list"
            )
    return copy.deepcopy(checked)


def _texts(value: list[Any] | int | str) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _count(argument: str, value: Any) -> int | None:
    return None if value is None else checks.whole_number(argument, value, 0)
