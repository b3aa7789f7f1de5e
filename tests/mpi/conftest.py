"""Puts a real MPI on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("environments.py")

# Open MPI refuses to run as root, and more ranks than cores, unless told; a gate has root and few cores.
PERMISSIONS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


@pytest.fixture(scope="session", params=["mpich", "openmpi"])
def mpi_commands(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """The name of an MPI and the folder of its commands."""
    made = subprocess.run([sys.executable, SCRIPT, request.param], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        reason = f"the environment of {request.param} could not be made:\n{made.stderr}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return request.param, Path(made.stdout.strip())


@pytest.fixture
def mpi(mpi_commands: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the MPI whose commands are on PATH now."""
    name, commands = mpi_commands
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    for variable, value in PERMISSIONS.items():
        monkeypatch.setenv(variable, value)
    return name
