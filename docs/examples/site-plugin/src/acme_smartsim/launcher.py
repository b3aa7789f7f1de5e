"""A launcher: runs every step at low priority, with the `nice` command."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import evolve

from smartsim.plugin import API_VERSION, hookimpl
from smartsim.values import BatchSpec, Context, Detection, JobSpec, LaunchPlan, PluginInfo


class NiceLauncher:
    """One instance belongs to each Experiment that was made with ``launcher="acme-nice"``."""

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        """Must have the entry point's name. "push": core's supervisor tells of exits, nobody needs to ask for them."""
        return PluginInfo(name="acme-nice", kind="launcher", api=API_VERSION, capabilities=frozenset({"push"}))

    @hookimpl
    def smartsim_detect(self, env: Mapping[str, str], which: Callable[[str], str | None]) -> Detection | None:
        """``launcher="auto"`` takes it on Acme's login nodes, whose environment says so."""
        if env.get("ACME_NODE_TYPE") == "login" and which("nice"):
            return Detection(score=50, reason="a login node of Acme")
        return None

    @hookimpl
    def smartsim_plan(self, spec: JobSpec | BatchSpec, ctx: Context) -> LaunchPlan | None:
        """The exact command. It is a process, so core launches, watches and stops it: no other hook is needed."""
        if isinstance(spec, BatchSpec):
            return None  # there are no batch jobs here
        plan = LaunchPlan(
            step=spec.step,
            entity=spec.name,
            argv=("nice", "-n", "10", *spec.argv),
            env=spec.env,
            cwd=spec.cwd,
            stdout=spec.stdout,
            stderr=spec.stderr,
            entity_type=spec.entity_type,
            group=spec.group,
            run=spec.run,
        )
        urgent = ctx.environ.get("ACME_URGENT")
        return evolve(plan, argv=spec.argv) if urgent else plan
