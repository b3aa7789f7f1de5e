"""What a shard is told, what it says, and what it finds on its node."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.plugin.shards import SHARD_INFO
from smartsim_redis import shard
from smartsim_redis.interfaces import LOOPBACK, MissingInterfaceError, address_of, available, resolve

names = st.text(st.characters(blacklist_characters="\0,", blacklist_categories=["Cs"]), min_size=1)
shard_options = st.builds(
    shard.ShardOptions,
    executable=names,
    conf=names,
    name=names,
    port=st.integers(0, 99999),
    interfaces=st.lists(names, min_size=1).map(tuple),
    cluster=st.booleans(),
    loopback=st.booleans(),
)


@given(shard_options)
def test_options_survive_the_command_line(options: shard.ShardOptions) -> None:
    assert shard.parse(shard.words(options)) == options


@given(
    st.lists(st.one_of(st.text(), st.sampled_from(["+port=1", "+name=a", "+orc-exe=a", "+conf-file=a", "+ifname="])))
)
def test_parsing_options_is_total(argv: list[str]) -> None:
    try:
        options = shard.parse(argv)
    except shard.ShardError:
        return
    assert options.name
    assert options.interfaces


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["+port=1"], "missing option: .orc-exe, .conf-file, .name, .ifname"),
        (["--port", "1"], "unknown option '--port'"),
        (["+orc-exe=a", "+conf-file=b", "+name=c", "+ifname=lo", "+port=x"], "not a port number"),
        (["+orc-exe=a", "+conf-file=b", "+name=c", "+ifname=lo", "+port=\N{SUPERSCRIPT TWO}"], "not a port number"),
    ],
)
def test_bad_options_are_named(argv: list[str], message: str) -> None:
    with pytest.raises(shard.ShardError, match=message):
        shard.parse(argv)


@given(shard_options, st.lists(st.ip_addresses(v=4).map(str), min_size=1), names)
def test_the_command_gives_the_server_what_must_not_depend_on_its_configuration(
    options: shard.ShardOptions, addresses: list[str], folder: str
) -> None:
    command = shard.server_command(options, addresses, folder)
    assert command[:2] == [options.executable, options.conf]

    def value(option: str) -> str:
        return command[command.index(option, 2) + 1]

    assert value("--port") == str(options.port)
    assert value("--bind") == addresses[0]
    assert value("--dir") == folder
    assert (value("--daemonize"), value("--logfile")) == ("no", "")
    assert ("--cluster-enabled" in command[2:]) is options.cluster
    if options.cluster:
        assert value("--cluster-config-file") == f"nodes-{options.name}-{options.port}.conf"
        assert value("--cluster-announce-ip") == addresses[0]


def test_the_mark_is_the_one_that_core_looks_for() -> None:
    assert shard.MARK == SHARD_INFO


def test_a_shard_imports_only_the_standard_library() -> None:
    code = (
        "import sys; old = set(sys.modules); import smartsim_redis.shard;"
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - old} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['smartsim_redis']"


def test_a_server_that_is_not_there(tmp_path) -> None:
    conf = tmp_path / "conf"
    conf.touch()
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    options = shard.ShardOptions(str(tmp_path / "nothing"), str(conf), "db_0", port, ("lo",))
    words = [sys.executable, "-m", "smartsim_redis.shard", *shard.words(options)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("ERROR: ")
    assert "nothing" in done.stdout


@pytest.mark.parametrize("port", [65536, 99999])
def test_a_port_beyond_all_ports_is_an_error(port: int) -> None:
    with pytest.raises(shard.ShardError, match="cannot listen"):
        shard._check_port(LOOPBACK, port)


def test_interfaces() -> None:
    assert address_of("lo") == LOOPBACK
    assert available()["lo"] == LOOPBACK
    assert resolve(["lo", "lo"]) == ([LOOPBACK], [])


@given(st.text())
def test_looking_up_an_interface_is_total(name: str) -> None:
    with suppress(MissingInterfaceError):
        assert socket.inet_aton(address_of(name))


def test_a_missing_interface_may_have_a_substitute() -> None:
    addresses, warnings = resolve(["nosuch0", "lo"], LOOPBACK)
    assert addresses == [LOOPBACK]
    assert "nosuch0" in warnings[0]
    with pytest.raises(MissingInterfaceError, match=r"choose from: .*lo"):
        resolve(["lo", "nosuch0"])
