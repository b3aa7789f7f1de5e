"""Starting many short processes through the supervisor, beside a bare `subprocess.Popen` loop.

python benchmarks/launch_throughput.py [--members 1000] [--many 10000] [--repeats 5] [--folder DIR]

Both sides make a folder and two output files for each process and wait for all. `ratio` is the throughput of the
supervisor over that of the loop (1.0: equal), from the medians of turns taken alternately. `many_per_member` is the
cost of a member among `many` over that of a member among `members`, `bare_many_per_member` the same of the loop.
"""

# ruff: noqa: PTH102, PTH123 - the yardstick is as bare as it can be

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from smartsim.engine.supervisor.client import Command, Exited, SupervisorClient

PROGRAM = "/bin/true"


class Finish:
    """Counts ends."""

    def __init__(self) -> None:
        self.missing = 0
        self.done = threading.Event()

    def expect(self, count: int) -> None:
        """Begin to count down from `count`."""
        self.missing = count
        self.done.clear()

    def __call__(self, ends: list[Exited]) -> None:
        """Count these."""
        self.missing -= len(ends)
        if self.missing == 0:
            self.done.set()


def bare(top: str, members: int) -> float:
    """The yardstick."""
    begin = time.perf_counter()
    processes = []
    for index in range(members):
        folder = f"{top}/{index}"
        os.mkdir(folder)
        with open(f"{folder}/out", "wb") as out, open(f"{folder}/err", "wb") as err:
            processes.append(subprocess.Popen([PROGRAM], cwd=folder, stdout=out, stderr=err))
    for process in processes:
        process.wait()
    return time.perf_counter() - begin


def supervised(client: SupervisorClient, finish: Finish, top: str, members: int) -> float:
    """The same through the supervisor."""
    begin = time.perf_counter()
    finish.expect(members)
    commands = []
    for index in range(members):
        folder = f"{top}/{index}"
        os.mkdir(folder)
        commands.append(
            Command(
                id=folder,
                argv=[PROGRAM],
                env={},
                cwd=folder,
                stdout=f"{folder}/out",
                stderr=f"{folder}/err",
                meta={"entity": str(index), "entity_type": "Model", "group": "ensemble", "run": 0, "managed": False},
            )
        )
    failed = [start.error for start in client.launch(commands, os.environ) if start.error]
    assert not failed, failed[0]
    finish.done.wait()
    return time.perf_counter() - begin


def first(place: str) -> float:
    """One blocking process, the supervisor's start and end of life included."""
    finish = Finish()
    finish.expect(1)
    begin = time.perf_counter()
    client = SupervisorClient.start(place, finish, print)
    client.launch([Command("one", [PROGRAM], {}, place, f"{place}/out", f"{place}/err", {})], os.environ)
    finish.done.wait()
    elapsed = time.perf_counter() - begin
    client.close()
    return elapsed


def fresh(place: Path, name: str) -> str:
    folder = place / name
    folder.mkdir()
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    times: dict[str, list[float]] = {"bare": [], "supervised": []}
    place = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        firsts = [first(fresh(place, f"first-{k}")) for k in range(10)]
        finish = Finish()
        client = SupervisorClient.start(fresh(place, "exp"), finish, print)
        for k in range(options.repeats):
            gc.collect()
            times["bare"].append(bare(fresh(place, f"bare-{k}"), options.members))
            times["supervised"].append(supervised(client, finish, fresh(place, f"supervised-{k}"), options.members))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if options.many:
            many = supervised(client, finish, fresh(place, "many"), options.many)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            bare_many = bare(fresh(place, "bare-many"), options.many)
        client.close()
    finally:
        shutil.rmtree(place)
    bare_s, supervised_s = statistics.median(times["bare"]), statistics.median(times["supervised"])
    result = {
        "members": options.members,
        "bare_s": round(bare_s, 4),
        "supervised_s": round(supervised_s, 4),
        "ratio": round(bare_s / supervised_s, 3),
        "first_ms": round(statistics.median(firsts) * 1e3, 1),
        "first_worst_ms": round(max(firsts) * 1e3, 1),
        "driver_peak_mb": round(peak, 1),
        "load": os.getloadavg()[0],
    }
    if options.many:
        scale = options.members / options.many
        result |= {
            "many": options.many,
            "many_s": round(many, 3),
            "bare_many_s": round(bare_many, 3),
            "many_per_member": round(many * scale / supervised_s, 3),
            "bare_many_per_member": round(bare_many * scale / bare_s, 3),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
