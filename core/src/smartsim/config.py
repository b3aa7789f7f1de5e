"""What SmartSim reads from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TELEMETRY_SUBDIR", "telemetry_requested"]

TELEMETRY_SUBDIR = ".smartsim/telemetry"
"""Folder of the telemetry files, below an experiment's folder."""


def telemetry_requested(environ: Mapping[str, str]) -> bool:
    """Say whether somebody asked for telemetry, as opposed to not having switched it off."""
    value = environ.get("SMARTSIM_FLAG_TELEMETRY", "")
    return value.strip() == "1" and "SMARTSIM_FLAG_TELEMETRY_DEFAULTED" not in environ
