"""What every entity has: a name, a folder, run settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smartsim.entity import checks

if TYPE_CHECKING:
    from smartsim.settings.base import RunSettings

__all__ = ["Located", "SmartSimEntity", "TelemetryConfiguration"]


class Located:
    """Something with a folder, which either the user chose or SmartSim did.

    `Experiment.generate` leaves a chosen folder where it is and places all others below the experiment's folder.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._placed: str | None = None
        self.path: str
        if path is None:
            self.place(os.getcwd())  # noqa: PTH109 - a text is what scripts compare with
        else:
            self.path = checks.absolute_path(path)

    @property
    def path_is_chosen(self) -> bool:
        """Whether the folder was asked for (``path=``, `set_path`) rather than picked by SmartSim."""
        return self.path != self._placed

    def place(self, path: str) -> None:
        """Set the folder that SmartSim picks; it does not count as chosen by the user."""
        self.path = self._placed = path


class SmartSimEntity(Located):
    """One thing that can be launched.

    Args:
        name: name, unique in its experiment; also the stem of the folder and file names.
        path: folder of the entity's files, made absolute; None is the working directory.
        run_settings: how to run it.

    Attributes:
        name: as above.
        path: as above.
        run_settings: as above; the same object, not a copy.

    Raises:
        AttributeError: `name` is None.
        TypeError: `name` or `path` is not a str.
        ValueError: `name` cannot name a folder.
    """

    def __init__(self, name: str, path: str | os.PathLike[str] | None, run_settings: RunSettings) -> None:
        self.name = checks.entity_name(name, type(self).__name__)
        super().__init__(path)
        self.run_settings = run_settings

    @property
    def type(self) -> str:
        """Name of the class, which tables show as the entity's type."""
        return type(self).__name__

    def set_path(self, path: str) -> None:
        """Choose the entity's folder.

        Args:
            path: the folder, made absolute.

        Raises:
            TypeError: `path` is not a str.
        """
        if not isinstance(path, str):
            raise TypeError(f"path must be a str, not {type(path).__name__}: {path!r}")
        self.path = checks.absolute_path(path)
        self._placed = None

    def __repr__(self) -> str:
        return self.name


class TelemetryConfiguration:
    """Whether telemetry is collected for something.

    The hook of the initial state is called by the constructor, too.

    Args:
        enabled: the initial state.
    """

    def __init__(self, enabled: bool = False) -> None:
        self._is_on = False
        if enabled:
            self.enable()
        else:
            self.disable()

    @property
    def is_enabled(self) -> bool:
        """Whether telemetry is on."""
        return self._is_on

    def enable(self) -> None:
        """Turn telemetry on."""
        self._is_on = True
        self._on_enable()

    def disable(self) -> None:
        """Turn telemetry off."""
        self._is_on = False
        self._on_disable()

    def _on_enable(self) -> None:
        """What a subclass does when telemetry is turned on."""

    def _on_disable(self) -> None:
        """What a subclass does when telemetry is turned off."""
