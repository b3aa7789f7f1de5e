"""Which server is started."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from smartsim.error.errors import SSConfigError
from smartsim_redis import locate, plugin
from smartsim_redis.locate import find_server


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_hook_smartsim_database_info_names_the_server_of_the_package() -> None:
    info = plugin.smartsim_database_info({})
    assert info.type == "redis"
    assert info.executable.endswith("valkey-server")
    assert re.fullmatch(r"\d+\.\d+\.\d+", info.version)
    assert os.access(info.executable, os.X_OK)
    assert Path(info.conf or "").is_file()


@pytest.mark.parametrize(
    ("name", "kind"), [("redis-server", "redis"), ("valkey-server", "redis"), ("keydb-server", "keydb")]
)
def test_a_server_by_path_and_by_name(tmp_path: Path, name: str, kind: str) -> None:
    server = executable(tmp_path / name)
    for value in (str(server), name):
        info = find_server({"REDIS_PATH": value, "PATH": str(tmp_path)})
        assert (info.executable, info.type) == (str(server), kind)
        assert Path(info.conf or "").name == f"{kind}.conf"


def test_a_client_beside_the_server_on_path_or_named(tmp_path: Path) -> None:
    server = executable(tmp_path / "redis-server")
    environ = {"REDIS_PATH": str(server), "PATH": str(tmp_path / "bin")}
    assert find_server(environ).cli is None
    (tmp_path / "bin").mkdir()
    on_path = executable(tmp_path / "bin" / "valkey-cli")
    assert find_server(environ).cli == str(on_path)
    beside = executable(tmp_path / "redis-cli")
    assert find_server(environ).cli == str(beside)
    named = executable(tmp_path / "mine")
    assert find_server(environ | {"REDIS_CLI_PATH": str(named)}).cli == str(named)


@pytest.mark.parametrize("variable", ["REDIS_PATH", "REDIS_CLI_PATH", "REDIS_CONF"])
def test_a_variable_that_names_nothing_usable_is_named(tmp_path: Path, variable: str) -> None:
    for value in (str(tmp_path / "nothing"), str(tmp_path)):
        with pytest.raises(SSConfigError, match=f"^{variable}="):
            find_server({variable: value, "PATH": str(tmp_path)})


@pytest.mark.parametrize("variable", ["REDIS_PATH", "REDIS_CLI_PATH"])
def test_a_variable_that_names_no_command_is_named(tmp_path: Path, variable: str) -> None:
    with pytest.raises(SSConfigError, match=f"^{variable}=no-such-command: there is no such command on PATH"):
        find_server({variable: "no-such-command", "PATH": str(tmp_path)})
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(SSConfigError, match=f"^{variable}=.*not executable"):
        find_server({variable: str(plain)})


def test_the_users_configuration(tmp_path: Path) -> None:
    conf = tmp_path / "my.conf"
    conf.touch()
    assert find_server({"REDIS_CONF": str(conf)}).conf == str(conf)


def test_without_a_server_of_the_package_one_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_embedded", lambda: None)
    with pytest.raises(SSConfigError, match="Install one and set REDIS_PATH"):
        find_server({"PATH": str(tmp_path)})
    server = executable(tmp_path / "keydb-server")
    assert find_server({"PATH": str(tmp_path)}).executable == str(server)
