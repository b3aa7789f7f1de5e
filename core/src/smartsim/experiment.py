"""The Experiment: what a driver script talks to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from smartsim.engine.manifest import Manifest
from smartsim.entity import Ensemble, EntitySequence, Model, SmartSimEntity
from smartsim.entity.checks import absolute_path, entity_name
from smartsim.error import SmartSimError
from smartsim.log import ctx_exp_path, get_logger, method_contextualizer
from smartsim.plugin.manager import Plugins
from smartsim.preview.options import Format, Verbosity
from smartsim.settings.settings import batch_settings_from, run_settings_from
from smartsim.telemetry import ExperimentTelemetryConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smartsim.database import Orchestrator
    from smartsim.engine.summary import Summary
    from smartsim.preview.build import PlanOf
    from smartsim.preview.value import Preview
    from smartsim.settings.base import BatchSettings, RunSettings
    from smartsim.settings.containers import Container
    from smartsim.status import SmartSimStatus

__all__ = ["Experiment"]

logger = get_logger(__name__)

AUTO = "auto"
DEFAULT_INTERFACE = "ipogif0"
LOOPBACK = "lo"

Method = TypeVar("Method", bound=Callable[..., Any])


def _contextualize(method: Method) -> Method:
    """Lets log records that arise inside `method` know which experiment they belong to."""
    return cast("Method", method_contextualizer(ctx_exp_path, _path_of)(method))


def _path_of(experiment: Any) -> str:
    return str(experiment.exp_path)


class Experiment:
    """Describes, launches and follows the parts of one workflow: Models, Ensembles and databases.

    Args:
        name: name of the experiment; also the name of its folder unless `exp_path` is given.
        exp_path: existing folder for everything the experiment writes; relative to the current folder. By default
            ``<current folder>/<name>``, which is made when it is first needed.
        launcher: ``local``, the name of an installed launcher plugin (see ``smart plugins``), or ``auto`` for the one
            that fits this machine best.

    Raises:
        AttributeError: `name` or `launcher` is None.
        TypeError: `name`, `exp_path` or `launcher` is no text.
        ValueError: `name` cannot be the name of a folder.
        NotADirectoryError: `exp_path` is no folder.
        SSUnsupportedError: there is no such launcher; the message says which there are, or what to install.

    Example:
        ```python
        from smartsim import Experiment

        exp = Experiment("hello", launcher="local")
        model = exp.create_model("greeting", exp.create_run_settings("echo", "Hello World"))
        exp.start(model)
        print(exp.summary())
        ```
    """

    def __init__(self, name: str, exp_path: str | None = None, launcher: str = "local") -> None:
        from smartsim.engine.session import Session

        self.name = entity_name(name, "Experiment")
        self.exp_path = _experiment_path(self.name, exp_path)
        launcher = _checked_launcher(launcher)
        self._launcher = Plugins.detect() if launcher == AUTO else launcher
        self.db_identifiers: set[str] = set()
        self._telemetry = ExperimentTelemetryConfiguration()
        self._plugins = Plugins.for_launcher(self._launcher)
        self._control = Session(name=self.name, path=self.exp_path, launcher=self._launcher, plugins=self._plugins)
        self._databases: list[Orchestrator] = []

    def __str__(self) -> str:
        return self.name

    def _repr_html_(self) -> str:
        import time

        from smartsim.engine import html, rows

        jobs = rows.rows(self._control.runtime.table.jobs(), now=time.time())
        return html.experiment(
            name=self.name, path=self.exp_path, launcher=self._launcher, columns=rows.COLUMNS, rows=jobs
        )

    @property
    def launcher(self) -> str:
        """Name of the launcher; of ``auto``, the one that was found."""
        return self._launcher

    @property
    def telemetry(self) -> ExperimentTelemetryConfiguration:
        """Whether the files of the telemetry tree are written while jobs run, see the page about telemetry."""
        return self._telemetry

    # --- jobs --------------------------------------------------------------------------------------------------------

    @_contextualize
    def start(
        self,
        *args: SmartSimEntity | EntitySequence[Any],
        block: bool = True,
        summary: bool = False,
        kill_on_interrupt: bool = True,
    ) -> None:
        """Launch entities: databases first, then Ensembles, then Models.

        A Model that fails while it runs does not make this raise: its status becomes Failed and the log says so. The
        same object may be started again once it has ended; its earlier output is kept as ``<name>.<n>.out``.

        Args:
            args: what to launch.
            block: wait until everything but databases has ended.
            summary: log what will be launched.
            kill_on_interrupt: end all jobs on Ctrl-C, in this call or any later one.

        Raises:
            TypeError: an argument cannot be launched.
            SSUnsupportedError: an entity is running already, or its name was used by another one.
            SSDBIDConflictError: a running database has the same identifier.
            SmartSimError: something could not be launched, or a database failed to start. Whatever this call had
                launched before has been ended.
        """
        manifest = Manifest.of(args)
        if summary:
            self._log_launch_summary(manifest)
        try:
            self._control.start(manifest, folders=self._unstarted(manifest), kill_on_interrupt=kill_on_interrupt)
            if block:
                self._control.wait(interval=None, kill_on_interrupt=kill_on_interrupt)
        except SmartSimError as error:
            logger.error(error)
            raise

    @_contextualize
    def stop(self, *args: SmartSimEntity | EntitySequence[Any]) -> None:
        """End entities: Models and Ensembles first, then databases. What has ended already is left alone.

        A job is asked to end and, after ``SMARTSIM_STOP_GRACE`` seconds, forced to. A database is shut down by its own
        command first.

        Raises:
            TypeError: an argument cannot be stopped.
            NotStartedError: an entity was never started; it is both a `SmartSimError` and a `KeyError`. Nothing is
                stopped.
        """
        try:
            self._control.stop(Manifest.of(args))
        except SmartSimError as error:
            logger.error(error)
            raise

    @_contextualize
    def poll(self, interval: int = 10, verbose: bool = True, kill_on_interrupt: bool = True) -> None:
        """Wait until everything but databases has ended.

        Args:
            interval: how often to log the active jobs, in seconds. An end is noticed at once, whatever the interval.
            verbose: log the active jobs.
            kill_on_interrupt: end all jobs on Ctrl-C.

        Raises:
            TypeError: `interval` is no number.
            ValueError: `interval` is not positive.
        """
        if isinstance(interval, bool) or not isinstance(interval, (int, float)):
            raise TypeError(f"interval={interval!r}: give a number of seconds above 0")
        if not interval > 0:
            raise ValueError(f"interval={interval!r}: give a number of seconds above 0")
        self._control.wait(interval=interval if verbose else None, kill_on_interrupt=kill_on_interrupt)

    @_contextualize
    def finished(self, entity: SmartSimEntity | EntitySequence[Any]) -> bool:
        """Whether a Model, or every member of an Ensemble, has ended.

        Raises:
            TypeError: `entity` is a database or no entity at all.
            ValueError: it was never started.
        """
        if not isinstance(entity, (Model, Ensemble)):
            raise TypeError(f"finished() takes a Model or an Ensemble, not {type(entity).__name__}: see get_status()")
        return self._control.finished(entity)

    @_contextualize
    def get_status(self, *args: SmartSimEntity | EntitySequence[Any]) -> list[SmartSimStatus]:
        """The status of entities: of Models, then of the members of Ensembles, then of the shards of databases.

        What is launched as one batch job has one status. What was never started is
        `SmartSimStatus.STATUS_NEVER_STARTED`.

        Raises:
            TypeError: an argument is no entity.
        """
        return self._control.status(Manifest.of(args))

    @_contextualize
    def reconnect_orchestrator(self, checkpoint: str) -> Orchestrator:
        """Take over a database that another driver started and that still runs.

        Args:
            checkpoint: the file `Orchestrator.checkpoint_file` of that database.

        Raises:
            FileNotFoundError: there is no such file.
            SmartSimError: it cannot be read, or the database is gone.
        """
        try:
            orchestrator = self._control.reconnect(checkpoint)
        except SmartSimError as error:
            logger.error(error)
            raise
        self.db_identifiers.add(orchestrator.db_identifier)
        return orchestrator

    # --- files and texts ---------------------------------------------------------------------------------------------

    @_contextualize
    def generate(
        self,
        *args: SmartSimEntity | EntitySequence[Any],
        tag: str | None = None,
        overwrite: bool = False,
        verbose: bool = False,
    ) -> None:
        """Make the folders of entities and fill them with their attached files.

        Everything is checked before anything is written.

        Args:
            args: entities to make folders for.
            tag: what encloses the name of a parameter in a file, ``;`` by default.
            overwrite: replace what is in the folders.
            verbose: log what is written.

        Raises:
            FileExistsError: a folder exists and `overwrite` is False.
            FileNotFoundError: an attached file does not exist.
            ParameterWriterError: a file with tags cannot be read or written.
            SmartSimError: an entity is running.
        """
        from smartsim.generation.generator import generate

        generate(
            self.exp_path,
            Manifest.of(args),
            tag=tag,
            overwrite=overwrite,
            verbose=verbose,
            running=self._control.running_names(),
        )

    @_contextualize
    def preview(
        self,
        *args: SmartSimEntity | EntitySequence[Any],
        verbosity_level: Verbosity | str = Verbosity.INFO,
        output_format: Format | str = Format.PLAINTEXT,
        output_filename: str | None = None,
    ) -> None:
        """Show what starting entities would do, without doing it.

        Args:
            args: entities to show.
            verbosity_level: ``info``, ``debug`` (with derived values) or ``developer`` (with the exact commands).
            output_format: ``plain_text``, or a format that an installed plugin renders.
            output_filename: file to write to; when it exists, the next free ``<stem>_01.txt`` is taken. By default the
                text goes to the log.

        Raises:
            ValueError: there is no such verbosity.
            PreviewFormatError: nobody renders that format.
        """
        from smartsim.preview.output import preview_text, write_preview

        level = Verbosity.parse(verbosity_level)
        manifest = Manifest.of(args)
        plan_of = self._control.planner(manifest) if level is Verbosity.DEVELOPER else None
        text = preview_text(self._plugins, self._preview_value(manifest, plan_of), level, output_format)
        if level is Verbosity.INFO:
            logger.warning("A preview at verbosity_level='info' leaves fields out: 'debug' and 'developer' show more")
        if output_filename is None:
            logger.info(text)
        else:
            write_preview(text, output_filename)

    @_contextualize
    def summary(self, style: str = "github") -> Summary:
        """A table of every run that has ended, in the order of launch, databases last; in a notebook it shows as such.

        Args:
            style: any table format of the tabulate library, ``html`` among them.

        Raises:
            ValueError: there is no such style.
        """
        from smartsim.engine.summary import summary

        ended = [job for job in self._control.runtime.table.jobs() if not job.active]
        return summary(sorted(ended, key=lambda job: job.is_database), style)

    # --- making things -----------------------------------------------------------------------------------------------

    @_contextualize
    def create_ensemble(
        self,
        name: str,
        params: dict[str, Any] | None = None,
        batch_settings: BatchSettings | None = None,
        run_settings: RunSettings | None = None,
        replicas: int | None = None,
        perm_strategy: str | Callable[..., list[dict[str, str]]] = "all_perm",
        path: str | None = None,
        **kwargs: Any,
    ) -> Ensemble:
        """Make an Ensemble; see `smartsim.entity.Ensemble` for what the arguments mean.

        Args:
            name: name of the ensemble; its members are called ``<name>_<i>``.
            params: values of each parameter.
            batch_settings: launches the whole ensemble as one batch job.
            run_settings: how each member is run.
            replicas: number of identical members.
            perm_strategy: ``all_perm``, ``step``, ``random`` or a function.
            path: folder of the ensemble, by default ``<exp_path>/<name>``.
            kwargs: ``n_models`` and ``params_as_args``.

        Raises:
            AttributeError: `name` is None.
            SmartSimError: the arguments do not describe an ensemble.
        """
        folder = self._entity_path(entity_name(name, "Ensemble"), path)
        try:
            return Ensemble(
                name,
                {} if params is None else params,
                folder,
                batch_settings=batch_settings,
                run_settings=run_settings,
                perm_strat=perm_strategy,
                replicas=replicas,
                **kwargs,
            )
        except SmartSimError as error:
            logger.error(error)
            raise

    @_contextualize
    def create_model(
        self,
        name: str,
        run_settings: RunSettings,
        params: dict[str, Any] | None = None,
        path: str | None = None,
        enable_key_prefixing: bool = False,
        batch_settings: BatchSettings | None = None,
    ) -> Model:
        """Make a Model.

        Args:
            name: name of the Model, unique in the experiment.
            run_settings: how it is run.
            params: values for the tags in its configured files: texts or numbers.
            path: folder of the Model, by default ``<exp_path>/<name>``.
            enable_key_prefixing: prefix the keys it writes with its name.
            batch_settings: launches it as a batch job.

        Raises:
            AttributeError: `name` is None.
            TypeError: a parameter is neither a text nor a number.
        """
        model = Model(
            name,
            {} if params is None else params,
            run_settings,
            self._entity_path(entity_name(name, "Model"), path),
            batch_settings=batch_settings,
        )
        if enable_key_prefixing:
            model.enable_key_prefixing()
        return model

    @_contextualize
    def create_run_settings(
        self,
        exe: str,
        exe_args: str | list[str] | None = None,
        run_command: str = AUTO,
        run_args: Mapping[str, int | str | float | None] | None = None,
        env_vars: Mapping[str, str | None] | None = None,
        container: Container | None = None,
        **kwargs: Any,
    ) -> RunSettings:
        """Make the settings of a job: what to run and with which run command.

        Args:
            exe: executable: a path, or a name on PATH.
            exe_args: its arguments; a text is split at white space. ``exec_args`` is accepted as well.
            run_command: ``auto`` for the launcher's own, the name of a run command such as ``mpirun``, or empty for
                none.
            run_args: options of the run command.
            env_vars: variables for the job.
            container: container to run in.
            kwargs: further arguments of the settings class.

        Raises:
            FileNotFoundError: the executable cannot be found.
            TypeError: it is not executable, or an argument has the wrong type.
            SmartSimError: no run command can be found.
        """
        return run_settings_from(
            self._plugins,
            exe,
            exe_args=exe_args,
            run_command=run_command,
            run_args=run_args,
            env_vars=env_vars,
            container=container,
            **kwargs,
        )

    @_contextualize
    def create_batch_settings(
        self,
        nodes: int = 1,
        time: str = "",
        queue: str = "",
        account: str = "",
        batch_args: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> BatchSettings:
        """Make the settings of a batch job for this experiment's scheduler.

        Args:
            nodes: number of nodes.
            time: time limit in the scheduler's form, usually ``HH:MM:SS``.
            queue: queue or partition.
            account: account or project.
            batch_args: further options of the submit command.
            kwargs: further arguments of the settings class.

        Raises:
            SmartSimError: the launcher has no batch jobs.
        """
        return batch_settings_from(self._plugins, self._launcher, nodes, time, queue, account, batch_args, **kwargs)

    @_contextualize
    def create_database(
        self,
        port: int = 6379,
        path: str | None = None,
        db_nodes: int = 1,
        batch: bool = False,
        hosts: list[str] | str | None = None,
        run_command: str = AUTO,
        interface: str | list[str] = DEFAULT_INTERFACE,
        account: str | None = None,
        time: str | None = None,
        queue: str | None = None,
        single_cmd: bool = True,
        db_identifier: str = "orchestrator",
        **kwargs: Any,
    ) -> Orchestrator:
        """Make a database; see `smartsim.database.Orchestrator` for what the arguments mean.

        Raises:
            SSUnsupportedError: two shards were asked for.
            SmartSimError: the launcher cannot do what was asked for.
        """
        from smartsim.database import Orchestrator

        if db_identifier in self.db_identifiers:
            logger.warning(
                "A database with db_identifier=%r was made before: only one of them can run at a time", db_identifier
            )
        orchestrator = Orchestrator(
            path=self._entity_path(entity_name(db_identifier, "db_identifier"), path),
            port=port,
            interface=self._interface(interface),
            launcher=self._launcher,
            run_command=run_command,
            db_nodes=db_nodes,
            batch=batch,
            hosts=hosts,
            account=account,
            time=time,
            queue=queue,
            single_cmd=single_cmd,
            db_identifier=db_identifier,
            **kwargs,
        )
        self.db_identifiers.add(db_identifier)
        self._databases.append(orchestrator)
        return orchestrator

    # --- inside ------------------------------------------------------------------------------------------------------

    def _entity_path(self, name: str, path: str | None) -> str:
        return str(Path(self.exp_path, name)) if path is None else absolute_path(path)

    def _interface(self, given: str | list[str]) -> str | list[str]:
        """What `create_database` listens on: its default names the network of some supercomputers, not of a laptop."""
        info = self._plugins.launcher
        on_this_machine = info is not None and info.one_host
        return LOOPBACK if given == DEFAULT_INTERFACE and on_this_machine and given not in _interfaces() else given

    def _unstarted(self, manifest: Manifest) -> list[Orchestrator]:
        """Databases of this experiment that are not being started: their output still has a place in the tree."""
        return [
            database
            for database in self._databases
            if database not in manifest.dbs and not Path(database.path).exists()
        ]

    def _log_launch_summary(self, manifest: Manifest) -> None:
        from smartsim.engine.launch_summary import launch_summary

        logger.info(
            launch_summary(
                self.name,
                self.exp_path,
                self._launcher,
                manifest,
                database_active=bool(self._control.databases.deployments()),
            )
        )

    def _preview_value(self, manifest: Manifest, plan_of: PlanOf | None) -> Preview:
        from smartsim.preview.build import build_preview

        return build_preview(
            experiment=self.name,
            path=self.exp_path,
            launcher=self._launcher,
            models=manifest.models,
            ensembles=manifest.ensembles,
            orchestrators=manifest.dbs,
            active=self._control.databases.orchestrators(),
            database_info=lambda engine: self._plugins.database_info(engine, os.environ),
            plan_of=plan_of,
        )


def _interfaces() -> set[str]:
    import socket

    return {name for _, name in socket.if_nameindex()}


def _checked_launcher(launcher: object) -> str:
    if isinstance(launcher, str):
        return launcher.lower()
    error = AttributeError if launcher is None else TypeError
    raise error(f"launcher={launcher!r}: give the name of a launcher as a text, 'local' or 'auto' for example")


def _experiment_path(name: str, exp_path: str | None) -> str:
    if not exp_path:
        return str(Path.cwd() / name)
    if not isinstance(exp_path, str):
        raise TypeError(f"exp_path={exp_path!r}: give the path of a folder as a text")
    path = os.path.abspath(exp_path)  # noqa: PTH100 - keeps symbolic links as the user wrote them
    if not os.path.isdir(path):  # noqa: PTH112 - a path that is too long is no folder either
        raise NotADirectoryError(f"exp_path={exp_path[:200]!r} is no folder: make it first, or leave exp_path out")
    return path
