"""What a user may choose of a preview: how much it shows, and in which format.

A module of its own, because every driver script imports it with the Experiment.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Format", "Verbosity"]


class Verbosity(StrEnum):
    """How much a preview shows."""

    INFO = "info"
    """What the user defined."""
    DEBUG = "debug"
    """Also what was derived from it."""
    DEVELOPER = "developer"
    """Also the exact commands and batch scripts."""

    @classmethod
    def parse(cls, value: Verbosity | str) -> Verbosity:
        """Return the member that `value` is or names.

        Raises:
            ValueError: there is no such verbosity; names those that exist.
        """
        try:
            return cls(value)
        except ValueError:
            known = ", ".join(repr(member.value) for member in cls)
            raise ValueError(f"verbosity_level={value!r} is not one of {known}") from None


class Format(StrEnum):
    """The formats that core itself renders; extensions may add others, which are named by plain strings."""

    PLAINTEXT = "plain_text"
