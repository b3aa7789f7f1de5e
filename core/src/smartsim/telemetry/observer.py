"""Keeps the telemetry files up to date while an experiment runs, if somebody asked for them.

It acts when a job changes, and never by itself: no process, no timer.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from smartsim.config import telemetry_requested
from smartsim.log import get_logger
from smartsim.plugin import API_VERSION, hookimpl
from smartsim.values import Context, JobEvent, PluginInfo

if TYPE_CHECKING:
    from smartsim.telemetry.export import Exporter

__all__ = ["TelemetryObserver", "plugin"]

logger = get_logger(__name__)


class TelemetryObserver:
    """The plugin: one instance for each experiment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: str | None = None
        self._exporter: Exporter | None = None

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        """Name of this plugin."""
        return PluginInfo(name="telemetry", kind="builtin", api=API_VERSION)

    @hookimpl
    def smartsim_open(self, ctx: Context) -> None:
        """Remember where the experiment is; nothing is written yet."""
        self._path = ctx.path

    @hookimpl
    def smartsim_job_event(self, event: JobEvent) -> None:  # noqa: ARG002 - the journal has what happened, and more
        """Write what has happened so far."""
        self._advance()

    @hookimpl
    def smartsim_close(self) -> None:
        """Write what has happened since the last event of a job."""
        self._advance()

    def _advance(self) -> None:
        if self._path is None or not telemetry_requested(os.environ):
            return
        with self._lock:
            if self._exporter is None:
                from smartsim.telemetry.export import Exporter

                self._exporter = Exporter(self._path)
            try:
                self._exporter.advance()
            except OSError as error:
                logger.warning(
                    "Telemetry files of %s are no longer written: %s. Mend it, then run `smart telemetry export %s`",
                    self._path,
                    error,
                    self._path,
                )
                self._path = None


plugin = TelemetryObserver
