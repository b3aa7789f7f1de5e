"""Alias: scripts import the verbosity of a preview from here."""

from __future__ import annotations

from smartsim.preview.options import Format, Verbosity

__all__ = ["Format", "Verbosity"]
