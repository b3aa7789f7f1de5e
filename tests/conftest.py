"""Experiments for the tests that need several distributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smartsim import Experiment


@pytest.fixture
def new_experiment(tmp_path: Path) -> Iterator[Callable[..., Experiment]]:
    """Makes experiments in the test's folder and lets go of them when the test is over.

    pytest keeps a fixture's value for longer than the check that nothing is left behind.
    """
    made: list[Experiment] = []

    def make(name: str = "exp", path: Path | None = None, launcher: str = "local") -> Experiment:
        folder = path or tmp_path
        folder.mkdir(exist_ok=True)
        made.append(Experiment(name, exp_path=str(folder), launcher=launcher))
        return made[-1]

    yield make
    for experiment in made:
        experiment._control.runtime.close()


@pytest.fixture
def exp(new_experiment: Callable[..., Experiment]) -> Experiment:
    """An experiment in the test's folder."""
    return new_experiment()
