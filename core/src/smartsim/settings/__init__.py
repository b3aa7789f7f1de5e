"""Settings: how executables are run and batch jobs are requested.

The settings of a scheduler live in its plugin, which is loaded when its name is first used here; without the plugin,
that raises a `smartsim.error.MissingPluginError` naming the distribution to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartsim.plugin.exports import lazy_attribute, lazy_names
from smartsim.settings.base import RunSettings, SettingsBase
from smartsim.settings.commands import select_run_command
from smartsim.settings.containers import Container, Singularity
from smartsim.settings.mpi import MpiexecSettings, MpirunSettings, OrterunSettings
from smartsim.settings.settings import make_run_settings

if TYPE_CHECKING:
    from smartsim_dragon.settings import DragonRunSettings as DragonRunSettings
    from smartsim_lsf.settings import BsubBatchSettings as BsubBatchSettings
    from smartsim_lsf.settings import JsrunSettings as JsrunSettings
    from smartsim_pals.settings import PalsMpiexecSettings as PalsMpiexecSettings
    from smartsim_pbs.settings import AprunSettings as AprunSettings
    from smartsim_pbs.settings import QsubBatchSettings as QsubBatchSettings
    from smartsim_sge.settings import SgeQsubBatchSettings as SgeQsubBatchSettings
    from smartsim_slurm.settings import SbatchSettings as SbatchSettings
    from smartsim_slurm.settings import SrunSettings as SrunSettings
else:

    def __getattr__(name: str) -> object:
        return lazy_attribute(__name__, name)


__all__ = [
    "Container",
    "MpiexecSettings",
    "MpirunSettings",
    "OrterunSettings",
    "RunSettings",
    "SettingsBase",
    "Singularity",
    "make_run_settings",
    "select_run_command",
]


def __dir__() -> list[str]:
    return sorted([*globals(), *lazy_names(__name__)])
