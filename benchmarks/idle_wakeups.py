"""How often driver and supervisor wake up while many members run and nothing happens, beside a sleeping process.

python benchmarks/idle_wakeups.py [--running 1000] [--seconds 10]

Counts voluntary context switches of every thread. A process that polls has some; the yardstick is one that only sleeps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from smartsim.engine.supervisor.client import Command, SupervisorClient


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
    with tempfile.TemporaryDirectory() as place, subprocess.Popen(["sleep", "100000"]) as sleeper:
        client = SupervisorClient.start(place, lambda _: None, print)
        commands = [
            Command(f"sleep-{k}", ["sleep", "100000"], {}, place, "/dev/null", "/dev/null", {})
            for k in range(options.running)
        ]
        client.launch(commands, os.environ)
        client.jobs()
        time.sleep(1.0)
        assert client.pid is not None
        pids = {"driver": os.getpid(), "supervisor": client.pid, "sleeping_process": sleeper.pid}
        before = {name: switches(pid) for name, pid in pids.items()}
        time.sleep(options.seconds)
        after = {name: switches(pid) for name, pid in pids.items()}
        # This thread's own sleep is not the client's.
        wakeups = {name: increase(before[name], after[name], os.getpid()) for name in pids}
        client.shutdown(0.0)
        sleeper.kill()
    print(json.dumps({"running": options.running, "seconds": options.seconds, "wakeups": wakeups}, indent=2))


if __name__ == "__main__":
    main()
