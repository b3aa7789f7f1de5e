"""Telemetry: what happened in an experiment, as the files that 0.8's tools read.

The journal of an experiment holds everything. From it the tree ``.smartsim/telemetry`` is derived: on demand by
``smart telemetry export``, and while the experiment runs if somebody asked for it. There is no monitor process.
"""

from __future__ import annotations

from smartsim.telemetry.configuration import ExperimentTelemetryConfiguration

__all__ = ["ExperimentTelemetryConfiguration"]
