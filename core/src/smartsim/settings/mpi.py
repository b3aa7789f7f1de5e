"""Settings for the launch commands of MPI: ``mpirun``, ``mpiexec`` and ``orterun``.

The options printed by `format_run_args` are those of Open MPI, as published. Where the command found on this machine
belongs to another MPI, `job_options` has its spelling of them instead, see `smartsim.settings.flavours`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from smartsim.error import LauncherError, SSUnsupportedError
from smartsim.log import get_logger
from smartsim.plugin.exports import FOREIGN_MPIEXEC
from smartsim.settings import checks
from smartsim.settings.base import Names, RunSettings
from smartsim.settings.commands import find_command
from smartsim.settings.flavours import AS_PUBLISHED, Flavour, flavour_named, flavour_of, output_of
from smartsim.settings.words import count_of, hosts_of, seconds_of, spaced_options
from smartsim.values import JobSpec, Resources

__all__ = ["MpiexecSettings", "MpirunSettings", "OrterunSettings", "_BaseMPISettings", "mpi_argv"]

logger = get_logger(__name__)

SEPARATOR = ":"
"""The word between the programs of one step."""


class _BaseMPISettings(RunSettings):
    """Settings for an MPI launch command.

    Args:
        exe: see `RunSettings`.
        exe_args: see `RunSettings`.
        run_command: the launch command.
        run_args: its options, without dashes.
        env_vars: see `RunSettings`; None passes on the value that the variable has where the command is started.
        fail_if_missing_exec: whether a launch command that is not on PATH is an error or only a warning.
        kwargs: see `RunSettings`.

    Attributes:
        mpmd: settings of further programs of the same step.
        affinity_script: words that some MPI launchers put before the executable.

    Raises:
        LauncherError: the launch command is not on PATH.
    """

    reserved_run_args: ClassVar[Names] = {"wd", "wdir"}
    reserved_shard_args: ClassVar[Names] = {"np", "N", "c", "output-filename", "n", "wdir", "wd", "host"}

    def __init__(
        self,
        exe: str,
        exe_args: str | list[str] | None = None,
        run_command: str = "mpiexec",
        run_args: dict[str, int | str | float | None] | None = None,
        env_vars: dict[str, str | None] | None = None,
        fail_if_missing_exec: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(exe, exe_args, run_command, run_args, env_vars, **kwargs)
        self.mpmd: list[RunSettings] = []
        self.affinity_script: list[str] = []
        if find_command(run_command) is None:
            missing = f"Run command {run_command} is not on PATH: load the module of an MPI, or extend PATH"
            if fail_if_missing_exec:
                raise LauncherError(missing)
            logger.warning("%s before the job starts", missing)

    def make_mpmd(self, settings: RunSettings) -> None:
        """Have the same step run another program too, with the resources and environment of its own settings.

        Raises:
            TypeError: `settings` is no RunSettings.
            ValueError: `settings` is this object, or itself has several programs.
            SSUnsupportedError: one of the two has a colocated database.
        """
        if not isinstance(settings, RunSettings):
            raise TypeError(f"settings must be a RunSettings, got {settings!r} ({type(settings).__name__})")
        if settings is self or getattr(settings, "mpmd", None):
            raise ValueError("settings must be another, single program: add all programs of a step to its first one")
        if self.colocated_db_settings or settings.colocated_db_settings:
            raise SSUnsupportedError(
                "A step of several programs cannot have a colocated database: use a standalone one"
            )
        self.mpmd.append(settings)

    def set_tasks(self, tasks: int) -> None:
        """Set the number of ranks: ``--n``."""
        self.run_args["n"] = checks.count("tasks", tasks)

    def set_tasks_per_node(self, tasks_per_node: int) -> None:
        """Set the number of ranks on each node: ``--npernode``."""
        self.run_args["npernode"] = checks.count("tasks_per_node", tasks_per_node)

    def set_cpus_per_task(self, cpus_per_task: int) -> None:
        """Set the number of CPUs of each rank: ``--cpus-per-proc``."""
        self.run_args["cpus-per-proc"] = checks.count("cpus_per_task", cpus_per_task)

    def set_cpu_binding_type(self, bind_type: str) -> None:
        """Set what ranks are bound to, such as ``core`` or ``none``: ``--bind-to``."""
        self.run_args["bind-to"] = checks.text("bind_type", bind_type)

    def set_task_map(self, task_mapping: str) -> None:
        """Set how ranks are mapped to hardware, such as ``core`` or ``node``: ``--map-by``."""
        self.run_args["map-by"] = checks.text("task_mapping", task_mapping)

    def set_hostlist(self, host_list: str | list[str]) -> None:
        """Set the hosts to run on: ``--host``.

        Raises:
            TypeError: it is neither a str nor a list of str.
            ValueError: a name is empty or has a blank.
        """
        self.run_args["host"] = ",".join(checks.host_names("host_list", host_list))

    def set_hostlist_from_file(self, file_path: str) -> None:
        """Set the file that lists the hosts to run on: ``--hostfile``."""
        self.run_args["hostfile"] = checks.path_text("file_path", file_path)

    def set_verbose_launch(self, verbose: bool) -> None:
        """Have the launch command say more: ``--verbose``; False takes that back."""
        self._switch("verbose", verbose)

    def set_quiet_launch(self, quiet: bool) -> None:
        """Have the launch command say less: ``--quiet``; False takes that back."""
        self._switch("quiet", quiet)

    def set_broadcast(self, dest_path: str | None = None) -> None:
        """Copy the executable to each node before it runs: ``--preload-binary``.

        Args:
            dest_path: ignored with a warning: the launch command chooses the place.
        """
        if dest_path is not None:
            logger.warning("set_broadcast ignores dest_path %r: the run command chooses where it copies to", dest_path)
        self.run_args["preload-binary"] = None

    def set_walltime(self, walltime: str) -> None:
        """Set the time limit in seconds: ``--timeout``."""
        self.run_args["timeout"] = checks.walltime("walltime", walltime)

    def _switch(self, option: str, on: bool) -> None:
        if on:
            self.run_args[option] = None
        else:
            self.run_args.pop(option, None)

    def format_run_args(self) -> list[str]:
        """Return the options as words: ``--name`` and its value apart; the working directory is left to SmartSim."""
        return spaced_options(self.run_args, skip=self.reserved_run_args)

    def format_env_vars(self) -> list[str]:
        """Return the environment variables as words ``-x NAME=value``; without a value, ``-x NAME`` passes it on."""
        return [word for name, value in self.env_vars.items() for word in ("-x", f"{name}={value}" if value else name)]

    def flavour(self) -> Flavour:
        """Return which MPI the launch command belongs to."""
        return flavour_of(self.run_command) if self.run_command else AS_PUBLISHED

    def resources(self) -> Resources:
        """Return what the options ask for."""
        args = self.run_args
        return Resources(
            tasks=count_of(args, "n", "np", "c"),
            tasks_per_node=count_of(args, "npernode", "N", "ppn"),
            cpus_per_task=count_of(args, "cpus-per-proc", "cpus-per-rank"),
            hosts=hosts_of(args, "host", "hosts"),
            walltime=seconds_of(args.get("timeout", "")),
        )

    def job_options(self) -> dict[str, Any]:
        """Return what a launcher needs, with the options in the words of the MPI found on this machine.

        ``family`` is ``mpi`` and ``flavour`` the name of the MPI; `mpi_argv` makes the command of both.

        Raises:
            SSUnsupportedError: that MPI has nothing like one of the options; says what to do instead.
        """
        flavour = self.flavour()
        spoken = copy.copy(self)
        spoken.run_args = flavour.translate(self.run_args)
        return super().job_options() | {"family": "mpi", "flavour": flavour.name, "run_args": spoken.format_run_args()}

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables that the ranks get; None passes on the value that `environ` has, if any.

        Args:
            environ: the environment that the step is launched from.
        """
        given = {name: environ.get(name) if value is None else str(value) for name, value in self.env_vars.items()}
        return {name: value for name, value in given.items() if value is not None}

    def command_words(self, cwd: str) -> list[str]:
        """Return the program, see `RunSettings.command_words`.

        Raises:
            ValueError: one of its words is a lone colon, where the launch command expects another program.
        """
        words = super().command_words(cwd)
        if SEPARATOR in words:
            raise ValueError(
                f"exe_args {self.exe_args!r} contain the word ':', which separates programs for {self.run_command}: "
                "pass it to the program in another way, for example in a file"
            )
        return words


class MpirunSettings(_BaseMPISettings):
    """Settings for ``mpirun``.

    Args:
        exe: see `RunSettings`.
        exe_args: see `RunSettings`.
        run_args: options of ``mpirun``, without dashes.
        env_vars: see `RunSettings`; None passes on the value that the variable has where the command is started.
        kwargs: ``fail_if_missing_exec`` (False: a missing ``mpirun`` is only a warning) and those of `RunSettings`.

    Raises:
        LauncherError: ``mpirun`` is not on PATH.
    """

    def __init__(
        self,
        exe: str,
        exe_args: str | list[str] | None = None,
        run_args: dict[str, int | str | float | None] | None = None,
        env_vars: dict[str, str | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(exe, exe_args, "mpirun", run_args, env_vars, **kwargs)


class MpiexecSettings(_BaseMPISettings):
    """Settings for ``mpiexec``.

    Args:
        exe: see `RunSettings`.
        exe_args: see `RunSettings`.
        run_args: options of ``mpiexec``, without dashes.
        env_vars: see `RunSettings`; None passes on the value that the variable has where the command is started.
        kwargs: ``fail_if_missing_exec`` (False: a missing ``mpiexec`` is only a warning) and those of `RunSettings`.

    Raises:
        LauncherError: ``mpiexec`` is not on PATH.
        SSUnsupportedError: it is not an MPI's own command but a scheduler's stand-in with other options.
    """

    def __init__(
        self,
        exe: str,
        exe_args: str | list[str] | None = None,
        run_args: dict[str, int | str | float | None] | None = None,
        env_vars: dict[str, str | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(exe, exe_args, "mpiexec", run_args, env_vars, **kwargs)
        found = find_command("mpiexec")
        usage = output_of(found, "--help") if found else ""
        for mark, instead in FOREIGN_MPIEXEC.items():
            if mark in usage:
                raise SSUnsupportedError(
                    f"{found} is {mark}, which has options of its own: use run_command={instead!r}"
                )


class OrterunSettings(_BaseMPISettings):
    """Settings for ``orterun``, the other name that Open MPI up to version 4 gives to ``mpirun``.

    Args:
        exe: see `RunSettings`.
        exe_args: see `RunSettings`.
        run_args: options of ``orterun``, without dashes.
        env_vars: see `RunSettings`; None passes on the value that the variable has where the command is started.
        kwargs: ``fail_if_missing_exec`` (False: a missing ``orterun`` is only a warning) and those of `RunSettings`.

    Raises:
        LauncherError: ``orterun`` is not on PATH.
    """

    def __init__(
        self,
        exe: str,
        exe_args: str | list[str] | None = None,
        run_args: dict[str, int | str | float | None] | None = None,
        env_vars: dict[str, str | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(exe, exe_args, "orterun", run_args, env_vars, **kwargs)


EnvWords = Callable[[Mapping[str, str]], list[str]]


def mpi_argv(spec: JobSpec, env_words: EnvWords | None = None) -> list[str]:
    """Return the whole command of a step whose settings are of the MPI family: for the plans of launchers.

    The run command, then for each program its folder, environment, options and words; a colon between two programs.

    Args:
        spec: the step; ``spec.options["family"]`` is ``mpi``.
        env_words: how the launch command is told of environment variables; by default as the step's MPI wants.
    """
    tell = env_words or flavour_named(spec.options.get("flavour", AS_PUBLISHED.name)).env_words
    argv = [str(spec.options["run_command"])]
    for part in (spec, *spec.mpmd):
        if part is not spec:
            argv.append(SEPARATOR)
        argv += ["--wdir", part.cwd, *tell(part.env), *part.options.get("run_args", ()), *part.argv]
    return argv
