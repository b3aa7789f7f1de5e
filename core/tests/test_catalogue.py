"""Discovery: what is installed, what is broken, what clashes, what the environment excludes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smartsim.error import PluginError, SSUnsupportedError
from smartsim.plugin import API_VERSION
from smartsim.plugin.catalogue import DATABASES, EXTENSIONS, LAUNCHERS, catalogue
from smartsim.plugin.manager import Plugins

GOOD = """
    from smartsim.plugin import API_VERSION, hookimpl
    from smartsim.values import Detection, PluginInfo

    class plugin:
        @hookimpl
        def smartsim_plugin_info(self):
            return PluginInfo(name="NAME", kind="KIND", api=API_VERSION, capabilities={"batch", "mpmd"})

        @hookimpl
        def smartsim_detect(self, env):
            return Detection(score=int(env.get("NAME_SCORE", "1")))
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one plugin, as far as Python can tell."""
    count = 0

    def install(
        name: str, code: str = GOOD, *, group: str = LAUNCHERS, dist: str | None = None, requires: str = ""
    ) -> None:
        nonlocal count
        count += 1
        kind = group.removeprefix("smartsim.").removesuffix("s")
        dist = dist or f"site-{name}"
        module = f"plugin_under_test_{count}_{abs(hash(tmp_path))}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code).replace("NAME", name).replace("KIND", kind))
        info = tmp_path / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        requirement = f"Requires-Dist: smartsim-core{requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n{requirement}")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:plugin\n")
        catalogue.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield install
    catalogue.cache_clear()


def report_of(name: str) -> list[str | None]:
    return [report.error for report in catalogue().survey() if report.name == name]


def test_a_plugin_is_known_by_its_entry_point_without_being_imported(install: Install) -> None:
    install("quiet", "raise SystemError('imported')")
    assert "quiet" in catalogue().names(LAUNCHERS)


def test_a_good_plugin_is_described(install: Install) -> None:
    install("good")
    (report,) = [report for report in catalogue().survey() if report.name == "good"]
    assert (report.distribution, report.version, report.kind) == ("site-good", "1.2", "launcher")
    assert report.api == API_VERSION
    assert report.capabilities == ("batch", "mpmd")
    assert report.error is None
    assert Plugins.for_launcher("good").launcher is not None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise RuntimeError('no licence server')", "RuntimeError: no licence server"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("value = 1", "has no attribute 'plugin'"),
        ("class plugin: pass", "smartsim_plugin_info"),
        ("class plugin:\n    def smartsim_plugin_info(self): return 7", "returned 7 instead of a PluginInfo"),
        (GOOD.replace("KIND", "database"), "says of itself that it is a database"),
        (GOOD.replace('"NAME"', '"other"'), "calls itself 'other'"),
        (GOOD.replace("api=API_VERSION", "api=(99, 0)"), "needs hook API 99.0"),
        (GOOD.replace("api=API_VERSION", "api=(0, 1)"), "needs hook API 0.1"),
    ],
)
def test_a_broken_plugin_is_kept_with_its_error_and_disturbs_nobody(install: Install, code: str, expected: str) -> None:
    install("broken", code)
    install("fine")
    (error,) = report_of("broken")
    assert error is not None
    assert expected in error
    assert "site-broken 1.2" in error
    assert report_of("fine") == [None]
    with pytest.raises(PluginError, match="broken"):
        Plugins.for_launcher("broken")


def test_a_hook_with_an_unknown_argument_is_refused_and_named(install: Install) -> None:
    install("odd", GOOD.replace("smartsim_detect(self, env)", "smartsim_detect(self, env, moon)"))
    with pytest.raises(PluginError, match=r"(?s)site-odd.*moon"):
        Plugins.for_launcher("odd")


def test_a_hook_that_does_not_exist_is_refused(install: Install) -> None:
    install("odd", GOOD.replace("smartsim_detect", "smartsim_dance"))
    with pytest.raises(PluginError, match="smartsim_dance"):
        Plugins.for_launcher("odd")


def test_a_range_that_excludes_this_core_is_refused_with_the_remedy(install: Install) -> None:
    install("old", requires="<0.5")
    with pytest.raises(PluginError, match=r"needs smartsim-core<0\.5.*pip install"):
        Plugins.for_launcher("old")


def test_two_providers_of_one_name_are_refused_naming_both(install: Install) -> None:
    install("twin", dist="site-a")
    install("twin", dist="site-b")
    with pytest.raises(PluginError, match=r"site-a 1\.2 and site-b 1\.2: uninstall"):
        Plugins.for_launcher("twin")
    assert all("site-a 1.2 and site-b 1.2" in (error or "") for error in report_of("twin"))


def test_a_broken_extension_does_not_keep_anybody_from_running(install: Install) -> None:
    install("annotator", "raise RuntimeError('boom')", group=EXTENSIONS)
    assert Plugins.for_launcher("local").launcher is not None


@pytest.mark.parametrize("value", ["good", "site-good", "other, good"])
def test_the_environment_can_exclude_a_plugin(install: Install, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SMARTSIM_DISABLE_PLUGINS", value)
    install("good")
    with pytest.raises(PluginError, match="disabled by the environment"):
        Plugins.for_launcher("good")


def test_the_environment_can_restrict_the_set(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSIM_PLUGINS", "good,redis")
    install("good")
    assert catalogue().names(LAUNCHERS) == ("good",)
    assert catalogue().names(DATABASES) == ("redis",)
    Plugins.for_launcher("good")


def test_an_unknown_launcher_is_refused_with_what_there_is() -> None:
    with pytest.raises(SSUnsupportedError, match=r"Launcher type not supported: nowhere.*local"):
        Plugins.for_launcher("nowhere")


def test_a_launcher_of_ours_that_is_not_installed_names_its_distribution() -> None:
    with pytest.raises(SSUnsupportedError, match="pip install smartsim-plugin-lsf"):
        Plugins.for_launcher("lsf")


def test_an_unknown_database_is_refused_with_what_there_is() -> None:
    with pytest.raises(SSUnsupportedError, match=r"not supported: oracle .*redis"):
        Plugins.for_database("oracle")


def test_the_best_score_is_detected_and_a_broken_launcher_is_not_in_the_way(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("alpha")
    install("beta")
    install("broken", "raise RuntimeError('boom')")
    assert Plugins.detect() == "alpha"
    monkeypatch.setenv("beta_SCORE", "5")
    assert Plugins.detect() == "beta"


def test_without_any_scheduler_the_local_launcher_is_detected() -> None:
    assert Plugins.detect() == "local"


def test_each_experiment_has_plugin_objects_of_its_own(install: Install) -> None:
    install("good")
    one, two = Plugins.for_launcher("good"), Plugins.for_launcher("good")
    assert one is not two
    assert one.launcher == two.launcher
