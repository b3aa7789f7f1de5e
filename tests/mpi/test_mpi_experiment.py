"""Experiments whose models run under a real MPI."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

from smartsim import Experiment
from smartsim.status import SmartSimStatus

# Making the environments is part of the first test's time.
pytestmark = [pytest.mark.mpi, pytest.mark.timeout(900)]

# Lines that ranks print at the same time may run into each other, so each writes a file. All programs are in Python,
# because the mpirun of MPICH 5.0.2 may be ended by SIGPIPE when a program ends within a few milliseconds.
RANK = """
import os, pathlib
rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ["PMI_RANK"]
words = os.getcwd(), os.environ["COLOUR"], os.environ.get("SSKEYOUT")
pathlib.Path(f"rank-{rank}").write_text(repr(words))
"""


def said(folder: Path) -> list[tuple[str, str, str | None]]:
    """What each rank said, in their order."""
    return [ast.literal_eval(path.read_text()) for path in sorted(folder.glob("rank-*"))]


@pytest.mark.parametrize("run_command", ["mpirun", "mpiexec"])
def test_ranks_get_folder_and_variables(mpi: str, exp: Experiment, tmp_path: Path, run_command: str) -> None:
    settings = exp.create_run_settings(
        sys.executable, exe_args=["-c", RANK], run_command=run_command, env_vars={"COLOUR": "dark blue"}
    )
    settings.set_tasks(2)
    model = exp.create_model("ranks", settings, enable_key_prefixing=True)
    exp.start(model)
    assert exp.get_status(model) == [SmartSimStatus.STATUS_COMPLETED], (tmp_path / "ranks/ranks.err").read_text()
    assert said(tmp_path / "ranks") == [(str(tmp_path / "ranks"), "dark blue", "ranks")] * 2


def test_several_programs_are_one_step(mpi: str, exp: Experiment, tmp_path: Path) -> None:
    first, second = (
        exp.create_run_settings(
            sys.executable, exe_args=["-c", RANK], run_command="mpirun", env_vars={"COLOUR": colour}
        )
        for colour in ("red", "green")
    )
    first.set_tasks(1)
    second.set_tasks(2)
    first.make_mpmd(second)
    model = exp.create_model("parts", first)
    exp.start(model)
    assert exp.get_status(model) == [SmartSimStatus.STATUS_COMPLETED], (tmp_path / "parts/parts.err").read_text()
    assert [colour for _, colour, _ in said(tmp_path / "parts")] == ["red", "green", "green"]


def test_the_exit_code_of_a_rank_is_that_of_the_model(mpi: str, exp: Experiment) -> None:
    settings = exp.create_run_settings(sys.executable, exe_args=["-c", "raise SystemExit(3)"], run_command="mpirun")
    settings.set_tasks(1)
    model = exp.create_model("fails", settings)
    exp.start(model)
    assert exp.get_status(model) == [SmartSimStatus.STATUS_FAILED]
    assert exp.summary("plain").split()[-1] == "3"


def test_stopping_a_step_ends_every_rank(mpi: str, exp: Experiment, tmp_path: Path) -> None:
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    settings = exp.create_run_settings(
        "/bin/sh", exe_args=["-c", f"echo $$ > {fifo}; exec sleep 1000"], run_command="mpirun"
    )
    settings.set_tasks(1)
    model = exp.create_model("sleeps", settings)
    exp.start(model, block=False)
    pid = int(fifo.read_text())
    exp.stop(model)
    assert exp.get_status(model) == [SmartSimStatus.STATUS_CANCELLED]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
