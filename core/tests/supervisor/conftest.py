"""Fixtures of the supervisor's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from supervised import Watch, marked, supervisors, wait_for

from smartsim.engine.supervisor import boot, runtime_dir


@pytest.fixture
def exp(tmp_path: Path) -> Iterator[Path]:
    """The folder of an experiment; afterwards no process, socket or file descriptor of it may be left."""
    descriptors = set(os.listdir("/proc/self/fd"))
    folder = tmp_path / "exp"
    folder.mkdir()
    yield folder
    wait_for(lambda: not marked(folder), "the end of all processes")
    wait_for(lambda: not supervisors(folder), "the end of the supervisor")
    assert not os.path.exists(socket_folder(folder))
    boot.reap()
    assert set(os.listdir("/proc/self/fd")) == descriptors


@pytest.fixture
def watch(exp: Path) -> Iterator[Watch]:
    """A client of a supervisor of its own; everything is stopped afterwards."""
    watch = Watch(exp)
    yield watch
    if not watch.client.lost:
        watch.client.stop(None, 0.0)
    watch.client.close()


def socket_folder(exp: Path) -> str:
    """The folder that the supervisor of an experiment listens in."""
    return runtime_dir.choose(os.path.realpath(exp), os.environ)
