"""From the end of a process to its visible status, while many others run, beside a blocking `os.waitpid`.

python benchmarks/exit_latency.py [--running 1000] [--samples 300]

A member writes the time into its output as the last thing that it does; an observer notes the time when the
Experiment knows. The yardstick is a child of the driver's own that is waited for directly. Milliseconds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim import Experiment
from smartsim.plugin import hookimpl

if TYPE_CHECKING:
    from smartsim.values import JobEvent

LAST_ACT = "import os, sys, time; os.write(1, repr(time.time()).encode()); os._exit(0)"
LAST = [sys.executable, "-I", "-S", "-c", LAST_ACT]


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(value * 1e3 for value in values)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "max_ms": round(ordered[-1], 3),
    }


def direct(samples: int) -> list[float]:
    """The yardstick."""
    found = []
    for _ in range(samples):
        with subprocess.Popen(LAST, stdout=subprocess.PIPE) as process:
            process.wait()
            now = time.time()
            assert process.stdout is not None
            found.append(now - float(process.stdout.read()))
    return found


class Observer:
    """Notes when a job's end has become visible."""

    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()

    @hookimpl
    def smartsim_job_event(self, event: JobEvent) -> None:
        """Called when `Experiment.get_status` already says so."""
        if event.status.state.terminal:
            self.seen.put((event.entity, time.time()))


def observed(place: str, running: int, samples: int) -> list[float]:
    """The same through an Experiment, beside `running` others."""
    experiment = Experiment("latency", exp_path=place)
    observer = Observer()
    experiment._plugins.register(observer, "observer")  # noqa: SLF001 - what an installed extension does
    sleeper = experiment.create_run_settings("sleep", exe_args="100000")
    sleepers = experiment.create_ensemble("sleepers", run_settings=sleeper, replicas=running)
    experiment.start(sleepers, block=False)
    found = []
    for k in range(samples):
        sample = experiment.create_model(f"sample-{k}", experiment.create_run_settings(LAST[0], exe_args=LAST[1:]))
        experiment.start(sample, block=False)
        name, now = observer.seen.get()
        assert name == sample.name, name
        found.append(now - float(Path(sample.path, f"{name}.out").read_text()))
    experiment.stop(sleepers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--running", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()
    logging.getLogger("SmartSim").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as place:
        latencies = observed(place, options.running, options.samples)
    result = {
        "running": options.running,
        "samples": options.samples,
        "direct": quantiles(direct(options.samples)),
        "experiment": quantiles(latencies),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
