"""Each hook, as a plugin sees it: who is asked, with what, and what is done with the answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from smartsim.error import LauncherError, PluginError, SSUnsupportedError
from smartsim.plugin import API_VERSION, hookimpl, manager
from smartsim.plugin.catalogue import Catalogue, Provider
from smartsim.plugin.manager import Plugins
from smartsim.preview.value import Preview
from smartsim.status import State
from smartsim.values import (
    Context,
    DatabaseInfo,
    DbNodeAddress,
    Deployment,
    Detection,
    JobEvent,
    JobHandle,
    JobSpec,
    JobStatus,
    LaunchPlan,
    OrchestratorSpec,
    PluginInfo,
    Query,
)

SPEC = JobSpec(name="model", argv=["true"], cwd="/run", stdout="/run/model.out", stderr="/run/model.err")
PLAN = LaunchPlan(step="model-0", entity="model", argv=["true"], cwd="/run", stdout="/run/o", stderr="/run/e")
HANDLE = JobHandle(launcher="here", native_id="1", step="model-0")
CTX = Context(experiment="exp", path="/run", launcher="here")
EVENT = JobEvent(handle=HANDLE, entity="model", entity_type="Model", status=JobStatus(state=State.RUNNING))
DEPLOYMENT = Deployment(
    identifier="orchestrator", engine="store", nodes=[DbNodeAddress(name="n", host="127.0.0.1", port=1)]
)
ORCHESTRATOR = OrchestratorSpec(
    identifier="orchestrator", engine="store", path="/run/orchestrator", ports=[6379], interfaces=["lo"]
)


class Launcher:
    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        return PluginInfo(name="here", kind="launcher", api=API_VERSION)


class Extension:
    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        return PluginInfo(name=self.name, kind="extension", api=API_VERSION)

    name = "extra"


class Database:
    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        return PluginInfo(name=self.name, kind="database", api=API_VERSION)

    name = "store"


Compose = Callable[..., Plugins]


@pytest.fixture
def catalogue_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install plugin classes, as if their distributions were there."""

    def install(*classes: type) -> None:
        providers = []
        for plugin in classes:
            info = plugin().smartsim_plugin_info()
            entry_point: Any = SimpleNamespace(load=lambda plugin=plugin: plugin, dist=None)
            providers.append(
                Provider(
                    name=info.name,
                    group=f"smartsim.{info.kind}s",
                    distribution=f"{info.name}-dist",
                    version="1",
                    entry_point=entry_point,
                )
            )
        ordered = sorted(providers, key=lambda provider: (provider.group, provider.name))
        found = Catalogue(providers=tuple(ordered))
        monkeypatch.setattr(manager, "catalogue", lambda: found)

    return install


@pytest.fixture
def compose(catalogue_of: Callable[..., None]) -> Compose:
    """Make the plugins of an experiment whose launcher is `here` from classes."""

    def composed(*classes: type) -> Plugins:
        catalogue_of(*classes)
        return Plugins.for_launcher("here")

    return composed


def test_hook_plugin_info_names_the_launcher(compose: Compose):
    info = compose(Launcher).launcher
    assert info is not None
    assert info.name == "here"


def test_hook_plugin_info_must_fit_the_entry_point(catalogue_of: Callable[..., None]):
    names = iter(["here", "elsewhere"])

    class Fickle:
        @hookimpl
        def smartsim_plugin_info(self) -> PluginInfo:
            return PluginInfo(name=next(names), kind="launcher", api=API_VERSION)

    catalogue_of(Fickle)
    with pytest.raises(PluginError, match="calls itself 'elsewhere'"):
        Plugins.for_launcher("here")


def test_hook_detect_the_best_score_wins(catalogue_of: Callable[..., None]):
    class Here(Launcher):
        @hookimpl
        def smartsim_detect(self, env: dict[str, str], which: Callable[[str], str | None]) -> Detection:
            assert "PATH" in env
            assert which("sh")
            return Detection(score=5)

    class Better:
        @hookimpl
        def smartsim_plugin_info(self) -> PluginInfo:
            return PluginInfo(name="better", kind="launcher", api=API_VERSION)

        @hookimpl
        def smartsim_detect(self) -> Detection:
            return Detection(score=6)

    class Silent:
        @hookimpl
        def smartsim_plugin_info(self) -> PluginInfo:
            return PluginInfo(name="silent", kind="launcher", api=API_VERSION)

    class Broken:
        @hookimpl
        def smartsim_plugin_info(self) -> PluginInfo:
            return PluginInfo(name="broken", kind="launcher", api=API_VERSION)

        @hookimpl
        def smartsim_detect(self) -> Detection:
            raise RuntimeError("no idea")

    catalogue_of(Here, Better, Silent, Broken)
    assert Plugins.detect() == "better"
    catalogue_of(Silent, Broken)
    assert Plugins.detect() == manager.FALLBACK_LAUNCHER


def test_hook_open_is_called_once_and_hook_close_in_reverse(compose: Compose):
    calls: list[str] = []

    class First(Extension):
        name = "first"

        @hookimpl
        def smartsim_open(self, ctx: Context, report: Callable[[JobHandle, JobStatus], None]) -> None:
            calls.append("open first")

        @hookimpl
        def smartsim_close(self, ctx: Context) -> None:
            calls.append("close first")

    class Second(Extension):
        name = "second"

        @hookimpl
        def smartsim_open(self) -> None:
            calls.append("open second")

        @hookimpl
        def smartsim_close(self) -> None:
            calls.append("close second")

    plugins = compose(Launcher, First, Second)
    plugins.close(CTX)
    assert calls == []
    plugins.open(CTX, lambda handle, status: None)
    plugins.open(CTX, lambda handle, status: None)
    opened = [call.removeprefix("open ") for call in calls]
    assert sorted(opened) == ["first", "second"]
    calls.clear()
    plugins.close(CTX)
    plugins.close(CTX)
    assert calls == [f"close {name}" for name in reversed(opened)]


def test_hook_open_that_fails_closes_what_was_opened(compose: Compose):
    calls: list[str] = []

    class Clumsy(Extension):
        @hookimpl
        def smartsim_open(self) -> None:
            raise LauncherError("no server")

        @hookimpl
        def smartsim_close(self) -> None:
            calls.append("closed")

    with pytest.raises(LauncherError, match="no server"):
        compose(Launcher, Clumsy).open(CTX, lambda handle, status: None)
    assert calls == ["closed"]


def test_hook_close_that_fails_stops_no_other(compose: Compose, caplog: pytest.LogCaptureFixture):
    closed: list[str] = []

    class Broken(Extension):
        name = "broken"

        @hookimpl
        def smartsim_close(self) -> None:
            raise RuntimeError("stuck")

    class Careful(Extension):
        name = "careful"

        @hookimpl
        def smartsim_close(self) -> None:
            closed.append("careful")

    plugins = compose(Launcher, Broken, Careful)
    plugins.open(CTX, lambda handle, status: None)
    plugins.close(CTX)
    assert closed == ["careful"]


def test_hook_run_settings_is_asked_of_the_launcher(compose: Compose):
    settings: Any = object()

    class Chooser(Launcher):
        @hookimpl
        def smartsim_run_settings(self, exe: str, run_command: str, options: dict[str, Any]) -> Any:
            assert (exe, run_command, options) == ("sim", "auto", {"alloc": "7"})
            return settings

    arguments: dict[str, Any] = {"exe_args": None, "run_args": None, "env_vars": None, "container": None}
    words = {"exe": "sim", "run_command": "auto", "options": {"alloc": "7"}}
    assert compose(Chooser).run_settings(**words, **arguments) is settings
    assert compose(Launcher).run_settings(**words, **arguments) is None


def test_hook_batch_settings_none_means_no_batch_jobs(compose: Compose):
    settings: Any = object()

    class Batch(Launcher):
        @hookimpl
        def smartsim_batch_settings(self, nodes: int, queue: str) -> Any:
            assert (nodes, queue) == (2, "short")
            return settings

    arguments: dict[str, Any] = {"time": "", "account": "", "batch_args": None, "options": {}}
    assert compose(Batch).batch_settings(nodes=2, queue="short", **arguments) is settings
    assert compose(Launcher).batch_settings(nodes=2, queue="short", **arguments) is None


def test_hook_configure_job_each_sees_what_the_one_before_returned(compose: Compose):
    class A(Extension):
        name = "a"

        @hookimpl
        def smartsim_configure_job(self, spec: JobSpec, ctx: Context) -> JobSpec:
            return evolve(spec, argv=(*spec.argv, "a"))

    class B(Extension):
        name = "b"

        @hookimpl
        def smartsim_configure_job(self, spec: JobSpec) -> None:
            assert spec.argv[-1] in {"a", "true"}

    class C(Extension):
        name = "c"

        @hookimpl(tryfirst=True)
        def smartsim_configure_job(self, spec: JobSpec) -> JobSpec:
            return evolve(spec, argv=(*spec.argv, "c"))

    argv = compose(Launcher, A, C).configure_job(SPEC, CTX).argv
    assert argv == ("true", "c", "a")
    assert compose(Launcher, A, B).configure_job(SPEC, CTX).argv == ("true", "a")


@pytest.mark.parametrize("answer", ["a text", SPEC.argv])
def test_hook_configure_job_that_returns_something_else_is_named(compose: Compose, answer: object):
    class Wrong(Extension):
        @hookimpl
        def smartsim_configure_job(self) -> object:
            return answer

    with pytest.raises(PluginError, match=r"extra.*instead of a JobSpec"):
        compose(Launcher, Wrong).configure_job(SPEC, CTX)


def test_hook_configure_job_that_fails_is_named(compose: Compose):
    class Wrong(Extension):
        @hookimpl
        def smartsim_configure_job(self) -> None:
            raise ValueError("no account")

    with pytest.raises(PluginError, match=r"extra.*'model'.*no account"):
        compose(Launcher, Wrong).configure_job(SPEC, CTX)


def test_hook_plan(compose: Compose):
    class Planner(Launcher):
        @hookimpl
        def smartsim_plan(self, spec: JobSpec, ctx: Context) -> LaunchPlan:
            assert ctx == CTX
            return evolve(PLAN, argv=("run", *spec.argv))

    plan = compose(Planner).plan(SPEC, CTX)
    assert plan is not None
    assert plan.argv == ("run", "true")
    assert compose(Launcher).plan(SPEC, CTX) is None


def test_hook_launch_the_launcher_goes_before_core_and_wrappers_see_it(compose: Compose):
    seen: list[object] = []

    class Launching(Launcher):
        @hookimpl
        def smartsim_launch(self, plans: list[LaunchPlan]) -> list[JobHandle] | None:
            return [HANDLE] if plans[0].kind == "batch" else None

    class Core:
        @hookimpl(trylast=True)
        def smartsim_launch(self, plans: list[LaunchPlan]) -> list[JobHandle]:
            return [evolve(HANDLE, launcher="core") for _ in plans]

    class Watching(Extension):
        @hookimpl(wrapper=True)
        def smartsim_launch(self, plans: list[LaunchPlan]) -> Iterator[None]:
            handles = yield
            seen.append(handles)
            return handles  # type: ignore[return-value]  # pluggy reads a generator's return value

    plugins = compose(Launching, Watching)
    plugins.register(Core(), "core")
    assert plugins.launch([evolve(PLAN, kind="batch")], CTX) == [HANDLE]
    assert plugins.launch([PLAN, PLAN], CTX) == [evolve(HANDLE, launcher="core")] * 2
    assert len(seen) == 2


@pytest.mark.parametrize("answer", [None, []])
def test_hook_launch_must_give_a_handle_for_each_plan(compose: Compose, answer: object):
    class Wrong(Launcher):
        @hookimpl
        def smartsim_launch(self) -> object:
            return answer

    with pytest.raises(PluginError, match="for 1 plans"):
        compose(Wrong).launch([PLAN], CTX)


def test_hook_status_and_hook_stop_without_an_answer_know_nothing(compose: Compose):
    assert compose(Launcher).status([HANDLE], CTX) == {}
    assert compose(Launcher).stop([HANDLE], 1.0, CTX) == {}


def test_hook_status(compose: Compose):
    class Asked(Launcher):
        @hookimpl
        def smartsim_status(self, handles: list[JobHandle], ctx: Context) -> dict[JobHandle, JobStatus]:
            return {handle: JobStatus(state=State.QUEUED) for handle in handles}

    assert compose(Asked).status([HANDLE], CTX)[HANDLE].state is State.QUEUED


def test_hook_stop(compose: Compose):
    class Stopping(Launcher):
        @hookimpl
        def smartsim_stop(self, handles: list[JobHandle], grace: float) -> dict[JobHandle, JobStatus]:
            assert grace == 2.5
            return {handle: JobStatus(state=State.CANCELLED) for handle in handles}

    assert compose(Stopping).stop([HANDLE], 2.5, CTX)[HANDLE].state is State.CANCELLED


def test_hook_query(compose: Compose):
    class Knowing(Launcher):
        @hookimpl
        def smartsim_query(self, query: Query) -> list[str] | None:
            return ["node1"] if query.topic == "hosts" else None

    plugins = compose(Knowing)
    assert plugins.query(Query(topic="hosts")) == ["node1"]
    assert plugins.query(Query(topic="queue")) is None


class Store(Database):
    """Answers every database hook with something to be recognised by."""

    @hookimpl
    def smartsim_database_info(self, environ: dict[str, str]) -> DatabaseInfo:
        return DatabaseInfo(type="redis", executable=f"/bin/{self.name}", version=environ.get("V", ""))

    @hookimpl
    def smartsim_deploy_orchestrator(self, spec: OrchestratorSpec, ctx: Context) -> list[JobSpec]:
        return [evolve(SPEC, name=f"{self.name}_{port}") for port in spec.ports]

    @hookimpl
    def smartsim_orchestrator_ready(
        self, spec: OrchestratorSpec, check: Callable[[], None], ctx: Context
    ) -> Deployment:
        check()
        return evolve(DEPLOYMENT, identifier=spec.identifier, engine=self.name)

    @hookimpl
    def smartsim_orchestrator_stop(self, deployment: Deployment, ctx: Context) -> bool:
        return self.name == "store"

    @hookimpl
    def smartsim_orchestrator_active(self, deployment: Deployment) -> bool:
        return self.name == "store"

    @hookimpl
    def smartsim_orchestrator_configure(self, deployment: Deployment, key: str, value: str) -> bool:
        CONFIGURED.append((self.name, key, value))
        return True


class OtherStore(Store):
    name = "other"


CONFIGURED: list[tuple[str, str, str]] = []


@pytest.fixture
def two_engines(compose: Compose) -> Plugins:
    """Plugins that have used both engines, so that both are registered."""
    plugins = compose(Launcher, Store, OtherStore)
    for engine in ("other", "store"):
        plugins.database_info(engine, {})
    return plugins


def test_hook_database_info_is_asked_of_the_named_engine(two_engines: Plugins):
    assert two_engines.database_info("store", {"V": "9"}) == DatabaseInfo(
        type="redis", executable="/bin/store", version="9"
    )
    assert two_engines.database_info("other", {}).executable == "/bin/other"


def test_hook_database_info_of_an_engine_that_is_not_installed(compose: Compose):
    with pytest.raises(SSUnsupportedError, match=r"missing.*installed engines: store"):
        compose(Launcher, Store).database_info("missing", {})


def test_hook_deploy_orchestrator_is_routed_by_the_specs_engine(two_engines: Plugins):
    assert [shard.name for shard in two_engines.deploy_orchestrator(ORCHESTRATOR, CTX)] == ["store_6379"]
    other = evolve(ORCHESTRATOR, engine="other")
    assert [shard.name for shard in two_engines.deploy_orchestrator(other, CTX)] == ["other_6379"]


def test_hook_orchestrator_ready_passes_the_check_on(two_engines: Plugins):
    checked: list[bool] = []
    deployment = two_engines.orchestrator_ready(ORCHESTRATOR, lambda: checked.append(True), CTX)
    assert (deployment.engine, checked) == ("store", [True])

    def ended() -> None:
        raise LauncherError("a shard has ended")

    with pytest.raises(LauncherError, match="a shard has ended"):
        two_engines.orchestrator_ready(ORCHESTRATOR, ended, CTX)


def test_hook_orchestrator_stop_and_hook_orchestrator_active_are_routed(two_engines: Plugins):
    other = evolve(DEPLOYMENT, engine="other")
    assert two_engines.orchestrator_stop(DEPLOYMENT, CTX) is True
    assert two_engines.orchestrator_stop(other, CTX) is False
    assert two_engines.orchestrator_active(DEPLOYMENT) is True
    assert two_engines.orchestrator_active(other) is False


def test_hook_orchestrator_active_without_an_experiment(catalogue_of: Callable[..., None]):
    catalogue_of(Store)
    assert Plugins.for_database("store").orchestrator_active(DEPLOYMENT) is True


def test_hook_orchestrator_configure_is_routed(two_engines: Plugins):
    CONFIGURED.clear()
    two_engines.orchestrator_configure(DEPLOYMENT, "save", "")
    assert CONFIGURED == [("store", "save", "")]


def test_hook_render_preview_the_first_that_knows_the_format(compose: Compose):
    class Json(Extension):
        @hookimpl
        def smartsim_render_preview(self, preview: Preview, verbosity: str, output_format: str) -> str | None:
            return f"{{{verbosity}}}" if output_format == "json" else None

    preview = Preview(**dict.fromkeys(required_fields(Preview), "text"))
    plugins = compose(Launcher, Json)
    assert plugins.render_preview(preview, "info", "json") == "{info}"
    assert plugins.render_preview(preview, "info", "yaml") is None


def required_fields(kind: type) -> list[str]:
    parameters = inspect.signature(kind).parameters
    return [name for name, parameter in parameters.items() if parameter.default is parameter.empty]


def test_hook_job_event_reaches_all_observers_whatever_one_does(compose: Compose):
    seen: list[JobEvent] = []

    class Broken(Extension):
        name = "broken"

        @hookimpl
        def smartsim_job_event(self, event: JobEvent) -> None:
            raise RuntimeError("full disk")

    class Observer(Extension):
        name = "observer"

        @hookimpl
        def smartsim_job_event(self, event: JobEvent) -> None:
            seen.append(event)

    compose(Launcher, Broken, Observer).job_event(EVENT)
    assert seen == [EVENT]


def test_a_plugin_with_an_unknown_hook_is_refused(compose: Compose):
    class Misspelt(Launcher):
        @hookimpl
        def smartsim_lunch(self) -> None: ...

    with pytest.raises(PluginError, match="smartsim_lunch"):
        compose(Misspelt)
