"""The check that no test leaves anything behind would find each kind of thing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import leaks
from leaks import Snapshot


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "GRACE", 0.1)


def test_a_quiet_test_leaves_nothing(private_folder: Path):
    assert Snapshot.take(private_folder).leaks() == []


def test_a_process_is_found_even_in_its_own_session(private_folder: Path):
    before = Snapshot.take(private_folder)
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert before.leaks() == [f"process {process.pid}: sleep 60 "]
    finally:
        process.kill()
        process.wait()


def test_a_grandchild_is_found(private_folder: Path):
    before = Snapshot.take(private_folder)
    run = subprocess.run(
        ["sh", "-c", "sleep 60 > /dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True
    )
    try:
        assert before.leaks() == [f"process {run.stdout.strip()}: sleep 60 "]
    finally:
        os.kill(int(run.stdout), 9)
    assert before.leaks() == []


def test_a_server_that_hides_its_environment_is_found_by_its_folder(private_folder: Path, tmp_path: Path):
    before = Snapshot.take(private_folder)
    process = subprocess.Popen(["sleep", "60"], env={}, cwd=tmp_path)
    try:
        assert before.leaks() == [f"process {process.pid}: sleep 60 "]
    finally:
        process.kill()
        process.wait()


def test_left_processes_can_be_ended(private_folder: Path):
    before = Snapshot.take(private_folder)
    process = subprocess.Popen(["sleep", "60"])
    before.end_processes()
    assert process.wait() == -9


def test_a_child_that_nobody_waited_for_is_found(private_folder: Path):
    before = Snapshot.take(private_folder)
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert before.leaks() == [f"process {pid}: "]
    os.waitpid(pid, 0)


def test_a_thread_is_found(private_folder: Path):
    before = Snapshot.take(private_folder)
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="forgotten")
    thread.start()
    try:
        (leak,) = before.leaks()
        assert "forgotten" in leak
    finally:
        release.set()
        thread.join()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_listening_socket_is_found(private_folder: Path, tmp_path: Path, family: socket.AddressFamily):
    before = Snapshot.take(private_folder)
    with socket.socket(family) as listener, tempfile.TemporaryDirectory(dir="/tmp") as short:
        listener.bind(("127.0.0.1", 0) if family == socket.AF_INET else f"{short}/socket")
        assert before.leaks() == []
        listener.listen()
        (leak,) = before.leaks()
        assert leak.startswith("listening socket")


def test_an_environment_variable_is_found_and_put_back(private_folder: Path):
    before = Snapshot.take(private_folder)
    os.environ["FORGOTTEN"] = "1"
    assert before.leaks() == ["environment variable FORGOTTEN"]
    assert "FORGOTTEN" not in os.environ


def test_what_an_experiment_writes_for_clients_is_put_back_silently(private_folder: Path):
    before = Snapshot.take(private_folder)
    os.environ["SSDB"] = "127.0.0.1:6379"
    assert before.leaks() == []
    assert "SSDB" not in os.environ


def test_a_temporary_file_is_found(private_folder: Path):
    before = Snapshot.take(private_folder)
    with tempfile.NamedTemporaryFile() as file:
        assert before.leaks() == [f"temporary file {file.name}"]
