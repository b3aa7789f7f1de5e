"""`smart validate`: a real experiment that must leave nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ports import free_ports
from smartsim.cli import validate
from smartsim.cli.main import main
from smartsim.log import get_logger


@pytest.fixture
def temporary(private_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMARTSIM_LOG_LEVEL", "quiet")
        yield private_folder
    # A module that is imported while the variable is set turns the shared logger down; this turns it up again.
    get_logger("smartsim")


def kept(temporary: Path) -> list[Path]:
    return sorted(temporary.glob("smartsim-validate-*"))


@pytest.mark.parametrize("words", [[], ["--device", "gpu"]])
def test_it_works(words, temporary, capsys):
    assert main(["validate", *words]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("SmartSim works")
    assert kept(temporary) == []


def test_on_a_chosen_port(temporary):
    assert main(["validate", "--port", str(free_ports())]) == 0


def remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


def test_a_port_that_is_taken(temporary, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["validate", "-p", str(other.getsockname()[1])]) == 70
    (folder,) = kept(temporary)
    assert str(folder) in capsys.readouterr().err
    assert (folder / ".smartsim" / "journal.jsonl").is_file()
    remove(folder)


def test_a_server_that_does_not_work(temporary, capsys, monkeypatch):
    monkeypatch.setenv("REDIS_PATH", "/bin/false")
    assert main(["validate"]) == 70
    (folder,) = kept(temporary)
    assert "files are in" in capsys.readouterr().err
    remove(folder)


def test_a_member_that_fails(temporary, capsys, monkeypatch):
    monkeypatch.setattr(validate, "_MEMBER", "raise SystemExit('no exchange')")
    assert main(["validate"]) == 70
    (folder,) = kept(temporary)
    assert "'writer' ended as Failed: no exchange" in capsys.readouterr().err
    remove(folder)


def test_interrupted(temporary, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "_run_member", interrupt)
    assert main(["validate"]) == 130
    assert kept(temporary) == []
