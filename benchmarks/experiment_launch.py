"""Experiments on the local launcher, beside a bare `subprocess.Popen` loop.

python benchmarks/experiment_launch.py [--members 1000] [--many 10000] [--repeats 5] [--folder DIR]

Both sides make a folder and two output files for each process and wait for all. `ratio` is the throughput of
`Experiment.start` over that of the loop (1.0: equal), the median of pairs taken alternately. `slowdown` is the cost of
a member among `many` over that of a member among `members`, and `bare_slowdown` the same of the loop. Times are in
seconds unless the name says otherwise. `import_cpu_ms` is the processor time of ``from smartsim import Experiment``
above that of an empty Python.
"""

# ruff: noqa: PTH102, PTH123 - the yardstick is as bare as it can be

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

from smartsim import Experiment

PROGRAM = "/bin/true"
T = TypeVar("T")


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


def ensemble(top: str, members: int) -> float:
    """The same through an Experiment: from the start to all finished, the supervisor's own start included."""
    experiment = Experiment("bench", exp_path=top)
    settings = experiment.create_run_settings(PROGRAM)
    described = experiment.create_ensemble("members", run_settings=settings, replicas=members)
    begin = time.perf_counter()
    experiment.start(described)
    elapsed = time.perf_counter() - begin
    assert {str(status) for status in experiment.get_status(described)} == {"Completed"}
    return elapsed


def one(top: str) -> tuple[float, float]:
    """A first blocking model, and a second one of the same Experiment."""
    experiment = Experiment("bench", exp_path=top)
    times = []
    for name in ("first", "second"):
        model = experiment.create_model(name, experiment.create_run_settings(PROGRAM))
        begin = time.perf_counter()
        experiment.start(model)
        times.append(time.perf_counter() - begin)
    return times[0], times[1]


def preview(top: str) -> float:
    """A preview of a database of three shards that does not run."""
    experiment = Experiment("bench", exp_path=top)
    database = experiment.create_database(db_nodes=3, interface="lo")
    begin = time.perf_counter()
    experiment.preview(database, verbosity_level="developer")
    return time.perf_counter() - begin


def processor_time(code: str) -> float:
    """Processor seconds of a Python that runs `code`."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    usage = os.wait4(pid, 0)[2]
    return usage.ru_utime + usage.ru_stime


def imports(repeats: int) -> float:
    """Processor milliseconds of the import above an empty Python."""
    pairs = [(processor_time("from smartsim import Experiment"), processor_time("pass")) for _ in range(repeats)]
    return statistics.median(with_it - without for with_it, without in pairs) * 1e3


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    logging.getLogger("SmartSim").setLevel(logging.ERROR)
    place = Path(tempfile.mkdtemp(dir=options.folder))
    numbers = count()

    def in_folder(measure: Callable[..., T], *args: int) -> T:
        folder = place / str(next(numbers))
        folder.mkdir()
        try:
            return measure(str(folder), *args)
        finally:
            shutil.rmtree(folder)

    try:
        in_folder(ensemble, 1)
        ones = [in_folder(one) for _ in range(2 * options.repeats)]
        pairs = [
            (in_folder(bare, options.members), in_folder(ensemble, options.members)) for _ in range(options.repeats)
        ]
        previews = [in_folder(preview) for _ in range(options.repeats)]
        typical, typical_bare = (
            statistics.median(pair[1] for pair in pairs),
            statistics.median(pair[0] for pair in pairs),
        )
        result = {
            "members": options.members,
            "bare_s": round(typical_bare, 4),
            "experiment_s": round(typical, 4),
            "ratio": round(statistics.median(pair[0] / pair[1] for pair in pairs), 3),
            "first_launch_ms": round(statistics.median(first for first, _ in ones) * 1e3, 1),
            "next_launch_ms": round(statistics.median(second for _, second in ones) * 1e3, 1),
            "preview_ms": round(statistics.median(previews) * 1e3, 1),
            "import_cpu_ms": round(imports(4 * options.repeats), 1),
        }
        if options.many:
            scale = options.members / options.many
            many, bare_many = in_folder(ensemble, options.many), in_folder(bare, options.many)
            result |= {
                "many": options.many,
                "many_s": round(many, 3),
                "bare_many_s": round(bare_many, 3),
                "slowdown": round(many * scale / typical, 3),
                "bare_slowdown": round(bare_many * scale / typical_bare, 3),
                "driver_peak_mb": round(peak_mb(), 1),
            }
        print(json.dumps(result | {"load": os.getloadavg()[0]}, indent=2))
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
