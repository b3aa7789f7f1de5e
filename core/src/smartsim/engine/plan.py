"""From an entity and its settings to the value that a launcher plans: pure, nothing is looked up or written here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smartsim.error import SSUnsupportedError
from smartsim.values import BatchSpec, Context, JobSpec, LaunchPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from smartsim.entity import Model
    from smartsim.plugin.manager import Plugins
    from smartsim.settings.base import BatchSettings

__all__ = ["batch_spec", "launch_plan", "model_spec", "output_files"]


def output_files(path: str, name: str) -> tuple[str, str]:
    """The files that receive the standard output and error of the entity `name` in the folder `path`."""
    stem = os.path.join(path, name)  # noqa: PTH118 - ten times as fast as a Path, and called for every member
    return f"{stem}.out", f"{stem}.err"


def model_spec(
    model: Model,
    environ: Mapping[str, str],
    *,
    group: str = "",
    run: int = 0,
    client: Mapping[str, str] | None = None,
) -> JobSpec:
    """The step of a Model.

    Args:
        model: the Model.
        environ: the driver's environment, from which settings may pass variables on.
        group: name of the ensemble it belongs to, if any.
        run: how often it was started before.
        client: variables that lead it to its databases; they win over those of the settings.

    Raises:
        SSUnsupportedError: its settings ask for a database beside it on each node.
    """
    settings = model.run_settings
    if settings.colocated_db_settings:
        raise SSUnsupportedError(
            f"Model {model.name!r}: colocated databases cannot be launched yet; "
            "create the database with Experiment.create_database and remove the call of colocate_db"
        )
    stdout, stderr = output_files(model.path, model.name)
    parts = tuple(
        JobSpec(
            name=model.name,
            argv=tuple(part.command_words(model.path)),
            env=part.environment(environ),
            cwd=model.path,
            stdout=stdout,
            stderr=stderr,
            resources=part.resources(),
            options=part.job_options(),
        )
        for part in getattr(settings, "mpmd", ())
    )
    return JobSpec(
        name=model.name,
        argv=tuple(settings.command_words(model.path)),
        env={**settings.environment(environ), **(client or {})},
        cwd=model.path,
        stdout=stdout,
        stderr=stderr,
        resources=settings.resources(),
        options=settings.job_options(),
        mpmd=parts,
        entity_type="Model",
        group=group,
        run=run,
    )


def batch_spec(
    name: str, path: str, settings: BatchSettings, steps: Sequence[JobSpec], *, entity_type: str, run: int = 0
) -> BatchSpec:
    """The batch job that runs `steps`.

    A step of the same name as the job (a batch Model) keeps ``<name>.out`` for itself; the job's own output is then
    ``<name>.batch.out``.
    """
    alone = any(step.name == name for step in steps)
    stdout, stderr = output_files(path, f"{name}.batch" if alone else name)
    return BatchSpec(
        name=name,
        cwd=path,
        stdout=stdout,
        stderr=stderr,
        resources=settings.resources(),
        options=settings.batch_options(),
        preamble=tuple(settings.preamble),
        steps=tuple(steps),
        entity_type=entity_type,
        run=run,
    )


def launch_plan(spec: JobSpec | BatchSpec, plugins: Plugins, ctx: Context) -> LaunchPlan:
    """What launching `spec` would execute: site plugins change it first, then the launcher plans it.

    Raises:
        PluginError: a plugin failed.
        SSUnsupportedError: the launcher has no batch jobs.
    """
    if isinstance(spec, BatchSpec):
        return _batch_plan(spec, plugins, ctx)
    spec = plugins.configure_job(spec, ctx)
    plan = plugins.plan(spec, ctx)
    return plan if plan is not None else _plain(spec)


def _batch_plan(spec: BatchSpec, plugins: Plugins, ctx: Context) -> LaunchPlan:
    from attrs import evolve

    configured = evolve(spec, steps=tuple(plugins.configure_job(step, ctx) for step in spec.steps))
    plan = plugins.plan(configured, ctx)
    if plan is None:
        raise SSUnsupportedError(
            f"{spec.entity_type} {spec.name!r} has batch settings, but launcher {ctx.launcher!r} has no batch jobs: "
            "remove the batch settings or create the Experiment with a scheduler's launcher"
        )
    return plan


def _plain(spec: JobSpec) -> LaunchPlan:
    return LaunchPlan(
        step=spec.step,
        argv=spec.argv,
        env=spec.env,
        cwd=spec.cwd,
        stdout=spec.stdout,
        stderr=spec.stderr,
        entity=spec.name,
        entity_type=spec.entity_type,
        group=spec.group,
        run=spec.run,
    )
