"""The Orchestrator before and while it runs; a stand-in engine takes the place of a server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from smartsim.database import Orchestrator, layout
from smartsim.database.checkpoint import Checkpoint
from smartsim.entity.dbnode import DBNode
from smartsim.error import SmartSimError, SSConfigError, SSUnsupportedError
from smartsim.plugin import hookimpl
from smartsim.plugin.manager import Plugins
from smartsim.settings import MpirunSettings, RunSettings
from smartsim.settings.base import BatchSettings
from smartsim.values import DatabaseInfo, DbNodeAddress, Deployment, PluginInfo


class Engine:
    """Database plugin whose databases answer as the test wants."""

    active = True

    def __init__(self) -> None:
        self.configured: list[tuple[str, str]] = []

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        return PluginInfo(name="redis", kind="database", api=(1, 0))

    @hookimpl
    def smartsim_database_info(self, environ: Mapping[str, str]) -> DatabaseInfo:
        if "BROKEN" in environ:
            raise SSConfigError("BROKEN is set")
        return DatabaseInfo(type="redis", executable="/bin/server")

    @hookimpl
    def smartsim_orchestrator_active(self, deployment: Deployment) -> bool:
        return self.active

    @hookimpl
    def smartsim_orchestrator_configure(self, deployment: Deployment, key: str, value: str) -> bool:
        self.configured.append((key, value))
        return True


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = Engine()

    def for_database(cls: type[Plugins], name: str) -> Plugins:
        plugins = cls()
        plugins.register(engine, f"database:{name}")
        plugins._databases[name] = engine
        return plugins

    monkeypatch.setattr(Plugins, "for_database", classmethod(for_database))
    return engine


def deployment(shards: int = 1) -> Deployment:
    nodes = [DbNodeAddress(name=f"orchestrator_{i}", host=f"10.0.0.{i}", port=6379) for i in range(shards)]
    return Deployment(identifier="orchestrator", engine="redis", nodes=nodes)


def test_one_shard(engine: Engine, tmp_path) -> None:
    database = Orchestrator(path=str(tmp_path), threads_per_queue=1, inter_op_threads=2, intra_op_threads=3)
    assert [node.name for node in database] == ["orchestrator_0"]
    assert isinstance(database.entities[0], DBNode)
    assert (database.name, database.db_identifier, database.type) == ("orchestrator", "orchestrator", "Orchestrator")
    assert (database.ports, database.num_shards, database.db_nodes) == ([6379], 1, 1)
    assert (database.queue_threads, database.inter_threads, database.intra_threads) == (1, 2, 3)
    assert (database.launcher, database.run_command, database.batch_settings) == ("local", "", None)
    assert not database.batch
    assert not database.telemetry.is_enabled
    assert database.checkpoint_file == str(tmp_path / "smartsim_db.dat")
    assert {node.path for node in database} == {str(tmp_path)}


def test_three_shards_on_one_machine_have_ports_of_their_own(engine: Engine) -> None:
    database = Orchestrator(db_nodes=3, port=7000, db_identifier="big")
    assert database.ports == [7000, 7001, 7002]
    assert [(node.name, node.ports) for node in database] == [("big_0", [7000]), ("big_1", [7001]), ("big_2", [7002])]


def test_the_spec_says_what_is_started(engine: Engine, tmp_path) -> None:
    database = Orchestrator(str(tmp_path), 7000, ["lo", "lo"], db_nodes=3, threads_per_queue=4)
    spec = database.spec(2)
    assert spec == database.spec(2)
    assert (spec.identifier, spec.engine, spec.path, spec.run) == ("orchestrator", "redis", str(tmp_path), 2)
    assert (spec.ports, spec.interfaces, spec.threads_per_queue) == ((7000, 7001, 7002), ("lo", "lo"), 4)
    assert spec.clustered
    assert not spec.single_step
    assert [options["settings"] for options in spec.settings] == ["RunSettings"] * 3
    assert dict(spec.options) == {"loopback": True}
    database.entities[0].run_settings.update_env({"A": 1})
    assert spec != database.spec(2)
    assert database.spec(2).options["env"] == {"A": "1"}


def test_the_path_of_the_list_is_that_of_its_nodes(engine: Engine, tmp_path) -> None:
    database = Orchestrator(db_nodes=3)
    assert database.path == str(Path.cwd())
    database.set_path(str(tmp_path))
    assert {node.path for node in database} == {str(tmp_path)}
    assert database.spec(0).path == str(tmp_path)


def test_one_that_never_ran_says_so_at_once(engine: Engine) -> None:
    database = Orchestrator()
    start = time.monotonic()
    assert not database.is_active()
    with pytest.raises(SmartSimError, match="Could not find database address"):
        database.get_address()
    with pytest.raises(SmartSimError, match="does not run"):
        database.enable_checkpoints(1)
    with pytest.raises(SmartSimError, match="does not say where it runs"):
        _ = database.hosts
    assert time.monotonic() - start < 1


def test_one_that_runs_gives_its_addresses(engine: Engine) -> None:
    database = Orchestrator(db_nodes=3)
    database.set_deployment(deployment(3))
    assert database.is_active()
    assert database.get_address() == ["10.0.0.0:6379", "10.0.0.1:6379", "10.0.0.2:6379"]
    assert database.hosts == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    assert [node.host for node in database] == database.hosts
    engine.active = False
    assert not database.is_active()
    with pytest.raises(SmartSimError, match=r"not active: nothing answers at 10.0.0.0:6379"):
        database.get_address()


@pytest.mark.parametrize("method", ["reset_hosts", "clear_deployment"])
def test_one_that_was_stopped_has_no_address(engine: Engine, method: str) -> None:
    database = Orchestrator()
    database.set_deployment(deployment())
    getattr(database, method)()
    assert database.deployment is None
    with pytest.raises(SmartSimError, match="Could not find database address"):
        database.get_address()


def test_settings_of_the_running_server(engine: Engine) -> None:
    database = Orchestrator()
    database.set_deployment(deployment())
    database.enable_checkpoints(5)
    database.set_max_memory("3gb")
    database.set_eviction_strategy("allkeys-lru")
    database.set_max_clients()
    database.set_max_clients(7)
    database.set_max_message_size()
    database.set_db_conf("any", "thing")
    assert engine.configured == [
        ("save", "5 1"),
        ("maxmemory", "3gb"),
        ("maxmemory-policy", "allkeys-lru"),
        ("maxclients", "50000"),
        ("maxclients", "7"),
        ("proto-max-bulk-len", "1073741824"),
        ("any", "thing"),
    ]
    for arguments in (("key", 3), (3, "value"), ("key", None)):
        with pytest.raises(TypeError, match="must be a str"):
            database.set_db_conf(*arguments)
    engine.active = False
    with pytest.raises(SmartSimError, match="not active"):
        database.set_db_conf("any", "thing")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"db_nodes": 2}, SSUnsupportedError, "two shards"),
        ({"db_nodes": "3"}, TypeError, "db_nodes must be an int"),
        ({"db_nodes": True}, TypeError, "db_nodes must be an int"),
        ({"db_nodes": 0}, ValueError, "db_nodes must be positive"),
        ({"batch": True}, SmartSimError, "no batch jobs"),
        ({"run_command": "mpirun"}, SmartSimError, "cannot start a database with 'mpirun'"),
        ({"launcher": "nosuch"}, SSUnsupportedError, "nosuch"),
        ({"interface": 3}, TypeError, "interface must be"),
        ({"interface": ["lo", 3]}, TypeError, "interface must be"),
        ({"interface": []}, ValueError, "interface must name"),
        ({"interface": "lo,eth0"}, ValueError, "interface must name"),
        ({"port": "6379"}, TypeError, "port must be an int"),
        ({"port": -1}, ValueError, "port must be positive"),
        ({"port": 65534, "db_nodes": 3}, ValueError, "port 65534 is too high"),
        ({"port": 55534, "db_nodes": 3}, ValueError, "port 55534 is too high"),
        ({"hosts": 3}, TypeError, "host_list must be"),
        ({"threads_per_queue": "2"}, TypeError, "threads_per_queue must be an int"),
        ({"db_identifier": "a/b"}, ValueError, "db_identifier 'a/b'"),
        ({"db_identifier": ""}, ValueError, "empty"),
        ({"db_identifier": None}, AttributeError, "name"),
        ({"path": 3}, TypeError, "path"),
    ],
)
def test_bad_arguments(engine: Engine, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Orchestrator(**arguments)


def test_an_unusable_server_is_an_error_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(SSConfigError, match="BROKEN is set"):
        Orchestrator()


def test_a_missing_interface_is_a_warning(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    database = Orchestrator(interface="nosuch0")
    assert database.spec(0).interfaces == ("nosuch0",)
    output = capsys.readouterr().out
    assert "no network interface nosuch0 (it has lo" in output
    assert "loopback is used instead" in output


def test_options_of_the_steps(engine: Engine) -> None:
    database = Orchestrator(db_nodes=3)
    database.set_run_arg("colour", "red")
    assert [node.run_settings.run_args for node in database] == [{"colour": "red"}] * 3
    for call in (lambda: database.set_walltime("1"), lambda: database.set_batch_arg("a", "b")):
        with pytest.raises(SmartSimError, match="no batch job of its own"):
            call()
    for bad, error in (("2", TypeError), (0, ValueError)):
        with pytest.raises(error, match="num_cpus"):
            database.set_cpus(bad)
    with pytest.raises(TypeError, match="host_list"):
        database.set_hosts(["a", 3])


# --- the seam for launchers ------------------------------------------------------------------------------------------


class Batch(BatchSettings):
    """Batch settings of no scheduler in particular."""

    reserved_shard_args = frozenset({"job-name"})

    def __init__(self, **kwargs: Any) -> None:
        self.calls: list[tuple[str, Any]] = []
        super().__init__("submit", **kwargs)

    def _record(self, name: str, value: Any) -> None:
        self.calls.append((name, value))

    def set_nodes(self, num_nodes: int) -> None:
        self._record("nodes", num_nodes)

    def set_hostlist(self, host_list: str | list[str]) -> None:
        self._record("hosts", host_list)

    def set_queue(self, queue: str) -> None:
        self._record("queue", queue)

    def set_walltime(self, walltime: str) -> None:
        self._record("walltime", walltime)

    def set_account(self, account: str) -> None:
        self._record("account", account)

    def set_ncpus(self, num_cpus: int) -> None:
        self._record("ncpus", num_cpus)

    def format_batch_args(self) -> list[str]:
        return []


class Several(RunSettings):
    """Run settings whose command starts several programs."""

    reserved_run_args = {"chdir"}  # noqa: RUF012 - as published
    reserved_shard_args = frozenset({"ntasks"})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mpmd: list[RunSettings] = []
        self.hosts: list[str] = []

    def make_mpmd(self, settings: RunSettings) -> None:
        self.mpmd.append(settings)

    def set_hostlist(self, host_list: str | list[str]) -> None:
        self.hosts = list(host_list)

    def set_tasks(self, tasks: int) -> None:
        self.run_args["ntasks"] = tasks

    def set_tasks_per_node(self, tasks_per_node: int) -> None:
        self.run_args["per-node"] = tasks_per_node

    def set_cpus_per_task(self, cpus_per_task: int) -> None:
        self.run_args["cpus"] = cpus_per_task


class Opinionated(Several):
    """Run settings that use every part of the seam."""

    arranged: tuple[int, dict[str, Any]] | None = None

    def joins_shards(self, wanted: bool, batch: bool) -> bool:
        return True

    def arrange_shards(self, shards: Any, options: Mapping[str, Any]) -> None:
        self.arranged = (len(shards), dict(options))

    def place_shards(self, shards: Any, hosts: Any, batch: bool) -> None:
        self.hosts = [f"{host}:{batch}" for host in hosts]


class Launcher:
    """A scheduler of no name."""

    settings: type[RunSettings] = Several

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        words = frozenset({"database:launch", "database:mpirun"})
        return PluginInfo(name="cluster", kind="launcher", api=(1, 0), capabilities=words)

    @hookimpl
    def smartsim_run_settings(self, exe: str, options: Mapping[str, Any]) -> RunSettings:
        return self.settings(exe, run_command="launch")

    @hookimpl
    def smartsim_batch_settings(self, nodes: int, time: str, queue: str, account: str) -> BatchSettings:
        return Batch(nodes=nodes, time=time, queue=queue, account=account)


@pytest.fixture
def launcher(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    plugin = Launcher()

    def for_launcher(cls: type[Plugins], name: str) -> Plugins:
        plugins = cls()
        plugins.register(plugin, f"launcher:{name}")
        plugins.launcher = plugin.smartsim_plugin_info()
        return plugins

    monkeypatch.setattr(Plugins, "for_launcher", classmethod(for_launcher))
    return plugin


def test_shards_on_hosts_of_their_own_share_a_port(launcher: Launcher) -> None:
    database = Orchestrator(launcher="cluster", db_nodes=3, port=7000, hosts=["n1", "n2", "n3"])
    assert database.run_command == "launch"
    assert database.ports == [7000]
    assert [node.ports for node in database] == [[7000]] * 3
    assert [node.run_settings.hosts for node in database] == [["n1"], ["n2"], ["n3"]]
    assert all(node.run_settings.run_args == {"ntasks": 1, "per-node": 1} for node in database)
    spec = database.spec()
    assert spec.ports == (7000,) * 3
    assert "loopback" not in spec.options


def test_one_command_starts_all_shards_where_the_user_wants_it(launcher: Launcher) -> None:
    database = Orchestrator(launcher="cluster", db_nodes=3, single_cmd=True)
    (node,) = database.entities
    assert (node.name, node.num_shards, node.is_mpmd) == ("orchestrator_0", 3, True)
    assert (database.num_shards, database.db_nodes, len(database)) == (3, 3, 1)
    spec = database.spec()
    assert spec.single_step
    assert (spec.shards, len(spec.settings)) == (3, 3)
    database.set_deployment(deployment(3))
    assert node.hosts == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    with pytest.raises(ValueError, match="several hosts"):
        _ = node.host
    database.set_cpus(4)
    database.set_run_arg("x", "y")
    for shard in (node.run_settings, *node.run_settings.mpmd):
        assert (shard.run_args["cpus"], shard.run_args["x"]) == (4, "y")


def test_one_shard_needs_no_command_that_starts_several(launcher: Launcher) -> None:
    assert Orchestrator(launcher="cluster", single_cmd=True).entities[0].run_settings.mpmd == []


def test_settings_with_opinions(launcher: Launcher) -> None:
    launcher.settings = Opinionated
    database = Orchestrator(launcher="cluster", db_nodes=3, cpus_per_shard=5, hosts=["a", "b"])
    (node,) = database.entities
    assert node.run_settings.arranged == (3, {"cpus_per_shard": 5})
    assert node.run_settings.hosts == ["a:False", "b:False"]


def test_a_database_in_a_batch_job(launcher: Launcher) -> None:
    database = Orchestrator(
        launcher="cluster", db_nodes=3, batch=True, hosts="n1", account="acc", time="1:00", queue="debug"
    )
    settings = database.batch_settings
    assert isinstance(settings, Batch)
    assert database.batch
    assert settings.calls == [
        ("nodes", 3), ("queue", "debug"), ("walltime", "1:00"), ("account", "acc"), ("hosts", ["n1"])
    ]  # fmt: skip
    assert all(node.run_settings.in_batch for node in database)
    assert database.spec().options["queued"] is True
    database.set_walltime("2:00")
    database.set_cpus(8)
    database.set_batch_arg("qos", "high")
    database.set_batch_arg("job-name", "mine")
    assert settings.calls[-2:] == [("walltime", "2:00"), ("ncpus", 8)]
    assert settings.batch_args == {"qos": "high"}


def test_an_allocation_needs_no_batch_job(launcher: Launcher) -> None:
    assert not Orchestrator(launcher="cluster", batch=True, alloc="17").batch


def test_reserved_options_are_ignored_with_a_warning(launcher: Launcher, capsys: pytest.CaptureFixture[str]) -> None:
    database = Orchestrator(launcher="cluster")
    for name in ("chdir", "ntasks"):
        database.set_run_arg(name, "9")
    assert database.entities[0].run_settings.run_args == {"ntasks": 1, "per-node": 1}
    assert capsys.readouterr().out.count("SmartSim sets it itself") == 2


def test_run_commands_that_the_launcher_does_not_know(launcher: Launcher) -> None:
    with pytest.raises(SmartSimError, match="use one of launch, mpirun"):
        Orchestrator(launcher="cluster", run_command="other")
    with pytest.raises(SmartSimError, match=r"started with mpirun needs hosts="):
        Orchestrator(launcher="cluster", run_command="mpirun")
    assert Orchestrator(launcher="cluster", run_command="mpirun", hosts=["n1"]).num_shards == 1


def test_a_database_that_needs_hosts_can_be_restored(launcher: Launcher, tmp_path: Path) -> None:
    database = Orchestrator(str(tmp_path), launcher="cluster", run_command="mpirun", hosts=["n1"])
    checkpoint = Checkpoint.of(
        database, spec=database.spec(), deployment=deployment(), experiment_path="/exp", handles={}
    )
    restored = Orchestrator.restore(attrs.evolve(checkpoint, run_command="mpirun"))
    assert restored.deployment == deployment()
    assert restored.entities[0].run_settings.hosts == ["10.0.0.0"]


def test_a_missing_interface_of_a_scheduler_is_left_to_its_nodes(
    launcher: Launcher, capsys: pytest.CaptureFixture[str]
) -> None:
    Orchestrator(launcher="cluster", interface="nosuch0")
    assert "fails to start on a node that does not have it either" in capsys.readouterr().out


def test_the_launcher_may_be_detected(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plugins, "detect", classmethod(lambda cls: "cluster"))
    assert Orchestrator(launcher="auto").launcher == "cluster"


def test_mpi_options_that_a_database_sets_itself() -> None:
    settings = MpirunSettings("echo", fail_if_missing_exec=False)
    assert {"np", "N", "n", "host", "wd", "wdir", "output-filename", "c"} <= layout.reserved_options(settings)
