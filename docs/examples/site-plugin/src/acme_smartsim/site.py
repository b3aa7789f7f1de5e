"""An extension: it is part of every Experiment, whatever its launcher."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from smartsim.error import LauncherError
from smartsim.plugin import API_VERSION, hookimpl
from smartsim.values import Context, JobEvent, JobHandle, JobSpec, JobStatus, LaunchPlan, PluginInfo, to_json

if TYPE_CHECKING:
    from smartsim.preview.value import Preview

MOST_JOBS_AT_ONCE = 5_000


class AcmeSite:
    """One instance belongs to each Experiment."""

    def __init__(self) -> None:
        self._record: Path | None = None

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        """Must have the entry point's name."""
        return PluginInfo(name="acme-site", kind="extension", api=API_VERSION)

    @hookimpl
    def smartsim_open(self, ctx: Context) -> None:
        """The first job is about to be launched: prepare the record of this experiment."""
        self._record = Path(ctx.path) / "acme-record.jsonl"

    @hookimpl
    def smartsim_configure_job(self, spec: JobSpec, ctx: Context) -> JobSpec:
        """Charge every job to the project that the user works for; a model may name another one."""
        project = ctx.environ.get("ACME_PROJECT", "public")
        return evolve(spec, env={"ACME_CHARGE_TO": project, **spec.env})

    @hookimpl(wrapper=True)
    def smartsim_launch(self, plans: Sequence[LaunchPlan]) -> Generator[None, Sequence[JobHandle], Sequence[JobHandle]]:
        """Stand around every launch: what is before `yield` happens before it, and an exception prevents it."""
        if len(plans) > MOST_JOBS_AT_ONCE:
            raise LauncherError(f"Acme's login nodes start at most {MOST_JOBS_AT_ONCE} jobs at once: use a batch job")
        handles = yield
        self._write({"launched": [handle.step for handle in handles]})
        return handles

    @hookimpl
    def smartsim_job_event(self, event: JobEvent) -> None:
        """Keep a record of what became of each job."""
        status: JobStatus = event.status
        self._write({"entity": event.entity, "state": status.state.value, "returncode": status.returncode})

    @hookimpl
    def smartsim_render_preview(self, preview: Preview, output_format: str) -> str | None:
        """Add a format: ``exp.preview(..., output_format="json")``."""
        return json.dumps(json.loads(to_json(preview)), indent=2) if output_format == "json" else None

    def _write(self, line: object) -> None:
        if self._record is not None:
            with self._record.open("a", encoding="utf-8") as record:
                record.write(json.dumps(line) + "\n")
