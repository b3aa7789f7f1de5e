"""Whether an experiment's telemetry is on, and whether anybody asked for it."""

from __future__ import annotations

import os

from smartsim.config import TELEMETRY_DEFAULTED, TELEMETRY_FLAG, set_telemetry, telemetry_enabled
from smartsim.entity import TelemetryConfiguration

__all__ = ["ExperimentTelemetryConfiguration"]


class ExperimentTelemetryConfiguration(TelemetryConfiguration):
    """The telemetry of an experiment; its state is that of the whole process, in ``SMARTSIM_FLAG_TELEMETRY``.

    It is on unless the variable says 0. `enable` asks for the files to be written while the experiment runs; so does
    the variable when it is set to 1 by hand. `disable` turns everything off.

    Raises:
        SSConfigError: the variable is not a number.
    """

    def __init__(self) -> None:
        self._asked = TELEMETRY_FLAG.is_set() and not TELEMETRY_DEFAULTED.read()
        super().__init__(enabled=telemetry_enabled())
        self._asked = True

    def _on_enable(self) -> None:
        set_telemetry(os.environ, True, asked=self._asked)

    def _on_disable(self) -> None:
        set_telemetry(os.environ, False, asked=self._asked)
