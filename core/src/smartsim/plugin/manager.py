"""The plugins of one experiment, behind a typed facade.

`Plugins` composes core's built-ins, one launcher, the database engines that are asked for, and every extension. Hook
calls of pluggy are untyped; here they get their types, their routing and their containment of failures.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pluggy

from smartsim.error import PluginError, SSUnsupportedError
from smartsim.log import get_logger
from smartsim.plugin import specs
from smartsim.plugin.catalogue import (
    BUILTINS,
    DATABASES,
    EXTENSIONS,
    LAUNCHERS,
    Provider,
    catalogue,
    instantiate,
)
from smartsim.plugin.exports import installation_hint
from smartsim.values import (
    BatchSpec,
    Context,
    DatabaseInfo,
    Deployment,
    JobEvent,
    JobHandle,
    JobSpec,
    JobStatus,
    LaunchPlan,
    OrchestratorSpec,
    PluginInfo,
    Query,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from smartsim.preview.value import Preview
    from smartsim.settings.base import BatchSettings, RunSettings
    from smartsim.settings.containers import Container

__all__ = ["FALLBACK_LAUNCHER", "Plugins"]

logger = get_logger(__name__)

FALLBACK_LAUNCHER = "local"
"""The launcher that ``auto`` ends with where no other recognises the machine."""


class Plugins:
    """The plugins of one experiment.

    Make one with `for_launcher` or `for_database`; each has instances of its own, so that two experiments never share
    state.
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(specs.PROJECT)
        self._manager.add_hookspecs(specs)
        self._databases: dict[str, object] = {}
        self._apart: dict[str, list[tuple[str, Callable[..., Any]]]] = {}
        self._opened = False
        self.launcher: PluginInfo | None = None
        """What the launcher says of itself; None when only databases are composed."""

    # --- composition -------------------------------------------------------------------------------------------------

    @classmethod
    def for_launcher(cls, name: str) -> Plugins:
        """Compose the built-ins, the launcher `name` and all extensions.

        An extension that cannot be loaded is left out with a warning: it must not keep a scientist from running.

        Raises:
            SSUnsupportedError: there is no such launcher; says which there are, or which distribution has it.
            PluginError: there is, but it cannot be used.
        """
        plugins = cls()
        provider = catalogue().find(LAUNCHERS, name)
        if provider is None:
            known = ", ".join(catalogue().names(LAUNCHERS)) or "none"
            hint = installation_hint(name) or f"installed launchers: {known}"
            raise SSUnsupportedError(f"Launcher type not supported: {name} ({hint})")
        plugins._add_group(BUILTINS)
        launcher, plugins.launcher = instantiate(provider)
        plugins._register(launcher, provider)
        plugins._add_group(EXTENSIONS)
        return plugins

    @classmethod
    def for_database(cls, engine: str) -> Plugins:
        """Compose the database engine `engine` alone, for callers that have no experiment at hand.

        Raises:
            SSUnsupportedError: there is no such engine.
            PluginError: there is, but it cannot be used.
        """
        plugins = cls()
        plugins._engine(engine)
        return plugins

    def register(self, plugin: object, name: str) -> None:
        """Add a plugin object that no entry point names, such as the engine's own supervisor."""
        self._checked_register(plugin, name, name)

    def _add_group(self, group: str) -> None:
        for name in catalogue().names(group):
            try:
                provider = catalogue().find(group, name)
                if provider is not None:
                    plugin, _ = instantiate(provider)
                    self._register(plugin, provider)
            except PluginError as error:
                logger.warning("Left out: %s", error)

    def _register(self, plugin: object, provider: Provider) -> None:
        self._checked_register(plugin, f"{provider.kind}:{provider.name}", str(provider))

    def _checked_register(self, plugin: object, name: str, description: str) -> None:
        self._apart.clear()
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            raise PluginError(f"{description} does not fit the hook specifications: {error}") from error

    def _engine(self, name: str) -> object:
        if name not in self._databases:
            provider = catalogue().find(DATABASES, name)
            if provider is None:
                known = ", ".join(catalogue().names(DATABASES)) or "none"
                raise SSUnsupportedError(f"Database engine not supported: {name} (installed engines: {known})")
            plugin, _ = instantiate(provider)
            self._register(plugin, provider)
            self._databases[name] = plugin
        return self._databases[name]

    # --- settings ----------------------------------------------------------------------------------------------------

    def run_settings(
        self,
        *,
        exe: str,
        exe_args: str | list[str] | None,
        run_command: str,
        run_args: Mapping[str, Any] | None,
        env_vars: Mapping[str, str | None] | None,
        container: Container | None,
        options: Mapping[str, Any],
    ) -> RunSettings | None:
        """Ask `specs.smartsim_run_settings`."""
        settings: RunSettings | None = self._manager.hook.smartsim_run_settings(
            exe=exe,
            exe_args=exe_args,
            run_command=run_command,
            run_args=run_args,
            env_vars=env_vars,
            container=container,
            options=options,
        )
        return settings

    def batch_settings(
        self,
        *,
        nodes: int,
        time: str,
        queue: str,
        account: str,
        batch_args: Mapping[str, str | None] | None,
        options: Mapping[str, Any],
    ) -> BatchSettings | None:
        """Ask `specs.smartsim_batch_settings`."""
        settings: BatchSettings | None = self._manager.hook.smartsim_batch_settings(
            nodes=nodes, time=time, queue=queue, account=account, batch_args=batch_args, options=options
        )
        return settings

    # --- jobs --------------------------------------------------------------------------------------------------------

    def open(self, ctx: Context, report: Callable[[JobHandle, JobStatus], None]) -> None:
        """Call `specs.smartsim_open` once; when one raises, those already open are closed again."""
        if self._opened:
            return
        self._opened = True
        try:
            for _, opened in self._one_by_one("smartsim_open"):
                opened(ctx=ctx, report=report)
        except BaseException:
            self.close(ctx)
            raise

    def close(self, ctx: Context) -> None:
        """Call `specs.smartsim_close` of every plugin, in reverse order.

        An exception is logged and keeps none of the others from closing.
        """
        if not self._opened:
            return
        self._opened = False
        for name, close in reversed(self._one_by_one("smartsim_close")):
            try:
                close(ctx=ctx)
            except Exception:
                logger.exception("Plugin %s failed to close", name)

    def configure_job(self, spec: JobSpec, ctx: Context) -> JobSpec:
        """Pass `spec` through every `specs.smartsim_configure_job`, in the order of the plugins' names.

        Raises:
            PluginError: a plugin failed or returned something else than a JobSpec; names it.
        """
        for name, configure in self._one_by_one("smartsim_configure_job"):
            try:
                changed = configure(spec=spec, ctx=ctx)
            except Exception as error:
                raise PluginError(f"plugin {name} failed to configure {spec.name!r}: {error}") from error
            for value in changed:
                if not isinstance(value, JobSpec):
                    raise PluginError(f"plugin {name} returned {value!r} for {spec.name!r} instead of a JobSpec")
                spec = value
        return spec

    def plan(self, spec: JobSpec | BatchSpec, ctx: Context) -> LaunchPlan | None:
        """Ask `specs.smartsim_plan`."""
        plan: LaunchPlan | None = self._manager.hook.smartsim_plan(spec=spec, ctx=ctx)
        return plan

    def launch(self, plans: Sequence[LaunchPlan], ctx: Context) -> list[JobHandle]:
        """Ask `specs.smartsim_launch`.

        Raises:
            PluginError: nobody launched, or the number of handles is not that of the plans.
        """
        handles = self._manager.hook.smartsim_launch(plans=plans, ctx=ctx)
        if handles is None or len(handles) != len(plans):
            answer = "no answer" if handles is None else f"{len(handles)} handles"
            raise PluginError(f"launcher {ctx.launcher!r} gave {answer} for {len(plans)} plans")
        return list(handles)

    def status(self, handles: Sequence[JobHandle], ctx: Context) -> Mapping[JobHandle, JobStatus]:
        """Ask `specs.smartsim_status`."""
        return self._manager.hook.smartsim_status(handles=handles, ctx=ctx) or {}

    def stop(self, handles: Sequence[JobHandle], grace: float, ctx: Context) -> Mapping[JobHandle, JobStatus]:
        """Ask `specs.smartsim_stop`."""
        return self._manager.hook.smartsim_stop(handles=handles, grace=grace, ctx=ctx) or {}

    def query(self, query: Query) -> Any:
        """Ask `specs.smartsim_query`."""
        return self._manager.hook.smartsim_query(query=query)

    # --- databases ---------------------------------------------------------------------------------------------------

    def database_info(self, engine: str, environ: Mapping[str, str]) -> DatabaseInfo:
        """Ask `specs.smartsim_database_info` of `engine`."""
        info: DatabaseInfo = self._routed("smartsim_database_info", engine)(environ=environ)
        return info

    def deploy_orchestrator(self, spec: OrchestratorSpec, ctx: Context) -> list[JobSpec]:
        """Ask `specs.smartsim_deploy_orchestrator` of the spec's engine."""
        return list(self._routed("smartsim_deploy_orchestrator", spec.engine)(spec=spec, ctx=ctx))

    def orchestrator_ready(self, spec: OrchestratorSpec, check: Callable[[], None], ctx: Context) -> Deployment:
        """Ask `specs.smartsim_orchestrator_ready` of the spec's engine."""
        deployment: Deployment = self._routed("smartsim_orchestrator_ready", spec.engine)(
            spec=spec, check=check, ctx=ctx
        )
        return deployment

    def orchestrator_stop(self, deployment: Deployment, ctx: Context) -> bool:
        """Ask `specs.smartsim_orchestrator_stop` of the deployment's engine."""
        return bool(self._routed("smartsim_orchestrator_stop", deployment.engine)(deployment=deployment, ctx=ctx))

    def orchestrator_active(self, deployment: Deployment) -> bool:
        """Ask `specs.smartsim_orchestrator_active` of the deployment's engine."""
        return bool(self._routed("smartsim_orchestrator_active", deployment.engine)(deployment=deployment))

    def orchestrator_configure(self, deployment: Deployment, key: str, value: str) -> None:
        """Ask `specs.smartsim_orchestrator_configure` of the deployment's engine."""
        self._routed("smartsim_orchestrator_configure", deployment.engine)(deployment=deployment, key=key, value=value)

    # --- observers ---------------------------------------------------------------------------------------------------

    def render_preview(self, preview: Preview, verbosity: str, output_format: str) -> str | None:
        """Ask `specs.smartsim_render_preview`."""
        text: str | None = self._manager.hook.smartsim_render_preview(
            preview=preview, verbosity=verbosity, output_format=output_format
        )
        return text

    def job_event(self, event: JobEvent) -> None:
        """Tell every observer; an exception of one is logged and disturbs neither the others nor the caller."""
        for name, observe in self._one_by_one("smartsim_job_event"):
            try:
                observe(event=event)
            except Exception:
                logger.exception("Plugin %s failed to observe %s", name, event.entity)

    # --- routing -----------------------------------------------------------------------------------------------------

    def _routed(self, hook: str, engine: str) -> Callable[..., Any]:
        """The hook with every other database engine left out, so that wrappers of extensions still see the call."""
        chosen = self._engine(engine)
        others = [plugin for plugin in self._databases.values() if plugin is not chosen]
        return self._manager.subset_hook_caller(hook, others)

    def _one_by_one(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """The implementations of `hook` apart, so that failures can be told apart: first ``tryfirst``, then by name."""
        if hook not in self._apart:
            found = sorted(
                getattr(self._manager.hook, hook).get_hookimpls(), key=lambda impl: (not impl.tryfirst, impl.trylast)
            )
            everyone = self._manager.get_plugins()
            self._apart[hook] = [
                (impl.plugin_name, self._manager.subset_hook_caller(hook, everyone - {impl.plugin})) for impl in found
            ]
        return self._apart[hook]

    # --- detection ---------------------------------------------------------------------------------------------------

    @classmethod
    def detect(cls) -> str:
        """Name of the launcher that fits this machine best; `FALLBACK_LAUNCHER` where none recognises it.

        Every installed launcher is asked; one that cannot be loaded or fails to answer is left out with a warning.
        """
        scores: dict[str, tuple[int, str]] = {}
        for name in catalogue().names(LAUNCHERS):
            try:
                provider = catalogue().find(LAUNCHERS, name)
                if provider is None:
                    continue
                alone = cls()
                alone._register(instantiate(provider)[0], provider)
                answers = alone._manager.hook.smartsim_detect(env=dict(os.environ), which=shutil.which)
            except Exception as error:  # noqa: BLE001 - whatever a plugin raises concerns that plugin only
                logger.warning("Launcher %s could not be asked whether it fits this machine: %s", name, error)
                continue
            for answer in answers:
                scores[name] = (answer.score, answer.reason)
        if not scores:
            return FALLBACK_LAUNCHER
        best = min(scores, key=lambda name: (-scores[name][0], name))
        logger.debug("Launcher %s fits best: %s", best, scores[best][1])
        return best
