"""From the end of a process to the driver's knowledge of it, while many others run, beside a blocking `os.waitpid`.

python benchmarks/exit_latency.py [--running 1000] [--samples 300]

A member writes the time into its output as the last thing that it does; the driver notes the time when it is told. The
yardstick is a child of the driver's own that is waited for directly. Milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from smartsim.engine.supervisor.client import Command, Exited, SupervisorClient

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


def supervised(place: str, running: int, samples: int) -> list[float]:
    """The same through the supervisor, beside `running` others."""
    seen: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()

    def on_exit(ends: list[Exited]) -> None:
        now = time.time()
        for end in ends:
            seen.put((end.id, now))

    client = SupervisorClient.start(place, on_exit, print)
    sleepers = [
        Command(f"sleep-{k}", ["sleep", "100000"], {}, place, "/dev/null", "/dev/null", {}) for k in range(running)
    ]
    client.launch(sleepers, os.environ)
    found = []
    for k in range(samples):
        out = f"{place}/{k}.out"
        client.launch([Command(f"sample-{k}", LAST, {}, place, out, out, {})], os.environ)
        name, now = seen.get()
        assert name == f"sample-{k}", name
        found.append(now - float(Path(out).read_text()))
    client.shutdown(0.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--running", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        latencies = supervised(place, options.running, options.samples)
    result = {
        "running": options.running,
        "samples": options.samples,
        "direct": quantiles(direct(options.samples)),
        "supervised": quantiles(latencies),
        "load": os.getloadavg()[0],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
