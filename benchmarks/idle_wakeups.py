"""How often driver and supervisor wake up while many members run and nothing happens, beside a sleeping process.

python benchmarks/idle_wakeups.py [--running 1000] [--seconds 10]

Counts voluntary context switches of every thread. A process that polls has some; the yardstick is one that only sleeps.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import tempfile
import time
from pathlib import Path

from smartsim import Experiment
from smartsim.engine.supervisor.journal import fold, journal_path, read


def switches(pid: int) -> dict[str, int]:
    """Voluntary context switches of a process by thread."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        counts[task.name] = next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return counts


def increase(before: dict[str, int], after: dict[str, int], but: int | None = None) -> int:
    return sum(count - before.get(task, 0) for task, count in after.items() if task != str(but))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--running", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    logging.getLogger("SmartSim").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as place, subprocess.Popen(["sleep", "100000"]) as sleeper:
        experiment = Experiment("idle", exp_path=place)
        settings = experiment.create_run_settings("sleep", exe_args="100000")
        sleepers = experiment.create_ensemble("sleepers", run_settings=settings, replicas=options.running)
        experiment.start(sleepers, block=False)
        supervisor = fold(read(journal_path(place))).supervisor
        assert supervisor is not None
        time.sleep(1.0)
        pids = {"driver": os.getpid(), "supervisor": int(supervisor["pid"]), "sleeping_process": sleeper.pid}
        before = {name: switches(pid) for name, pid in pids.items()}
        time.sleep(options.seconds)
        after = {name: switches(pid) for name, pid in pids.items()}
        # This thread's own sleep is not the Experiment's.
        wakeups = {name: increase(before[name], after[name], os.getpid()) for name in pids}
        experiment.stop(sleepers)
        sleeper.kill()
    print(json.dumps({"running": options.running, "seconds": options.seconds, "wakeups": wakeups}, indent=2))


if __name__ == "__main__":
    main()
