"""Names that plugins bring: what happens with the plugin, without it, and with too many of it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import smartsim.settings
import smartsim.settings.mpi
import smartsim.settings.settings
from smartsim.error import MissingPluginError, PluginError, SmartSimError
from smartsim.plugin import exports

ALIASES = [f"smartsim.settings.{name}" for name in exports.SETTINGS_MODULES] + [
    "smartsim.wlm.slurm",
    "smartsim.wlm.pbs",
]

Distribution = Callable[[str, str, str], Path]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no plugin were installed, whatever this environment has."""
    monkeypatch.setattr(exports, "_entry_point", lambda group, name: None)
    for alias in ALIASES:
        monkeypatch.delitem(sys.modules, alias, raising=False)


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    """Installs a distribution that consists of one module and its entry points."""
    monkeypatch.syspath_prepend(tmp_path)
    loaded: list[str] = []

    def put(name: str, code: str, entry_points: str) -> Path:
        module = name.replace("-", "_")
        loaded.append(module)
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        importlib.invalidate_caches()
        return tmp_path

    yield put
    for module in loaded:
        sys.modules.pop(module, None)


FLUX = "class FluxSettings: pass\nclass SgeQsubBatchSettings: pass\n"


# --- without the plugin ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", exports.SETTINGS_CLASSES)
@pytest.mark.parametrize("module", [smartsim.settings, smartsim.settings.settings])
def test_a_missing_class_names_its_distribution(name: str, module: object):
    distribution = f"smartsim-plugin-{exports.SETTINGS_CLASSES[name]}"
    with pytest.raises(MissingPluginError) as caught:
        getattr(module, name)
    assert f"smartsim.settings.{name} is not installed" in str(caught.value)
    assert f"`pip install {distribution}`" in str(caught.value)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, SmartSimError)


@pytest.mark.usefixtures("bare")
def test_the_message_survives_an_import_statement():
    with pytest.raises(MissingPluginError, match="pip install smartsim-plugin-slurm"):
        from smartsim.settings import SrunSettings  # noqa: F401 - the import is what is tested


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("alias", ALIASES)
def test_a_missing_module_names_its_distribution(alias: str):
    with pytest.raises(MissingPluginError, match=r"is not installed: .*pip install smartsim-plugin-"):
        importlib.import_module(alias)
    assert alias not in sys.modules


@pytest.mark.usefixtures("bare")
def test_what_is_not_built_is_said_plainly():
    with pytest.raises(MissingPluginError, match="smartsim-plugin-sge, which SmartSim does not have"):
        _ = smartsim.settings.SgeQsubBatchSettings


@pytest.mark.parametrize("name", ["SrunSetting", "srunSettings2", "_private", "__wrapped__", ""])
def test_a_misspelt_name_is_an_attribute_error(name: str):
    for module in (smartsim.settings, smartsim.settings.settings):
        with pytest.raises(AttributeError, match=f"module 'smartsim.settings' has no attribute '{name}'"):
            getattr(module, name)
    assert not hasattr(smartsim.settings, name)


@pytest.mark.usefixtures("bare")
def test_another_module_has_no_such_names():
    with pytest.raises(AttributeError, match=r"smartsim\.wlm"):
        exports.lazy_attribute("smartsim.wlm", "SrunSettings")
    assert exports.lazy_names("smartsim.wlm") == []


def test_every_name_is_listed():
    for module in (smartsim.settings, smartsim.settings.settings):
        assert set(exports.SETTINGS_CLASSES) <= set(dir(module))
        assert {"RunSettings", "MpirunSettings", "Container"} <= set(dir(module))


def test_what_everyone_has_can_be_imported_with_a_star():
    names: dict[str, object] = {}
    exec("from smartsim.settings import *", names)
    assert names["MpirunSettings"] is smartsim.settings.MpirunSettings


@pytest.mark.parametrize("launcher", exports.LAUNCHERS)
def test_the_hint_names_the_distribution(launcher: str):
    assert f"pip install smartsim-plugin-{launcher}" in exports.installation_hint(launcher)


def test_there_is_no_hint_for_an_unknown_launcher():
    assert exports.installation_hint("nowhere") == ""


def test_the_tables_agree():
    assert set(exports.SETTINGS_CLASSES.values()) <= set(exports.LAUNCHERS)
    assert set(exports.SETTINGS_MODULES.values()) <= set(exports.SETTINGS_CLASSES)
    assert set(exports.RUN_COMMANDS.values()) <= set(exports.SETTINGS_CLASSES)
    assert set(exports.FOREIGN_MPIEXEC.values()) <= set(exports.RUN_COMMANDS)


# --- with the plugin -------------------------------------------------------------------------------------------------


def test_a_plugin_brings_its_class(distribution: Distribution):
    distribution(
        "site-flux",
        FLUX,
        "[smartsim.settings]\nFluxSettings = site_flux:FluxSettings\n"
        "SgeQsubBatchSettings = site_flux:SgeQsubBatchSettings\n",
    )
    import site_flux

    assert smartsim.settings.FluxSettings is site_flux.FluxSettings
    assert smartsim.settings.settings.FluxSettings is site_flux.FluxSettings
    assert smartsim.settings.SgeQsubBatchSettings is site_flux.SgeQsubBatchSettings
    from smartsim.settings import FluxSettings

    assert FluxSettings is site_flux.FluxSettings


def test_an_alias_is_the_plugins_own_module(distribution: Distribution, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "smartsim.settings.sgeSettings", raising=False)
    distribution("site-sge", FLUX, "[smartsim.settings]\nSgeQsubBatchSettings = site_sge:SgeQsubBatchSettings\n")
    import site_sge

    assert importlib.import_module("smartsim.settings.sgeSettings") is site_sge
    sys.modules.pop("smartsim.settings.sgeSettings")
    del smartsim.settings.sgeSettings


def test_an_alias_of_scheduler_functions(distribution: Distribution, monkeypatch: pytest.MonkeyPatch):
    distribution("site-wlm", "def get_hosts(): return ['a']\n", "[smartsim.wlm]\nflux = site_wlm\n")
    assert exports.alias_target("smartsim.wlm.flux").get_hosts() == ["a"]


def test_importing_settings_loads_no_plugin(distribution: Distribution):
    folder = distribution(
        "site-loud", "raise RuntimeError('loaded')\n", "[smartsim.settings]\nFluxSettings = site_loud:FluxSettings\n"
    )
    code = "import smartsim.settings, sys; assert 'site_loud' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(folder)}, check=True)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise RuntimeError('boom')\n", "RuntimeError: boom"),
        ("", "AttributeError"),
        ("import no_such_thing\n", "no_such"),
    ],
)
def test_a_broken_plugin_is_named(code: str, says: str, distribution: Distribution):
    distribution("site-broken", code, "[smartsim.settings]\nFluxSettings = site_broken:FluxSettings\n")
    with pytest.raises(PluginError, match=f"FluxSettings of site-broken cannot be loaded: .*{says}"):
        _ = smartsim.settings.FluxSettings


def test_two_plugins_of_one_name_are_refused(distribution: Distribution):
    for name in ("site-one", "site-two"):
        distribution(name, FLUX, f"[smartsim.settings]\nFluxSettings = {name.replace('-', '_')}:FluxSettings\n")
    with pytest.raises(PluginError, match="provided by site-one and site-two: uninstall all but one"):
        _ = smartsim.settings.FluxSettings


# --- modules of core under other paths --------------------------------------------------------------------------------


def test_the_mpi_settings_have_another_path():
    from smartsim.settings.mpiSettings import _BaseMPISettings

    assert importlib.import_module("smartsim.settings.mpiSettings") is smartsim.settings.mpi
    assert _BaseMPISettings is smartsim.settings.mpi._BaseMPISettings
