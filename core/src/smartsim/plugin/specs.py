"""The hooks: every question that SmartSim's core puts to plugins.

A plugin is a module, or a class that is instantiated for each Experiment, whose functions are marked with
`smartsim.plugin.hookimpl` and named as below. A hook implementation may take any subset of the arguments.

Four kinds of hook:

- *each plugin*: asked of one plugin at a time, when it is loaded;
- *all*: every implementation is called;
- *routed*: the chosen launcher (or the database engine named in the call) answers; the first answer that is not None
  counts, and core itself answers last where it can. Wrappers of extensions see every call;
- *first*: the first answer that is not None counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from smartsim.preview.value import Preview
    from smartsim.settings.base import BatchSettings, RunSettings
    from smartsim.settings.containers import Container
    from smartsim.values import (
        BatchSpec,
        Context,
        DatabaseInfo,
        Deployment,
        Detection,
        JobEvent,
        JobHandle,
        JobSpec,
        JobStatus,
        LaunchPlan,
        OrchestratorSpec,
        PluginInfo,
        Query,
    )

PROJECT = "smartsim"
API_VERSION = (1, 0)
"""Version of these specifications: (major, minor). A new hook, a trailing argument or a field with a default raises the
minor; anything that breaks a plugin raises the major."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# --- a plugin about itself -------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def smartsim_plugin_info() -> PluginInfo:
    """Say who the plugin is. Kind: each plugin; mandatory.

    Returns:
        Name, kind, the API version it was written for, and its capabilities.
    """
    raise NotImplementedError


@hookspec
def smartsim_detect(env: Mapping[str, str], which: Callable[[str], str | None]) -> Detection | None:
    """Say whether this machine is one for this launcher. Kind: all launchers, for ``launcher="auto"``; best score wins.

    Must be quick and have no side effects: look at variables and at commands on PATH.

    Args:
        env: the driver's environment.
        which: finds a command on PATH, as `shutil.which` does.

    Returns:
        A score and its reason, or None for "not here" or "never automatically".
    """


@hookspec
def smartsim_open(ctx: Context, report: Callable[[JobHandle, JobStatus], None]) -> None:
    """Acquire what the launcher needs for an experiment: a server, a socket. Kind: all plugins of the experiment.

    Called once, before the first launch.

    Args:
        ctx: the experiment.
        report: tells the engine of a change at once, from any thread. A launcher that is told of its jobs' ends calls
            it and declares the capability ``push``, so that it is not asked periodically.
    """


@hookspec
def smartsim_close(ctx: Context) -> None:
    """Release what `smartsim_open` acquired. Kind: all plugins of the experiment, in reverse order.

    Always called when `smartsim_open` was, even when that raised. Jobs are not stopped by it.
    """


# --- settings --------------------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def smartsim_run_settings(
    exe: str,
    exe_args: str | list[str] | None,
    run_command: str,
    run_args: Mapping[str, Any] | None,
    env_vars: Mapping[str, str | None] | None,
    container: Container | None,
    options: Mapping[str, Any],
) -> RunSettings | None:
    """Make the run settings for ``Experiment.create_run_settings``. Kind: routed to the launcher, then core.

    Args:
        exe: executable as the user wrote it.
        exe_args: its arguments.
        run_command: ``auto`` (the launcher chooses), a command's name in lower case, or the empty string for none.
        run_args: options of the run command.
        env_vars: variables for the job.
        container: container to run in.
        options: further keyword arguments of the user.

    Returns:
        The settings, or None to leave it to core, which knows plain and MPI settings and finds the owner of other
        commands.
    """


@hookspec(firstresult=True)
def smartsim_batch_settings(
    nodes: int,
    time: str,
    queue: str,
    account: str,
    batch_args: Mapping[str, str | None] | None,
    options: Mapping[str, Any],
) -> BatchSettings | None:
    """Make the batch settings for ``Experiment.create_batch_settings``. Kind: routed to the launcher.

    Returns:
        The settings, or None when the launcher has no batch jobs.
    """


# --- jobs ------------------------------------------------------------------------------------------------------------


@hookspec
def smartsim_configure_job(spec: JobSpec, ctx: Context) -> JobSpec | None:
    """Change a step before it is planned. Kind: all, in order; each sees what the one before returned.

    This is where a site adds an account, a module's environment, a node feature. Preview shows the result.

    Returns:
        The changed step (`attrs.evolve` makes one), or None to leave it as it is.
    """


@hookspec(firstresult=True)
def smartsim_plan(spec: JobSpec | BatchSpec, ctx: Context) -> LaunchPlan | None:
    """Turn a step or batch job into the exact command. Kind: routed to the launcher.

    Pure: no file is written, no process started, and equal arguments give equal plans, because preview calls it too.

    Returns:
        The plan, or None for a step that is launched as its own words say, without anything around it.
    """


@hookspec(firstresult=True)
def smartsim_launch(plans: Sequence[LaunchPlan], ctx: Context) -> Sequence[JobHandle] | None:
    """Launch in bulk. Kind: routed to the launcher; core's supervisor answers last for process plans.

    All plans of one call are of one kind.

    Returns:
        A handle for each plan, in order, or None to leave it to core.

    Raises:
        LauncherError: nothing of this call runs.
    """


@hookspec(firstresult=True)
def smartsim_status(handles: Sequence[JobHandle], ctx: Context) -> Mapping[JobHandle, JobStatus] | None:
    """Report on jobs with one query, however many they are. Kind: routed to the launcher, core last.

    Returns:
        What is known of each. A job that the scheduler does not know is `State.UNKNOWN`, never completed. A handle may
        be
        missing: nothing new is known of it.

    Raises:
        LauncherError: the scheduler does not answer; the last known states stand.
    """


@hookspec(firstresult=True)
def smartsim_stop(handles: Sequence[JobHandle], grace: float, ctx: Context) -> Mapping[JobHandle, JobStatus] | None:
    """End jobs: first politely, after `grace` seconds by force. Kind: routed to the launcher, core last. Idempotent.

    Returns:
        The status of each afterwards.
    """


@hookspec(firstresult=True)
def smartsim_query(query: Query) -> Any:
    """Answer a question about the current allocation. Kind: routed to the launcher; what `smartsim.wlm` asks.

    Returns:
        The answer, of the type that `Query.topic` says, or None when this launcher has no such thing.
    """


# --- databases -------------------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def smartsim_database_info(environ: Mapping[str, str]) -> DatabaseInfo | None:
    """Say which server this engine would start. Kind: routed to the engine.

    Raises:
        SSConfigError: the environment names a server or file that cannot be used.
    """


@hookspec(firstresult=True)
def smartsim_deploy_orchestrator(spec: OrchestratorSpec, ctx: Context) -> Sequence[JobSpec] | None:
    """Describe the shards of a database as ordinary steps. Kind: routed to the engine. Pure.

    A shard's standard output must be ``<path>/<name>.out``, and its first lines must contain
    ``SMARTSIM_ORC_SHARD_INFO: {"name", "hostname", "port", "cluster"}`` as JSON, because only the shard itself knows
    where the scheduler put it.

    Returns:
        One step a shard; or, for a spec with ``single_step``, one step with the others as its ``mpmd`` parts.
    """


@hookspec(firstresult=True)
def smartsim_orchestrator_ready(spec: OrchestratorSpec, check: Callable[[], None], ctx: Context) -> Deployment | None:
    """Wait until the database can be used. Kind: routed to the engine.

    Finds the shards, forms the cluster where there are several, and gets an answer.

    Args:
        spec: the database.
        check: raises when a shard has ended or the user gave up; call it between attempts.
        ctx: the experiment.

    Returns:
        The addresses.

    Raises:
        SmartSimError: the database did not become usable; says why.
    """


@hookspec(firstresult=True)
def smartsim_orchestrator_stop(deployment: Deployment, ctx: Context) -> bool | None:
    """Ask a database to shut down cleanly. Kind: routed to the engine. What still runs after the grace time is ended.

    Returns:
        True when every shard accepted.
    """


@hookspec(firstresult=True)
def smartsim_orchestrator_active(deployment: Deployment) -> bool | None:
    """Say whether every shard answers and, for several, the cluster can be used. Kind: routed to the engine."""


@hookspec(firstresult=True)
def smartsim_orchestrator_configure(deployment: Deployment, key: str, value: str) -> bool | None:
    """Change a setting of a running database on every shard. Kind: routed to the engine.

    Raises:
        SmartSimError: the server refused the setting; has the server's words.
    """


# --- observers -------------------------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def smartsim_render_preview(preview: Preview, verbosity: str, output_format: str) -> str | None:
    """Render a preview. Kind: first; core renders ``plain_text``.

    Args:
        preview: what is to be shown.
        verbosity: ``info``, ``debug`` or ``developer``.
        output_format: name of the format.

    Returns:
        The text, or None when the format is not this plugin's.
    """


@hookspec
def smartsim_job_event(event: JobEvent) -> None:
    """Observe a change in the life of a job. Kind: all.

    Called on a thread of the engine, in order; must not block. An exception is logged and disturbs nobody.
    """
