"""Real servers: the one that comes with the package, and others where the machine has them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from attrs import evolve

from ports import free_ports
from smartsim.error.errors import SmartSimError
from smartsim.values import DbNodeAddress, Deployment
from smartsim_redis import cluster, plugin
from smartsim_redis.client import Connection
from smartsim_redis.locate import find_server

MakeDatabase = Callable[..., "Database"]  # noqa: F821 - of conftest.py, which cannot be imported

ODD_PATHS = ["with space", "quote ' and \"", "dollar $HOME `id`", "ümläut", "back\\slash", "#hash"]


def client(node: DbNodeAddress) -> redis.Redis:
    return redis.Redis(host=node.host, port=node.port, decode_responses=True)


def test_hook_smartsim_orchestrator_ready_and_stop_of_one_shard(database: MakeDatabase) -> None:
    one = database()
    deployment = one.start()
    assert deployment.addresses == (f"127.0.0.1:{one.spec.ports[0]}",)
    assert deployment.path == one.spec.path
    with client(deployment.nodes[0]) as link:
        link.set("key", "value")
        assert link.get("key") == "value"
    assert plugin.smartsim_orchestrator_active(deployment)
    assert plugin.smartsim_orchestrator_stop(deployment)
    assert one.exit_codes() == [0]
    assert not plugin.smartsim_orchestrator_active(deployment)
    # Nothing asked for checkpoints, so there is none.
    assert not list(Path(one.spec.path).glob("*.rdb"))


def test_the_shard_becomes_the_server(database: MakeDatabase) -> None:
    one = database()
    deployment = one.start()
    with client(deployment.nodes[0]) as link:
        assert link.info("server")["process_id"] == one.processes[0].pid


def test_three_shards_form_a_cluster(database: MakeDatabase) -> None:
    three = database(3)
    deployment = three.start()
    assert len(set(deployment.addresses)) == 3
    assert plugin.smartsim_orchestrator_active(deployment)
    with redis.RedisCluster(host="127.0.0.1", port=three.spec.ports[0], decode_responses=True) as link:
        for number in range(50):
            link.set(f"key{number}", number)
        assert [link.get(f"key{number}") for number in range(50)] == [str(number) for number in range(50)]
    sizes = []
    for node in deployment.nodes:
        with client(node) as link:
            sizes.append(link.dbsize())
            # Joining is done in haste; the cluster then works with the patience of its configuration.
            assert link.config_get("cluster-node-timeout") == {"cluster-node-timeout": "15000"}
    assert sum(sizes) == 50
    assert all(sizes)
    assert plugin.smartsim_orchestrator_stop(deployment)
    assert three.exit_codes() == [0, 0, 0]


def test_joining_a_cluster_again_changes_nothing(database: MakeDatabase) -> None:
    deployment = database(3).start()

    def wait(awaited: str) -> None:
        raise AssertionError(f"had to wait for {awaited}")

    cluster.form_cluster(deployment.nodes, wait)
    assert plugin.smartsim_orchestrator_active(deployment)


def test_a_cluster_without_one_of_its_shards_is_not_active(database: MakeDatabase) -> None:
    three = database(3)
    deployment = three.start()
    three.processes[1].kill()
    three.processes[1].wait()
    assert not plugin.smartsim_orchestrator_active(deployment)
    assert not plugin.smartsim_orchestrator_stop(deployment)
    assert three.exit_codes() == [0, -9, 0]


def test_hook_smartsim_orchestrator_configure_on_every_shard(database: MakeDatabase) -> None:
    deployment = database(3).start()
    assert plugin.smartsim_orchestrator_configure(deployment, "maxmemory", "100mb")
    for node in deployment.nodes:
        with client(node) as link:
            assert link.config_get("maxmemory") == {"maxmemory": str(100 * 2**20)}
    with pytest.raises(SmartSimError, match=r"Invalid CONFIG key-value pair \(maxmemory: much\): .*memory"):
        plugin.smartsim_orchestrator_configure(deployment, "maxmemory", "much")
    with pytest.raises(SmartSimError, match="Invalid CONFIG key-value pair"):
        plugin.smartsim_orchestrator_configure(deployment, "no such setting", "1")


def test_configure_of_a_server_that_is_gone(database: MakeDatabase) -> None:
    node = DbNodeAddress(name="orchestrator_0", host="127.0.0.1", port=free_ports())
    with pytest.raises(SmartSimError, match="cannot be reached to set save"):
        plugin.smartsim_orchestrator_configure(Deployment(identifier="x", engine="redis", nodes=[node]), "save", "1 1")


def test_a_database_with_checkpoints_is_saved_when_stopped_and_loaded_again(database: MakeDatabase) -> None:
    one = database()
    deployment = one.start()
    plugin.smartsim_orchestrator_configure(deployment, "save", "3600 1")
    with client(deployment.nodes[0]) as link:
        link.set("key", "value")
    assert plugin.smartsim_orchestrator_stop(deployment)
    assert one.exit_codes() == [0]
    assert Path(one.spec.path, "dump.rdb").exists()
    again = database()
    deployment = again.start()
    with client(deployment.nodes[0]) as link:
        assert link.get("key") == "value"


def test_save_writes_to_the_folder_of_the_database(database: MakeDatabase) -> None:
    one = database()
    with client(one.start().nodes[0]) as link:
        link.set("key", "value")
        link.save()
    assert Path(one.spec.path, "dump.rdb").stat().st_size > 0


def test_the_shards_of_a_saved_cluster_load_their_own_part(database: MakeDatabase) -> None:
    three = database(3)
    deployment = three.start()
    plugin.smartsim_orchestrator_configure(deployment, "save", "3600 1")
    with redis.RedisCluster(host="127.0.0.1", port=three.spec.ports[0]) as link:
        for number in range(30):
            link.set(f"key{number}", number)
    assert plugin.smartsim_orchestrator_stop(deployment)
    three.exit_codes()
    for stale in Path(three.spec.path).glob("nodes-*.conf"):
        stale.unlink()
    again = database(3)
    again.start()
    with redis.RedisCluster(host="127.0.0.1", port=again.spec.ports[0], decode_responses=True) as link:
        assert [link.get(f"key{number}") for number in range(30)] == [str(number) for number in range(30)]


def test_data_of_a_cluster_of_another_size_is_refused(database: MakeDatabase) -> None:
    one = database(identifier="first")
    deployment = one.start()
    with client(deployment.nodes[0]) as link:
        for number in range(100):
            link.set(f"key{number}", number)
        link.save()
    folder = Path(one.spec.path)
    shutil.copy(folder / "dump.rdb", folder / "dump-orchestrator_1.rdb")
    with pytest.raises(SmartSimError, match=r"orchestrator_1 .*another number of shards"):
        database(3).start()


def test_a_taken_port_is_named(database: MakeDatabase) -> None:
    one = database()
    with socket.create_server(("127.0.0.1", one.spec.ports[0])):
        one.launch()
        assert one.exit_codes() == [1]
    assert f"ERROR: cannot listen on 127.0.0.1:{one.spec.ports[0]}" in one.output()
    assert "another port" in one.output()
    with pytest.raises(SmartSimError, match="a shard ended"):
        one.wait()


def test_a_taken_port_of_the_cluster_bus_is_named(database: MakeDatabase) -> None:
    three = database(3)
    bus = three.spec.ports[2] + 10_000
    with socket.create_server(("127.0.0.1", bus)):
        three.launch()
        assert three.processes[2].wait(20) == 1
    assert f"ERROR: cannot listen on 127.0.0.1:{bus}" in three.output(2)


def test_a_missing_interface_lists_those_that_exist(database: MakeDatabase) -> None:
    one = database(interfaces=("nosuch0",))
    one.launch()
    assert one.exit_codes() == [1]
    assert "has no network interface 'nosuch0'" in one.output()
    assert "lo (127.0.0.1)" in one.output()


def test_loopback_takes_the_place_of_a_missing_interface(database: MakeDatabase) -> None:
    one = database(interfaces=("nosuch0", "nosuch1", "lo"), options={"loopback": True})
    assert one.start().nodes[0].host == "127.0.0.1"
    assert one.output().startswith("WARNING: ")
    assert "Using 127.0.0.1 instead." in one.output()


def test_a_server_that_rejects_its_configuration_dies_with_its_words(database: MakeDatabase, tmp_path: Path) -> None:
    conf = tmp_path / "bad.conf"
    conf.write_text("no-such-directive 1\n")
    one = database(environ={"REDIS_CONF": str(conf)})
    one.launch()
    assert one.exit_codes() == [1]
    assert "no-such-directive" in one.output()
    assert not Path(one.spec.path, "orchestrator_0.err").read_bytes()


def test_a_configuration_that_cannot_be_read_where_the_shard_runs(database: MakeDatabase, tmp_path: Path) -> None:
    conf = tmp_path / "gone.conf"
    conf.write_text("")
    one = database(environ={"REDIS_CONF": str(conf)})
    steps = plugin.smartsim_deploy_orchestrator(one.spec, one.ctx)
    conf.unlink()
    assert any(str(conf) in word for step in steps for word in step.argv)
    words = list(steps[0].argv)
    with Path(one.spec.path, "orchestrator_0.out").open("wb") as out:
        one.processes.append(subprocess.Popen(words, cwd=one.spec.path, stdout=out))
    assert one.exit_codes() == [1]
    assert f"{conf} cannot be read" in one.output()


def test_a_configuration_for_a_system_service_does_not_hide_the_server(database: MakeDatabase, tmp_path: Path) -> None:
    conf = tmp_path / "service.conf"
    conf.write_text(
        f"daemonize yes\nlogfile {tmp_path}/server.log\ndir {tmp_path}\nport 1\nbind 127.0.0.2\nmaxclients 77\n"
    )
    one = database(environ={"REDIS_CONF": str(conf)})
    deployment = one.start()
    with client(deployment.nodes[0]) as link:
        assert link.config_get("maxclients") == {"maxclients": "77"}
        assert link.config_get("dir") == {"dir": one.spec.path}
        assert link.info("server")["process_id"] == one.processes[0].pid
    assert not (tmp_path / "server.log").exists()


def test_a_server_that_asks_for_a_password_is_refused(database: MakeDatabase, tmp_path: Path) -> None:
    conf = tmp_path / "secret.conf"
    conf.write_text("requirepass secret\n")
    one = database(environ={"REDIS_CONF": str(conf)})
    with pytest.raises(SmartSimError, match=r"does not serve clients: Authentication required(?s:.*)The last lines"):
        one.start()


def test_a_shard_that_never_speaks_is_given_up(database: MakeDatabase) -> None:
    silent = database(environ={"SMARTSIM_DB_START_TIMEOUT": "0.05"})
    with pytest.raises(SmartSimError, match=r"Waited 0.05 s in vain for orchestrator_0 to say where it runs"):
        silent.wait()


def test_a_shard_that_never_answers_is_given_up(database: MakeDatabase) -> None:
    one = database(environ={"SMARTSIM_DB_START_TIMEOUT": "0.05"})
    info = f'{{"name": "orchestrator_0", "hostname": "127.0.0.1", "port": {one.spec.ports[0]}, "cluster": false}}'
    Path(one.spec.path, "orchestrator_0.out").write_text(f"SMARTSIM_ORC_SHARD_INFO: {info}\nlast words\n")
    with pytest.raises(SmartSimError, match=r"(?s)in vain for orchestrator_0 \(.*\) to answer.*last words"):
        one.wait()


def test_something_else_on_the_port_is_no_answer(database: MakeDatabase) -> None:
    one = database(environ={"SMARTSIM_DB_START_TIMEOUT": "0.05"})
    with socket.create_server(("127.0.0.1", one.spec.ports[0]), backlog=64) as server:
        server.settimeout(5)
        info = f'{{"name": "orchestrator_0", "hostname": "127.0.0.1", "port": {one.spec.ports[0]}, "cluster": false}}'
        Path(one.spec.path, "orchestrator_0.out").write_text(f"SMARTSIM_ORC_SHARD_INFO: {info}\n")

        def answer() -> None:
            link, _ = server.accept()
            with link:
                link.recv(100)
                link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SmartSimError, match="to answer"):
            one.wait()
        thread.join()


def test_the_end_of_the_job_ends_the_wait_for_a_queued_database(database: MakeDatabase) -> None:
    queued = database(options={"queued": True}, environ={"SMARTSIM_DB_START_TIMEOUT": "0.01"})
    calls = []

    def check() -> None:
        calls.append(time.monotonic())
        if len(calls) > 5:
            raise SmartSimError("the batch job has ended")

    with pytest.raises(SmartSimError, match="the batch job has ended"):
        plugin.smartsim_orchestrator_ready(queued.spec, check, queued.ctx)
    assert calls[-1] - calls[0] > 0.01


@pytest.mark.parametrize("name", ODD_PATHS)
def test_any_folder_will_do(database: MakeDatabase, tmp_path: Path, name: str) -> None:
    one = database(path=tmp_path / name)
    deployment = one.start()
    with client(deployment.nodes[0]) as link:
        link.set("key", "value")
        link.save()
    assert Path(one.spec.path, "dump.rdb").exists()
    assert plugin.smartsim_orchestrator_stop(deployment)


def test_a_stopping_server_that_cannot_save_says_so(database: MakeDatabase, caplog: pytest.LogCaptureFixture) -> None:
    one = database()
    deployment = one.start()
    plugin.smartsim_orchestrator_configure(deployment, "save", "3600 1")
    with client(deployment.nodes[0]) as link:
        link.set("key", "value")
    Path(one.spec.path, "dump.rdb").mkdir()
    Path(one.spec.path, "dump.rdb", "in the way").touch()
    assert not plugin.smartsim_orchestrator_stop(deployment)


def other_server(name: str, tmp_path: Path) -> str:
    """The path of another kind of server; the one of the package under another name stands in for KeyDB."""
    if name == "redis":
        found = shutil.which("redis-server")
        if found is None and "CI" not in os.environ:
            pytest.skip("needs a redis-server; the gate installs one")
        assert found, "the gate installs redis-server"
        return found
    wrapper = tmp_path / "keydb-server"
    wrapper.write_text(f'#!/bin/sh\nexec {find_server({}).executable} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("name", ["redis", "keydb"])
def test_servers_of_the_user(database: MakeDatabase, tmp_path: Path, name: str, shards: int) -> None:
    environ = {"REDIS_PATH": other_server(name, tmp_path)}
    assert plugin.smartsim_database_info(environ).type == name
    one = database(shards, environ=environ)
    deployment = one.start()
    with Connection(deployment.nodes[0], 5) as link:
        clients = {"redis": "50000", "keydb": "25000"}[name]
        assert f"maxclients {clients}" in Path(find_server(environ).conf or "").read_text()
        assert link.command("PING") == "PONG"
    assert plugin.smartsim_orchestrator_active(deployment)
    assert plugin.smartsim_orchestrator_stop(deployment)
    assert one.exit_codes() == [0] * shards


def test_hook_smartsim_deploy_orchestrator_is_pure_and_keeps_settings(database: MakeDatabase, tmp_path: Path) -> None:
    settings = tuple({"settings": "RunSettings", "run_command": None, "run_args": [str(i)]} for i in range(3))
    three = database(3, settings=settings, options={"env": {"A": "b"}}, run=2)
    before = list(tmp_path.rglob("*"))
    steps = plugin.smartsim_deploy_orchestrator(three.spec, three.ctx)
    assert steps == plugin.smartsim_deploy_orchestrator(three.spec, three.ctx)
    assert list(tmp_path.rglob("*")) == before
    assert [step.name for step in steps] == ["orchestrator_0", "orchestrator_1", "orchestrator_2"]
    assert [step.options["run_args"] for step in steps] == [("0",), ("1",), ("2",)]
    assert {(step.group, step.entity_type, step.run, step.env["A"]) for step in steps} == {
        ("orchestrator", "DBNode", 2, "b")
    }
    assert all(step.argv[0] == sys.executable for step in steps)


def test_one_command_can_start_all_shards(database: MakeDatabase) -> None:
    three = database(3, single_step=True)
    (step,) = plugin.smartsim_deploy_orchestrator(three.spec, three.ctx)
    assert [part.name for part in step.mpmd] == ["orchestrator_1", "orchestrator_2"]
    assert {part.stdout for part in step.mpmd} == {step.stdout}
    separate = evolve(three.spec, single_step=False)
    alone = plugin.smartsim_deploy_orchestrator(separate, three.ctx)
    assert [step.argv, *(part.argv for part in step.mpmd)] == [shard.argv for shard in alone]


def test_a_cluster_whose_configuration_forbids_config(database: MakeDatabase, tmp_path: Path) -> None:
    conf = tmp_path / "strict.conf"
    conf.write_text('rename-command CONFIG ""\n')
    deployment = database(3, environ={"REDIS_CONF": str(conf)}).start()
    assert plugin.smartsim_orchestrator_active(deployment)
    with pytest.raises(SmartSimError, match="Invalid CONFIG"):
        plugin.smartsim_orchestrator_configure(deployment, "hz", "20")


def test_a_server_that_loads_its_data_is_waited_for(database: MakeDatabase) -> None:
    one = database(environ={"SMARTSIM_DB_START_TIMEOUT": "5"})
    (port,) = one.spec.ports
    info = f'{{"name": "orchestrator_0", "hostname": "127.0.0.1", "port": {port}, "cluster": false}}'
    Path(one.spec.path, "orchestrator_0.out").write_text(f"SMARTSIM_ORC_SHARD_INFO: {info}\n")
    answers = [b"-LOADING the dataset\r\n", b"-LOADING the dataset\r\n", b"+PONG\r\n"]
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            for answer in answers:
                link, _ = server.accept()
                with link:
                    link.recv(100)
                    link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert one.wait().addresses == (f"127.0.0.1:{port}",)
        thread.join()
