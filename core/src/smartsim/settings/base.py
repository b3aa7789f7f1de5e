"""Settings that belong to no scheduler: how an executable is run, and what all batch requests have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from smartsim.log import get_logger
from smartsim.settings import checks
from smartsim.settings.commands import executable_path, find_command
from smartsim.settings.containers import Container
from smartsim.values import Resources

__all__ = ["BatchSettings", "RunSettings", "SettingsBase"]

logger = get_logger(__name__)

Names = set[str]
"""What `RunSettings.reserved_run_args` is; inside the class, ``set`` is the method."""


class SettingsBase:
    """Base class of everything that `Experiment.create_run_settings` and `Experiment.create_batch_settings` return."""


class RunSettings(SettingsBase):
    """How to run one executable: its arguments, its environment, and the command that launches it, if any.

    The setters for resources do nothing but log a warning here; the subclasses for certain run commands have those that
    their command knows.

    Args:
        exe: executable: an absolute or relative path, or a name on PATH.
        exe_args: its arguments: a list of words, or text that is split at white space.
        run_command: command that launches the executable, such as a site's own wrapper; empty for none.
        run_args: options of the run command. Here they are passed on exactly as written, name then value; subclasses
            add dashes.
        env_vars: environment variables to set; None stands for the empty value.
        container: container to run the executable in; the executable is then not looked up on this machine.
        exec_args: another spelling of `exe_args`.
        kwargs: arguments of other settings classes, so that one script can serve several; unknown ones are ignored
            with a warning.

    Attributes:
        exe: the executable, a list of one word; its absolute path unless a container is given.
        container: the container, or None.
        in_batch: whether the executable runs as a step of a batch job.
        colocated_db_settings: what `Model.colocate_db_tcp` and its relatives asked for, or None.
        reserved_run_args: options that SmartSim sets itself.

    Raises:
        FileNotFoundError: there is no such executable.
        TypeError: an argument has a wrong type, or the executable may not be executed.
        ValueError: a word has a NUL character, or a name cannot be that of a variable or option.
    """

    reserved_run_args: ClassVar[Names] = set()

    def __init__(
        self,
        exe: str,
        exe_args: str | list[str] | None = None,
        run_command: str = "",
        run_args: dict[str, int | str | float | None] | None = None,
        env_vars: dict[str, str | None] | None = None,
        container: Container | None = None,
        *,
        exec_args: str | list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if container is not None and not isinstance(container, Container):
            raise TypeError(f"container must be a Container such as Singularity, got {container!r}")
        if kwargs:
            logger.warning("%s ignores the argument(s) %s", type(self).__name__, ", ".join(sorted(kwargs)))
        self.exe = [checks.path_text("exe", exe) if container else executable_path(exe)]
        self.container = container
        self.in_batch = False
        self.colocated_db_settings: dict[str, Any] | None = None
        self.exe_args = checks.same_argument(exe_args, exec_args)
        self._run_command = _command("run_command", run_command or "")
        self._run_args = checks.options("run_args", run_args)
        self._env_vars = checks.environment("env_vars", env_vars)

    @property
    def exe_args(self) -> list[str]:
        """Arguments of the executable; assigning accepts a list, text that is split at white space, or None."""
        return self._exe_args

    @exe_args.setter
    def exe_args(self, value: str | list[str] | None) -> None:
        self._exe_args = checks.words("exe_args", value)

    @property
    def run_args(self) -> dict[str, Any]:
        """Options of the run command. What is returned may be changed; assigning copies."""
        return self._run_args

    @run_args.setter
    def run_args(self, value: Mapping[str, int | str | float | None]) -> None:
        self._run_args = checks.options("run_args", value)

    @property
    def env_vars(self) -> dict[str, str | None]:
        """Environment variables to set. What is returned may be changed; assigning copies."""
        return self._env_vars

    @env_vars.setter
    def env_vars(self, value: Mapping[str, str | None]) -> None:
        self._env_vars = checks.environment("env_vars", value)

    @property
    def run_command(self) -> str | None:
        """Absolute path of the run command; as it was given where it is not on PATH; None where there is none."""
        return self._run_command or None

    # --- resources: what the run command can be asked for ------------------------------------------------------------

    def set_nodes(self, nodes: int) -> None:
        """Set the number of nodes."""
        del nodes
        self._not_implemented("set_nodes")

    def set_tasks(self, tasks: int) -> None:
        """Set the number of tasks (ranks) in all."""
        del tasks
        self._not_implemented("set_tasks")

    def set_tasks_per_node(self, tasks_per_node: int) -> None:
        """Set the number of tasks on each node."""
        del tasks_per_node
        self._not_implemented("set_tasks_per_node")

    def set_task_map(self, task_mapping: str) -> None:
        """Set how tasks are mapped to hardware."""
        del task_mapping
        self._not_implemented("set_task_map")

    def set_cpus_per_task(self, cpus_per_task: int) -> None:
        """Set the number of CPUs of each task."""
        del cpus_per_task
        self._not_implemented("set_cpus_per_task")

    def set_hostlist(self, host_list: str | list[str]) -> None:
        """Set the hosts to run on."""
        del host_list
        self._not_implemented("set_hostlist")

    def set_hostlist_from_file(self, file_path: str) -> None:
        """Set the file that lists the hosts to run on."""
        del file_path
        self._not_implemented("set_hostlist_from_file")

    def set_excluded_hosts(self, host_list: str | list[str]) -> None:
        """Set the hosts not to run on."""
        del host_list
        self._not_implemented("set_excluded_hosts")

    def set_cpu_bindings(self, bindings: int | list[int]) -> None:
        """Set the CPUs that tasks are bound to."""
        del bindings
        self._not_implemented("set_cpu_bindings")

    def set_memory_per_node(self, memory_per_node: int) -> None:
        """Set the memory of each node, in megabytes."""
        del memory_per_node
        self._not_implemented("set_memory_per_node")

    def set_verbose_launch(self, verbose: bool) -> None:
        """Have the run command say more."""
        del verbose
        self._not_implemented("set_verbose_launch")

    def set_quiet_launch(self, quiet: bool) -> None:
        """Have the run command say less."""
        del quiet
        self._not_implemented("set_quiet_launch")

    def set_broadcast(self, dest_path: str | None = None) -> None:
        """Copy the executable to each node before it runs."""
        del dest_path
        self._not_implemented("set_broadcast")

    def set_time(self, hours: int = 0, minutes: int = 0, seconds: int = 0) -> None:
        """Set the time limit; it may exceed a day.

        Args:
            hours: whole hours.
            minutes: whole minutes, added.
            seconds: whole seconds, added.

        Raises:
            TypeError: a part is no number.
            ValueError: a part is negative or not whole.
        """
        parts = (checks.time_part(*part) for part in (("hours", hours), ("minutes", minutes), ("seconds", seconds)))
        self.set_walltime(self._fmt_walltime(*parts))

    def _fmt_walltime(self, hours: int, minutes: int, seconds: int) -> str:
        """Return a time limit as the run command wants it: here in seconds."""
        return str(hours * 3600 + minutes * 60 + seconds)

    def set_node_feature(self, feature_list: str | list[str]) -> None:
        """Set the features that nodes must have."""
        del feature_list
        self._not_implemented("set_node_feature")

    def set_walltime(self, walltime: str) -> None:
        """Set the time limit, in the run command's own format."""
        del walltime
        self._not_implemented("set_walltime")

    def set_binding(self, binding: str) -> None:
        """Set what tasks are bound to."""
        del binding
        self._not_implemented("set_binding")

    def set_mpmd_preamble(self, preamble_lines: list[str]) -> None:
        """Set the lines that a file describing several programs begins with."""
        del preamble_lines
        self._not_implemented("set_mpmd_preamble")

    def make_mpmd(self, settings: RunSettings) -> None:
        """Have the same step run another program too."""
        del settings
        self._not_implemented("make_mpmd")

    def _not_implemented(self, setter: str) -> None:
        logger.warning("%s not implemented for this RunSettings type: %s ignores it", setter, type(self).__name__)

    # --- arguments, environment, options -----------------------------------------------------------------------------

    def add_exe_args(self, args: str | list[str]) -> None:
        """Append arguments of the executable: a list of words, or text that is split at white space.

        Raises:
            TypeError: it is neither a str nor a list of str.
        """
        if not isinstance(args, (str, list)):
            raise TypeError(f"args must be a str or a list of str, got {args!r} ({type(args).__name__})")
        self._exe_args += checks.words("args", args)

    def update_env(self, env_vars: Mapping[str, str | int | float | bool]) -> None:
        """Set further environment variables; numbers and booleans are converted to text.

        Raises:
            TypeError: a name is no str, or a value is none of str, int, float and bool.
            ValueError: a name cannot be that of a variable.
        """
        if not isinstance(env_vars, Mapping):
            raise TypeError(f"env_vars must be a dict, got {env_vars!r} ({type(env_vars).__name__})")
        self._env_vars |= {
            checks.env_name("env_vars", name): checks.env_text(f"env_vars[{name!r}]", value)
            for name, value in env_vars.items()
        }

    def set(self, arg: str, value: str | None = None, condition: bool = True) -> None:
        """Set an option of the run command that has no setter of its own.

        Args:
            arg: name of the option; leading dashes are dropped.
            value: its value, None for an option without one.
            condition: where false, nothing is set; saves an ``if`` in scripts for several machines.

        Raises:
            TypeError: `arg` is no str, or `value` neither a str nor None.
            ValueError: `arg` names nothing.
        """
        if not isinstance(arg, str):
            raise TypeError(f"arg must be a str, got {arg!r} ({type(arg).__name__})")
        if value is not None:
            checks.text("value", value)
        name = checks.option_name("arg", arg.strip().lstrip("-"))
        if not condition:
            logger.info("Option %s is not set: its condition does not hold", name)
        elif name in self.reserved_run_args:
            logger.warning("Option %s is not set: SmartSim sets it itself", name)
        else:
            if name in self.run_args and self.run_args[name] != value:
                logger.warning("Option %s is overwritten: it was %r and is now %r", name, self.run_args[name], value)
            self.run_args[name] = value

    def format_run_args(self) -> list[str]:
        """Return the options as words: each name and each value as written, None as the word ``None``."""
        return [word for name, value in self.run_args.items() for word in (name, str(value))]

    def format_env_vars(self) -> list[str]:
        """Return the environment variables as words ``NAME=value``; None becomes the empty value."""
        return [f"{name}={'' if value is None else value}" for name, value in self.env_vars.items()]

    # --- what the engine reads ---------------------------------------------------------------------------------------

    def resources(self) -> Resources:
        """Return what these settings ask for, as far as they know; nothing here."""
        return Resources()

    def job_options(self) -> dict[str, Any]:
        """Return what a launcher needs beyond the program: the ``options`` of a `smartsim.values.JobSpec`.

        Subclasses add keys; every value can be written as JSON.
        """
        return {
            "settings": type(self).__name__,
            "run_command": self.run_command,
            "run_args": self.format_run_args(),
        }

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables that the step gets; None becomes the empty value.

        Args:
            environ: the environment that the step is launched from.
        """
        del environ
        return {name: "" if value is None else str(value) for name, value in self.env_vars.items()}

    def command_words(self, cwd: str) -> list[str]:
        """Return the program: the container's words, if there is one, the executable and its arguments.

        Args:
            cwd: folder that the step runs in.
        """
        container = self.container.command_words(cwd) if self.container is not None else []
        return [*container, *self.exe, *self.exe_args]

    def __str__(self) -> str:
        lines = [f"Executable: {self.exe[0]}", f"Executable Arguments: {' '.join(self.exe_args)}"]
        if self.run_command:
            lines.append(f"Run Command: {self.run_command}")
        if self.run_args:
            lines += ["Run Arguments:", *_listed(self.run_args)]
        if self.colocated_db_settings:
            lines.append("Co-located Database: True")
        return "\n".join(lines)


class BatchSettings(SettingsBase):
    """What all requests for a batch job have in common; each scheduler's plugin has its own subclass.

    Args:
        batch_cmd: command that submits the job.
        batch_args: options of that command.
        kwargs: ``nodes``, ``queue``, ``time`` and ``account``; each is handed to its setter unless it is empty.

    Raises:
        TypeError: an argument has a wrong type.
        ValueError: an option's name or value cannot be written to a command line.
    """

    def __init__(self, batch_cmd: str, batch_args: dict[str, str | None] | None = None, **kwargs: Any) -> None:
        self._batch_cmd = _batch_command("batch_cmd", batch_cmd)
        self._batch_args = checks.options("batch_args", batch_args)
        self._preamble: list[str] = []
        for name, setter in (
            ("nodes", self.set_nodes),
            ("queue", self.set_queue),
            ("time", self.set_walltime),
            ("account", self.set_account),
        ):
            if kwargs.get(name):
                setter(kwargs[name])

    @property
    def batch_cmd(self) -> str:
        """Absolute path of the submit command; as it was given where it is not on PATH."""
        return self._batch_cmd

    @property
    def batch_args(self) -> dict[str, Any]:
        """Options of the submit command. What is returned may be changed; assigning copies."""
        return self._batch_args

    @batch_args.setter
    def batch_args(self, value: Mapping[str, str | None]) -> None:
        self._batch_args = checks.options("batch_args", value)

    @property
    def preamble(self) -> Iterator[str]:
        """The shell lines that run before the steps, in order."""
        yield from self._preamble

    def set_batch_command(self, command: str) -> None:
        """Use another submit command.

        Raises:
            TypeError: it is no str.
            ValueError: it is empty.
        """
        self._batch_cmd = _batch_command("command", command)

    def add_preamble(self, lines: str | list[str]) -> None:
        """Append shell lines that run before the steps, such as ``module load``.

        Raises:
            TypeError: `lines` is neither a str nor a list of str.
        """
        added = [lines] if isinstance(lines, str) else lines
        if not isinstance(added, list):
            raise TypeError(f"lines must be a str or a list of str, got {lines!r} ({type(lines).__name__})")
        self._preamble += [checks.text(f"lines[{index}]", line) for index, line in enumerate(added)]

    def set_nodes(self, num_nodes: int) -> None:
        """Set the number of nodes."""
        raise NotImplementedError(self._abstract("set_nodes"))

    def set_hostlist(self, host_list: str | list[str]) -> None:
        """Set the hosts to run on."""
        raise NotImplementedError(self._abstract("set_hostlist"))

    def set_queue(self, queue: str) -> None:
        """Set the queue."""
        raise NotImplementedError(self._abstract("set_queue"))

    def set_walltime(self, walltime: str) -> None:
        """Set the time limit."""
        raise NotImplementedError(self._abstract("set_walltime"))

    def set_account(self, account: str) -> None:
        """Set the account to charge."""
        raise NotImplementedError(self._abstract("set_account"))

    def format_batch_args(self) -> list[str]:
        """Return the options as words."""
        raise NotImplementedError(self._abstract("format_batch_args"))

    def _abstract(self, method: str) -> str:
        return f"{type(self).__name__} has no {method}: use the batch settings of a scheduler"

    def resources(self) -> Resources:
        """Return what these settings ask for, as far as they know; nothing here."""
        return Resources()

    def batch_options(self) -> dict[str, Any]:
        """Return what a launcher needs to submit: the ``options`` of a `smartsim.values.BatchSpec`.

        Subclasses add keys; every value can be written as JSON.
        """
        return {
            "settings": type(self).__name__,
            "batch_command": self.batch_cmd,
            "batch_args": self.format_batch_args(),
        }

    def __str__(self) -> str:
        lines = [f"Batch Command: {self.batch_cmd}"]
        if self.batch_args:
            lines += ["Batch arguments:", *_listed(self.batch_args)]
        return "\n".join(lines)


def _command(argument: str, command: str) -> str:
    checks.text(argument, command)
    return find_command(command) or command


def _batch_command(argument: str, command: str) -> str:
    if not _command(argument, command):
        raise ValueError(f"{argument} is empty: name the command that submits a batch job")
    return _command(argument, command)


def _listed(options: Mapping[str, Any]) -> list[str]:
    return [f"\t{name} = {value}" for name, value in options.items()]
