"""The table of owners: which distribution has which public name, module, launcher and run command; they load on use.

Core spells a scheduler's name nowhere else. Plugins say where their things are by entry points:

- group ``smartsim.settings``: the name of a settings class, for example
  ``SrunSettings = "smartsim_slurm.settings:SrunSettings"``; a class that the table does not know is exported from
  `smartsim.settings` just the same;
- group ``smartsim.wlm``: the name of a module of scheduler functions, for example ``slurm = "smartsim_slurm.wlm"``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from smartsim.error import MissingPluginError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint
    from types import ModuleType

__all__ = [
    "FOREIGN_MPIEXEC",
    "RUNTIMES",
    "RUN_COMMANDS",
    "alias_target",
    "installation_hint",
    "lazy_attribute",
    "lazy_names",
]

SETTINGS = "smartsim.settings"
WLM = "smartsim.wlm"

LAUNCHERS: Mapping[str, str] = {
    "dragon": "smartsim-plugin-dragon",
    "local": "smartsim-plugin-local",
    "lsf": "smartsim-plugin-lsf",
    "pals": "smartsim-plugin-pals",
    "pbs": "smartsim-plugin-pbs",
    "sge": "smartsim-plugin-sge",
    "slurm": "smartsim-plugin-slurm",
}
"""Launcher to the distribution that has it."""

SETTINGS_CLASSES: Mapping[str, str] = {
    "AprunSettings": "pbs",
    "BsubBatchSettings": "lsf",
    "DragonRunSettings": "dragon",
    "JsrunSettings": "lsf",
    "PalsMpiexecSettings": "pals",
    "QsubBatchSettings": "pbs",
    "SbatchSettings": "slurm",
    "SgeQsubBatchSettings": "sge",
    "SrunSettings": "slurm",
}
"""Settings class to the launcher whose distribution has it."""

RUN_COMMANDS: Mapping[str, str] = {
    "aprun": "AprunSettings",
    "jsrun": "JsrunSettings",
    "srun": "SrunSettings",
}
"""Run command to its settings class."""

SETTINGS_MODULES: Mapping[str, str] = {
    "alpsSettings": "AprunSettings",
    "dragonRunSettings": "DragonRunSettings",
    "lsfSettings": "JsrunSettings",
    "palsSettings": "PalsMpiexecSettings",
    "pbsSettings": "QsubBatchSettings",
    "sgeSettings": "SgeQsubBatchSettings",
    "slurmSettings": "SrunSettings",
}
"""Module of `smartsim.settings` in 0.8 to a class whose module it stands for."""

FOREIGN_MPIEXEC: Mapping[str, str] = {"mpiexec.slurm": "srun"}
"""A word in the help of an ``mpiexec`` that is no MPI's own, and the run command to use instead."""

NEVER_BUILT = frozenset({"sge"})
"""Launchers of 0.8 that have no plugin in this project."""


RUNTIMES: Mapping[str, str] = {"dragon": "Dragon"}
"""Launchers with a runtime of their own, after which options of the command ``smart`` are named, and its spelling."""


def installation_hint(launcher: str) -> str:
    """Return how to get the launcher called `launcher`, the empty string when nobody is known to have it."""
    if launcher not in LAUNCHERS:
        return ""
    distribution = LAUNCHERS[launcher]
    if launcher in NEVER_BUILT:
        return (
            f"it belongs into a distribution {distribution}, which SmartSim does not have; if your site has one, "
            f"install it: `pip install {distribution}`"
        )
    return f"install its distribution: `pip install {distribution}`"


def lazy_names(module: str) -> list[str]:
    """Return the names that plugins add to `module`, whether or not they are installed."""
    return sorted(SETTINGS_CLASSES) if module == SETTINGS else []


def lazy_attribute(module: str, name: str) -> Any:
    """Return the attribute `name` of `module` that a plugin has: for the ``__getattr__`` of core's modules.

    Raises:
        AttributeError: no plugin has it, and none is known to.
        MissingPluginError: the plugin that has it is not installed; an ImportError.
        PluginError: several distributions have it, or it cannot be loaded.
    """
    point = None if name.startswith("_") else _entry_point(module, name)
    if point is not None:
        return _loaded(point)
    if module == SETTINGS and name in SETTINGS_CLASSES:
        raise _missing(f"{module}.{name}", SETTINGS_CLASSES[name])
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def alias_target(alias: str) -> ModuleType:
    """Return the module that stands behind a module of 0.8 such as ``smartsim.settings.slurmSettings``.

    Raises:
        MissingPluginError: the plugin that has it is not installed; an ImportError.
        PluginError: several distributions have it, or it cannot be loaded.
    """
    package, _, name = alias.rpartition(".")
    if package == SETTINGS:
        settings_class = SETTINGS_MODULES[name]
        launcher, point = SETTINGS_CLASSES[settings_class], _entry_point(SETTINGS, settings_class)
    else:
        launcher, point = name, _entry_point(WLM, name)
    if point is None:
        raise _missing(alias, launcher)
    _loaded(point)
    return importlib.import_module(point.module)


def _entry_point(group: str, name: str) -> EntryPoint | None:
    from importlib.metadata import entry_points

    found = {(point.dist.name if point.dist else ""): point for point in entry_points(group=group, name=name)}
    if len(found) > 1:
        raise PluginError(f"{group}.{name} is provided by {' and '.join(sorted(found))}: uninstall all but one")
    return next(iter(found.values()), None)


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever a plugin raises concerns that plugin only
        owner = point.dist.name if point.dist else "an unknown distribution"
        raise PluginError(
            f"{point.group}.{point.name} of {owner} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _missing(what: str, launcher: str) -> MissingPluginError:
    return MissingPluginError(f"{what} is not installed: {installation_hint(launcher)}", name=what)
