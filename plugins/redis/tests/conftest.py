"""Databases without an engine: the shards are started as plain processes from the steps that the plugin describes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from attrs import define, field

from ports import free_ports
from smartsim.error.errors import SmartSimError
from smartsim.values import Context, Deployment, OrchestratorSpec
from smartsim_redis import plugin


@define
class Database:
    """A database that a test starts and stops.

    Attributes:
        spec: what is started.
        environ: the driver's environment.
        processes: the shards.
    """

    spec: OrchestratorSpec
    environ: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def ctx(self) -> Context:
        return Context(experiment="exp", path=self.spec.path, launcher="local", environ=self.environ)

    def launch(self) -> None:
        for step in plugin.smartsim_deploy_orchestrator(self.spec, self.ctx):
            with Path(step.stdout).open("wb") as out, Path(step.stderr).open("wb") as err:
                environ = {**os.environ, **step.env}
                self.processes.append(subprocess.Popen(step.argv, cwd=step.cwd, env=environ, stdout=out, stderr=err))

    def check(self) -> None:
        ended = [process.returncode for process in self.processes if process.poll() is not None]
        if ended:
            raise SmartSimError(f"a shard ended with {ended}")

    def wait(self) -> Deployment:
        return plugin.smartsim_orchestrator_ready(self.spec, self.check, self.ctx)

    def start(self) -> Deployment:
        self.launch()
        return self.wait()

    def exit_codes(self) -> list[int]:
        return [process.wait(20) for process in self.processes]

    def output(self, shard: int = 0) -> str:
        return Path(self.spec.path, f"{self.spec.identifier}_{shard}.out").read_text(encoding="utf-8")

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Callable[..., Database]]:
    """Makes databases in the test's folder; their shards are gone after the test."""
    made: list[Database] = []

    def make(shards: int = 1, *, path: Path | None = None, environ: Mapping[str, str] | None = None, **changes: object):
        folder = path or tmp_path / "db"
        folder.mkdir(exist_ok=True)
        first = free_ports(shards)
        values: dict[str, object] = {
            "identifier": "orchestrator",
            "engine": "redis",
            "path": str(folder),
            "ports": tuple(range(first, first + shards)),
            "interfaces": ("lo",),
        }
        given = {"PATH": os.environ["PATH"]} if environ is None else environ
        made.append(Database(OrchestratorSpec(**(values | changes)), given))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.kill()
