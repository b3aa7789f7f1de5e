"""The ``local`` launcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smartsim.plugin import API_VERSION, hookimpl
from smartsim.settings import make_run_settings
from smartsim.settings.mpi import mpi_argv
from smartsim.values import BatchSpec, Context, Detection, JobSpec, LaunchPlan, PluginInfo, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from smartsim.settings.base import RunSettings
    from smartsim.settings.containers import Container

__all__ = ["LocalLauncher"]


class LocalLauncher:
    """Runs steps as processes of this machine; a run command such as ``mpirun`` is used when the settings name one."""

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        """Name and abilities."""
        return PluginInfo(name="local", kind="launcher", api=API_VERSION, capabilities=frozenset({"one-host", "push"}))

    @hookimpl
    def smartsim_detect(self, env: Mapping[str, str], which: Callable[[str], str | None]) -> Detection:
        """Every machine can run processes, so any scheduler that is found goes before."""
        del env, which
        return Detection(score=0, reason="processes of this machine")

    @hookimpl
    def smartsim_run_settings(
        self,
        exe: str,
        exe_args: str | list[str] | None,
        run_command: str,
        run_args: Mapping[str, Any] | None,
        env_vars: Mapping[str, str | None] | None,
        container: Container | None,
        options: Mapping[str, Any],
    ) -> RunSettings:
        """No run command unless the user names one."""
        return make_run_settings(
            "" if run_command == "auto" else run_command,
            exe=exe,
            exe_args=exe_args,
            run_args=run_args,
            env_vars=env_vars,
            container=container,
            options=options,
        )

    @hookimpl
    def smartsim_plan(self, spec: JobSpec | BatchSpec, ctx: Context) -> LaunchPlan | None:
        """The run command and its options, then the program; MPI settings put their own command line together."""
        del ctx
        if isinstance(spec, BatchSpec):
            return None
        return LaunchPlan(
            step=spec.step,
            entity=spec.name,
            argv=tuple(_words(spec)),
            env=spec.env,
            cwd=spec.cwd,
            stdout=spec.stdout,
            stderr=spec.stderr,
            entity_type=spec.entity_type,
            group=spec.group,
            run=spec.run,
        )

    @hookimpl
    def smartsim_query(self, query: Query) -> Any:
        """There is one host and no allocation."""
        return ["127.0.0.1"] if query.topic == "hosts" else None


def _words(spec: JobSpec) -> list[str]:
    if spec.options.get("family") == "mpi":
        return mpi_argv(spec)
    run_command = spec.options.get("run_command")
    return [*([run_command] if run_command else []), *spec.options.get("run_args", ()), *spec.argv]
