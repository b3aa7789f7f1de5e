"""What running members cost while nothing happens, and what each leaves: counts, which do not depend on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from smartsim import Experiment
from smartsim.engine.supervisor.journal import journal_path, read
from smartsim.entity import Ensemble
from supervised import supervisors, wait_for

IDLE_SECONDS = 3.0
FEW = 2
"""Wake-ups in that time that the kernel may be the reason of; a poll every second has more in each thread."""

DRIVER = """
import sys
from smartsim import Experiment
exp = Experiment("exp", exp_path=sys.argv[1])
settings = exp.create_run_settings("/bin/sleep", exe_args=["1000"])
members = exp.create_ensemble("members", run_settings=settings, replicas=1000)
{wait}
"""
WAITING = {
    "in start": "exp.start(members)",
    "in poll": "exp.start(members, block=False)\nexp.poll(interval=1000)",
    "elsewhere": "exp.start(members, block=False)\nsys.stdin.read()",
}


def switches(*pids: int) -> Counter[str]:
    """Context switches, of both kinds, of every thread of some processes."""
    found: Counter[str] = Counter()
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if "ctxt_switches" in line:
                    found[f"{pid}/{task.name} {line.split(':')[0]}"] = int(line.split()[1])
    return found


def settled(*pids: int) -> Counter[str]:
    """The counts once they have been the same for a moment, so that what the start has set off is over."""

    def same() -> Counter[str] | None:
        before = switches(*pids)
        time.sleep(0.3)
        after = switches(*pids)
        return after if (after - before).total() <= FEW else None

    return wait_for(same, "quiet") or Counter()


def started(path: Path) -> int:
    return sum(record["kind"] == "job" for record in read(journal_path(str(path))))


@pytest.mark.serial
@pytest.mark.parametrize("where", WAITING)
def test_nobody_wakes_up_while_a_thousand_members_run(tmp_path: Path, where: str) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(wait=WAITING[where]), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: started(tmp_path) == 1000, "the start of the members")
        (supervisor,) = supervisors(tmp_path)
        before = settled(driver.pid, supervisor)
        time.sleep(IDLE_SECONDS)
        woken = switches(driver.pid, supervisor) - before
        assert woken.total() <= FEW, woken
    finally:
        driver.kill()
        driver.communicate()
        stop_all(tmp_path)


def stop_all(path: Path) -> None:
    from smartsim.cli.main import main

    assert main(["teardown", str(path)]) == 0


def ensemble(exp: Experiment, name: str, count: int, *command: str) -> Ensemble:
    settings = exp.create_run_settings(command[0], exe_args=list(command[1:]))
    return exp.create_ensemble(name, run_settings=settings, replicas=count)


def test_files_of_a_member_are_its_folder_and_its_output(exp: Experiment, tmp_path: Path) -> None:
    exp.start(ensemble(exp, "members", 50, "/bin/echo", "said"))
    expected = {".smartsim", ".smartsim/journal.jsonl", "members"}
    for number in range(50):
        stem = f"members/members_{number}"
        expected |= {stem, f"{stem}/members_{number}.out", f"{stem}/members_{number}.err"}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == expected


def test_records_of_a_member_are_its_start_and_its_end(exp: Experiment, tmp_path: Path) -> None:
    exp.start(ensemble(exp, "members", 50, "/bin/true"))
    kinds = Counter(record["kind"] for record in read(journal_path(str(tmp_path))))
    assert kinds == {"experiment": 1, "supervisor": 1, "run": 1, "job": 50, "state": 50}


@pytest.mark.serial
def test_descriptors_and_threads_do_not_grow_with_the_jobs(exp: Experiment, tmp_path: Path) -> None:
    def counts() -> dict[str, int]:
        (supervisor,) = supervisors(tmp_path)
        # Its answer says that it is done with what it does after a launch, for which it opens a file now and then.
        exp._control.runtime.backend.prepare(str(tmp_path)).jobs()
        return {
            f"{what} of {who}": len(list(Path(f"/proc/{pid}/{what}").iterdir()))
            for who, pid in (("driver", os.getpid()), ("supervisor", supervisor))
            for what in ("fd", "task")
        }

    few, many = ensemble(exp, "few", 10, "sleep", "1000"), ensemble(exp, "many", 1000, "sleep", "1000")
    exp.start(few, block=False)
    before = counts()
    assert before["task of supervisor"] == 1
    exp.start(many, block=False)
    assert counts() == before
    exp.stop(few, many)
    assert counts() == before
