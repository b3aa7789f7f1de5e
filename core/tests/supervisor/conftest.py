"""Fixtures of the supervisor's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from smartsim.engine.supervisor import boot, runtime_dir
from smartsim.error import LauncherError
from supervised import Watch, marked, supervisors, wait_for


@pytest.fixture
def exp(tmp_path: Path) -> Iterator[Path]:
    """The folder of an experiment; afterwards no process, socket or file descriptor of it may be left."""
    descriptors = open_descriptors()
    folder = tmp_path / "exp"
    folder.mkdir()
    yield folder
    wait_for(lambda: not marked(folder), "the end of all processes")
    wait_for(lambda: not supervisors(folder), "the end of the supervisor")
    assert not Path(socket_folder(folder)).exists()
    boot.reap()
    assert open_descriptors() == descriptors


@pytest.fixture
def watch(exp: Path) -> Iterator[Watch]:
    """A client of a supervisor of its own; everything is stopped afterwards."""
    watch = Watch(exp)
    yield watch
    with suppress(LauncherError):
        watch.client.stop(None, 0.0)
    watch.client.close()


def open_descriptors() -> set[str]:
    """The numbers of this process's open files."""
    with os.scandir("/proc/self/fd") as entries:
        return {entry.name for entry in entries}


def socket_folder(exp: Path) -> str:
    """The folder that the supervisor of an experiment listens in."""
    return runtime_dir.choose(os.path.realpath(exp), os.environ)
