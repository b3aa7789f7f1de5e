"""A Model: one program to run, with its parameters and files."""

from __future__ import annotations

import warnings
from numbers import Number
from typing import TYPE_CHECKING, Any

from smartsim.entity import checks, colocation
from smartsim.entity.dbobject import DBModel, DBObject, DBScript
from smartsim.entity.entity import SmartSimEntity
from smartsim.entity.files import EntityFiles
from smartsim.error import EntityExistsError, SSUnsupportedError
from smartsim.log import get_logger

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from smartsim.settings.base import BatchSettings, RunSettings

__all__ = ["Model"]

logger = get_logger(__name__)


class Model(SmartSimEntity):
    """A simulation or any other program, with parameters, attached files and objects for the database.

    Two Models are equal when their names are.

    Args:
        name: name, unique in its experiment.
        params: parameters; their values are turned into text.
        run_settings: how to run it; kept as it is, not copied.
        path: folder of its files; None is the working directory, until `Experiment.generate` makes a folder.
        params_as_args: names of the parameters that `params_to_args` turns into arguments of the program.
        batch_settings: how to run it as a batch job of its own.

    Attributes:
        name: as above.
        path: as above, absolute.
        params: as above, every value a str.
        run_settings: as above.
        params_as_args: as above.
        batch_settings: as above.
        incoming_entities: the entities whose data it reads.
        files: the attached files, or None.

    Raises:
        AttributeError: `name` is None.
        TypeError: an argument has the wrong type.
        ValueError: `name` cannot name a folder.
    """

    def __init__(
        self,
        name: str,
        params: Mapping[str, Any],
        run_settings: RunSettings,
        path: str | os.PathLike[str] | None = None,
        params_as_args: list[str] | None = None,
        batch_settings: BatchSettings | None = None,
    ) -> None:
        super().__init__(name, path, run_settings)
        checks.settings_types(self.name, run_settings, batch_settings)
        self.params = {
            key: _text(key, value, self.name) for key, value in checks.mapping("params", params, self.name).items()
        }
        self.params_as_args = checks.names("params_as_args", params_as_args, self.name)
        self.incoming_entities: list[SmartSimEntity] = []
        self.batch_settings = batch_settings
        self.files: EntityFiles | None = None
        self._key_prefixing_enabled = False
        self._db_models: list[DBModel] = []
        self._db_scripts: list[DBScript] = []

    # --- data --------------------------------------------------------------------------------------------------------

    @property
    def db_models(self) -> Iterator[DBModel]:
        """The machine-learning models that it needs in its databases, one after the other."""
        return (model for model in self._db_models)

    @property
    def db_scripts(self) -> Iterator[DBScript]:
        """The scripts that it needs in its databases, one after the other."""
        return (script for script in self._db_scripts)

    def register_incoming_entity(self, incoming_entity: SmartSimEntity) -> None:
        """Declare that the Model reads data of another entity, which has key prefixing enabled.

        Args:
            incoming_entity: the entity that writes the data.

        Raises:
            EntityExistsError: an entity of that name is registered already.
            TypeError: it is no entity.
        """
        self.check_incoming_entity(incoming_entity)
        self.incoming_entities.append(incoming_entity)

    def check_incoming_entity(self, incoming_entity: SmartSimEntity) -> None:
        """Raise EntityExistsError when an entity of that name is registered already, TypeError when it is no entity."""
        if not isinstance(getattr(incoming_entity, "name", None), str):
            raise TypeError(
                f"incoming_entity must be a Model or an Ensemble, not {type(incoming_entity).__name__}: "
                f"{incoming_entity!r}"
            )
        if any(entity.name == incoming_entity.name for entity in self.incoming_entities):
            raise EntityExistsError(
                f"{incoming_entity.name!r} is registered as an incoming entity of {self.name!r} already"
            )

    def enable_key_prefixing(self) -> None:
        """Put the Model's name before the keys that it writes into a database."""
        self._key_prefixing_enabled = True

    def disable_key_prefixing(self) -> None:
        """Write keys as they are."""
        self._key_prefixing_enabled = False

    def query_key_prefixing(self) -> bool:
        """Return whether the Model's name is put before the keys that it writes."""
        return self._key_prefixing_enabled

    # --- files and parameters ----------------------------------------------------------------------------------------

    def attach_generator_files(
        self,
        to_copy: list[str] | None = None,
        to_symlink: list[str] | None = None,
        to_configure: list[str] | None = None,
    ) -> None:
        """Say which files `Experiment.generate` writes into the Model's folder, in place of those named before.

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
        self.files = EntityFiles(to_configure, to_copy, to_symlink)

    @property
    def attached_files_table(self) -> str:
        """The attached files as a table, or a sentence when there are none."""
        return self.files.table() if self.files else "No file attached to this model."

    def print_attached_files(self) -> None:
        """Print the attached files as a table."""
        print(self.attached_files_table)  # noqa: T201 - that is what it is for

    def params_to_args(self) -> None:
        """Add the parameters named in `params_as_args` to the arguments of the program.

        ``--name`` becomes ``--name=value``, ``-name`` becomes ``-name value``, ``n`` becomes ``-n value`` and
        ``name`` becomes ``--name=value``. A value with spaces becomes several arguments.

        Raises:
            ValueError: there is no such parameter, or the Model has no run settings.
        """
        arguments = [_argument(name, self._parameter(name)) for name in self.params_as_args]
        if arguments and self.run_settings is None:
            raise ValueError(f"{self.name!r} has no run settings that arguments could be added to: set run_settings")
        for argument in arguments:
            self.run_settings.add_exe_args(argument)

    def _parameter(self, name: str) -> str:
        if name not in self.params:
            raise ValueError(
                f"params_as_args: {self.name!r} has no parameter {name!r}; it has: {', '.join(self.params) or 'none'}"
            )
        return self.params[name]

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
        """Put a machine-learning model into the databases before this Model starts.

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
            SSUnsupportedError: the devices do not fit each other, or the database is colocated and the model is not
                in a file.
        """
        self.add_ml_model_object(
            DBModel(
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
        )

    def add_script(
        self,
        name: str,
        script: str | None = None,
        script_path: str | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
    ) -> None:
        """Put a TorchScript program into the databases before this Model starts.

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
            SSUnsupportedError: the devices do not fit each other, or the database is colocated and the program is a
                function.
        """
        self.add_script_object(DBScript(name, script, script_path, device, devices_per_node, first_device))

    def add_function(
        self,
        name: str,
        function: str | Callable[..., Any] | None = None,
        device: str = "CPU",
        devices_per_node: int = 1,
        first_device: int = 0,
    ) -> None:
        """Put a TorchScript function into the databases before this Model starts.

        Args:
            name: key in the database.
            function: the function, or its text.
            device: ``CPU``, ``GPU`` or ``GPU:<n>``.
            devices_per_node: number of devices of each node that get the function.
            first_device: number of the first of these devices.

        Raises:
            ValueError: no function was given, or the device is not known.
            SSUnsupportedError: the devices do not fit each other, or the database is colocated and the function is
                not given as text.
        """
        self.add_script_object(DBScript(name, function, None, device, devices_per_node, first_device))

    def add_ml_model_object(self, db_model: DBModel) -> None:
        """Put a ready `DBModel` into the databases before this Model starts.

        Raises:
            SSUnsupportedError: the database is colocated and the model is not in a file.
        """
        self.check_db_object(db_model)
        self._db_models.append(db_model)

    def add_script_object(self, db_script: DBScript) -> None:
        """Put a ready `DBScript` into the databases before this Model starts.

        Raises:
            SSUnsupportedError: the database is colocated and the script is a function.
        """
        self.check_db_object(db_script)
        self._db_scripts.append(db_script)

    def check_db_object(self, db_object: DBObject[Any]) -> None:
        """Check that the databases of this Model can get `db_object`.

        Raises:
            SSUnsupportedError: the database is colocated and the object lives in this process only.
        """
        if self.colocated:
            _check_transferable(db_object, self.name)

    # --- colocated database ------------------------------------------------------------------------------------------

    @property
    def colocated(self) -> bool:
        """Whether a database runs beside the Model on each of its nodes."""
        return bool(getattr(self.run_settings, "colocated_db_settings", None))

    def colocate_db(self, *args: Any, **kwargs: Any) -> None:
        """The earlier name of `colocate_db_tcp`.

        Warns:
            FutureWarning: always.
        """
        warnings.warn("colocate_db is now called colocate_db_tcp", FutureWarning, stacklevel=2)
        self.colocate_db_tcp(*args, **kwargs)

    def colocate_db_tcp(
        self,
        port: int = 6379,
        ifname: str | list[str] = "lo",
        db_cpus: int = 1,
        custom_pinning: colocation.Pinning | None = None,
        debug: bool = False,
        db_identifier: str = "",
        **kwargs: Any,
    ) -> None:
        """Run a database on each node of the Model, reached over TCP.

        Args:
            port: TCP port of the database.
            ifname: network interface, or several.
            db_cpus: number of CPUs of the database.
            custom_pinning: numbers (or ranges) of the CPUs to pin the database to; None stands for the first
                `db_cpus` ones, empty for no pinning.
            debug: write more about the database into the Model's output.
            db_identifier: identifier that clients use when there are several databases.
            **kwargs: ``threads_per_queue``, ``inter_op_threads`` (also ``inter_op_parallelism``),
                ``intra_op_threads`` (also ``intra_op_parallelism``), and options of the database server.

        Raises:
            SSUnsupportedError: the run settings start several programs, a model or script of this Model lives in this
                process only, or ``limit_app_cpus`` was given.
            TypeError: a value has the wrong type.
            ValueError: a number is out of range.
        """
        checks.whole_number("port", port, 1, 65535)
        colocation.check_interfaces(ifname)
        self._colocate({"port": port, "ifname": ifname}, db_cpus, custom_pinning, debug, db_identifier, kwargs)

    def colocate_db_uds(
        self,
        unix_socket: str = "/tmp/redis.socket",  # noqa: S108 - the published default
        socket_permissions: int = 755,
        db_cpus: int = 1,
        custom_pinning: colocation.Pinning | None = None,
        debug: bool = False,
        db_identifier: str = "",
        **kwargs: Any,
    ) -> None:
        """Run a database on each node of the Model, reached through a unix socket.

        Args:
            unix_socket: path of the socket; letters, digits and ``. : , _ - /`` only.
            socket_permissions: permissions of the socket, as chmod's digits.
            db_cpus: see `colocate_db_tcp`.
            custom_pinning: see `colocate_db_tcp`.
            debug: see `colocate_db_tcp`.
            db_identifier: see `colocate_db_tcp`.
            **kwargs: see `colocate_db_tcp`.

        Raises:
            SSUnsupportedError: see `colocate_db_tcp`.
            TypeError: a value has the wrong type.
            ValueError: the socket's name has another character, or a number is out of range.
        """
        colocation.check_socket_name(unix_socket)
        connection = {"unix_socket": unix_socket, "socket_permissions": socket_permissions, "port": 0}
        self._colocate(connection, db_cpus, custom_pinning, debug, db_identifier, kwargs)

    def _colocate(
        self,
        connection: dict[str, Any],
        db_cpus: int,
        custom_pinning: colocation.Pinning | None,
        debug: bool,
        db_identifier: str,
        options: dict[str, Any],
    ) -> None:
        if self.run_settings is None:
            raise ValueError(f"{self.name!r} has no run settings that a colocated database could be added to")
        if getattr(self.run_settings, "mpmd", None):
            raise SSUnsupportedError(
                f"{self.name!r} starts several programs (make_mpmd): a database cannot be colocated with them"
            )
        common = colocation.common_settings(
            db_cpus=db_cpus, custom_pinning=custom_pinning, debug=debug, db_identifier=db_identifier, options=options
        )
        objects: list[DBObject[Any]] = [*self._db_models, *self._db_scripts]
        for db_object in objects:
            _check_transferable(db_object, self.name)
        prepare = getattr(self.run_settings, "_prep_colocated_db", None)
        if prepare is not None:
            prepare(db_cpus)
        if self.colocated:
            logger.warning("%s had a colocated database already: the new one replaces it", self.name)
        self.run_settings.colocated_db_settings = {
            **connection,
            **common,
            "db_models": self._db_models,
            "db_scripts": self._db_scripts,
        }

    # --- special methods ---------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        lines = [f"Name: {self.name}", f"Type: {self.type}", str(self.run_settings)]
        if self.batch_settings:
            lines.append(str(self.batch_settings))
        if self.params:
            lines += ["Parameters:", *(f"\t{name} = {value}" for name, value in self.params.items())]
        return "\n".join(lines)


def _check_transferable(db_object: DBObject[Any], model: str) -> None:
    if isinstance(db_object, DBModel) and not db_object.is_file:
        raise SSUnsupportedError(
            f"ML model {db_object.name!r} is in memory, {model!r} has a colocated database: "
            "write it to a file and use model_path="
        )
    if isinstance(db_object, DBScript) and db_object.func and not isinstance(db_object.func, str):
        raise SSUnsupportedError(
            f"Script {db_object.name!r} is a function, {model!r} has a colocated database: give its text or a file"
        )


def _text(name: str, value: object, owner: str) -> str:
    if isinstance(value, (str, Number)):
        return str(value)
    raise TypeError(f"{owner!r}: parameter {name!r} must be a str or a number, not {type(value).__name__}: {value!r}")


def _argument(name: str, value: str) -> str:
    if name.startswith("--"):
        return f"{name}={value}"
    if name.startswith("-"):
        return f"{name} {value}"
    if len(name) == 1:
        return f"-{name} {value}"
    return f"--{name}={value}"
