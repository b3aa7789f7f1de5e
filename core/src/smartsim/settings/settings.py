"""Making settings for a launcher: what `Experiment.create_run_settings` and `Experiment.create_batch_settings` call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smartsim.error import SmartSimError, SSUnsupportedError
from smartsim.plugin.exports import RUN_COMMANDS, lazy_attribute, lazy_names
from smartsim.settings import checks
from smartsim.settings.base import BatchSettings, RunSettings
from smartsim.settings.containers import Container
from smartsim.settings.mpi import MpiexecSettings, MpirunSettings, OrterunSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smartsim.plugin.manager import Plugins

__all__ = [
    "Container",
    "MpiexecSettings",
    "MpirunSettings",
    "OrterunSettings",
    "RunSettings",
    "batch_settings_from",
    "create_batch_settings",
    "create_run_settings",
    "make_run_settings",
    "run_settings_from",
]

_MPI: Mapping[str, type[MpirunSettings | MpiexecSettings | OrterunSettings]] = {
    "mpirun": MpirunSettings,
    "mpiexec": MpiexecSettings,
    "orterun": OrterunSettings,
}


def __getattr__(name: str) -> Any:
    return lazy_attribute("smartsim.settings", name)


def __dir__() -> list[str]:
    return sorted([*globals(), *lazy_names("smartsim.settings")])


def create_run_settings(
    launcher: str,
    exe: str,
    exe_args: str | list[str] | None = None,
    run_command: str | None = "auto",
    run_args: Mapping[str, int | str | float | None] | None = None,
    env_vars: Mapping[str, str | None] | None = None,
    container: Container | None = None,
    **kwargs: Any,
) -> RunSettings:
    """Make the run settings that fit a launcher and a run command.

    Args:
        launcher: name of the launcher.
        exe: executable: a path, or a name on PATH.
        exe_args: its arguments: a list of words, or text that is split at white space.
        run_command: ``auto`` for the launcher's choice, the name of a command, or the empty string for none.
        run_args: options of the run command.
        env_vars: environment variables to set.
        container: container to run in.
        kwargs: arguments of the settings class that results; ``exec_args`` is another spelling of `exe_args`.

    Raises:
        SSUnsupportedError: there is no such launcher.
        SmartSimError: none of the launcher's run commands is on PATH.
        MissingPluginError: the run command belongs to a plugin that is not installed.
        FileNotFoundError: there is no such executable.
        TypeError: an argument has a wrong type, or the executable may not be executed.
    """
    from smartsim.plugin.manager import Plugins

    return run_settings_from(
        Plugins.for_launcher(checks.text("launcher", launcher).lower()),
        exe,
        exe_args,
        run_command,
        run_args,
        env_vars,
        container,
        **kwargs,
    )


def run_settings_from(
    plugins: Plugins,
    exe: str,
    exe_args: str | list[str] | None = None,
    run_command: str | None = "auto",
    run_args: Mapping[str, int | str | float | None] | None = None,
    env_vars: Mapping[str, str | None] | None = None,
    container: Container | None = None,
    *,
    exec_args: str | list[str] | None = None,
    **kwargs: Any,
) -> RunSettings:
    """Make run settings with plugins that are composed already; see `create_run_settings`."""
    command = _spelled(run_command)
    arguments: dict[str, Any] = {
        "exe": exe,
        "exe_args": checks.same_argument(exe_args, exec_args),
        "run_args": run_args,
        "env_vars": env_vars,
        "container": container,
        "options": kwargs,
    }
    made = plugins.run_settings(run_command=command, **arguments)
    return made if made is not None else make_run_settings("" if command == "auto" else command, **arguments)


def make_run_settings(
    run_command: str,
    exe: str,
    exe_args: str | list[str] | None = None,
    run_args: Mapping[str, int | str | float | None] | None = None,
    env_vars: Mapping[str, str | None] | None = None,
    container: Container | None = None,
    options: Mapping[str, Any] | None = None,
) -> RunSettings:
    """Make the settings of the class that belongs to a run command: for the hooks of launchers.

    A command of another plugin is looked up by its owner; one that nobody owns, and none at all, gives plain
    `RunSettings`, which take no `options`.

    Args:
        run_command: name of the command, or the empty string for none; not ``auto``.
        exe: see `create_run_settings`.
        exe_args: see `create_run_settings`.
        run_args: see `create_run_settings`.
        env_vars: see `create_run_settings`.
        container: see `create_run_settings`.
        options: further arguments of the settings class.

    Raises:
        MissingPluginError: the run command belongs to a plugin that is not installed.
    """
    arguments: dict[str, Any] = {
        "exe": exe,
        "exe_args": exe_args,
        "run_args": run_args,
        "env_vars": env_vars,
        "container": container,
    }
    if run_command in RUN_COMMANDS:
        owned = lazy_attribute("smartsim.settings", RUN_COMMANDS[run_command])
        return _checked(owned(**arguments, **(options or {})), run_command)
    if run_command in _MPI:
        return _MPI[run_command](**arguments, **(options or {}))
    return RunSettings(run_command=run_command, **arguments)


def create_batch_settings(
    launcher: str,
    nodes: int | None = None,
    time: str = "",
    queue: str | None = None,
    account: str | None = None,
    batch_args: Mapping[str, str | None] | None = None,
    **kwargs: Any,
) -> BatchSettings:
    """Make the batch settings of a launcher.

    Args:
        launcher: name of the launcher.
        nodes: number of nodes; None or 0 leaves it to the other options.
        time: time limit, in the scheduler's format; empty for its default.
        queue: queue, partition or class; None or empty for the default.
        account: account to charge; None or empty for the default.
        batch_args: options of the submit command.
        kwargs: arguments of the launcher's batch settings class.

    Raises:
        SmartSimError: the launcher has no batch jobs, or there is no such launcher.
        TypeError: an argument has a wrong type.
        ValueError: `nodes` is negative.
    """
    from smartsim.plugin.manager import Plugins

    name = checks.text("launcher", launcher).lower()
    try:
        plugins = Plugins.for_launcher(name)
    except SSUnsupportedError as error:
        raise SmartSimError(f"No batch settings: {error}") from error
    return batch_settings_from(plugins, name, nodes, time, queue, account, batch_args, **kwargs)


def batch_settings_from(
    plugins: Plugins,
    launcher: str,
    nodes: int | None = None,
    time: str = "",
    queue: str | None = None,
    account: str | None = None,
    batch_args: Mapping[str, str | None] | None = None,
    **kwargs: Any,
) -> BatchSettings:
    """Make batch settings with plugins that are composed already; see `create_batch_settings`."""
    made = plugins.batch_settings(
        nodes=0 if nodes is None else checks.count("nodes", nodes, least=0),
        time=checks.text("time", time or ""),
        queue=checks.text("queue", queue or ""),
        account=checks.text("account", account or ""),
        batch_args=checks.options("batch_args", batch_args),
        options=kwargs,
    )
    if made is None:
        raise SmartSimError(
            f"Launcher {launcher} has no batch jobs: use an Experiment with the launcher of a batch scheduler, "
            "or leave batch_settings out"
        )
    return made


def _spelled(run_command: str | None) -> str:
    """The name of a known command in lower case, anything else as it was written: it may be a path."""
    command = checks.text("run_command", "" if run_command is None else run_command).strip()
    known = command.lower()
    return known if known in {"auto", *_MPI, *RUN_COMMANDS} else command


def _checked(made: Any, run_command: str) -> RunSettings:
    if not isinstance(made, RunSettings):
        raise SSUnsupportedError(f"The plugin that owns {run_command} returned {made!r} instead of RunSettings")
    return made
