"""The job table: states move forward only, nothing is told twice, reports may come early."""

from __future__ import annotations

import threading
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smartsim.engine.table import Job, JobTable
from smartsim.status import SmartSimStatus, State
from smartsim.values import JobEvent, JobHandle, JobStatus, LaunchPlan


def handle(number: int) -> JobHandle:
    return JobHandle(launcher="local", native_id=str(number), step=f"job-{number}")


def job(number: int, *, is_database: bool = False, run: int = 0) -> Job:
    plan = LaunchPlan(
        step=f"job-{number}", argv=("true",), cwd="/", stdout="/o", stderr="/e", entity=f"job{number}", run=run
    )
    status = JobStatus(state=State.RUNNING)
    return Job(handle=handle(number), plan=plan, status=status, started=1.0, is_database=is_database)


states = st.sampled_from(list(State))


@given(st.lists(states))
def test_states_move_forward_and_end_once(reported: list[State]) -> None:
    events: list[JobEvent] = []
    table = JobTable(events.append)
    table.add([job(1)])
    for state in reported:
        table.report(handle(1), JobStatus(state=state))
    seen = [event.status.state for event in events]
    assert all(before.can_become(after) for before, after in pairwise(seen))
    assert sum(state.terminal for state in seen) <= 1
    first_end = next((state for state in reported if state.terminal), None)
    assert table.jobs()[0].status.state is (first_end or seen[-1])
    assert (table.waited_for == 0) is (first_end is not None)


@given(st.lists(st.tuples(st.integers(0, 3), states)), st.permutations(range(4)))
def test_reports_before_add_are_kept(reports: list[tuple[int, State]], order: list[int]) -> None:
    """Whether a job's end is reported before or after it is entered makes no difference to what it ends as."""
    early, late = JobTable(lambda _: None), JobTable(lambda _: None)
    ends = {}
    for number, state in reports:
        if state.terminal:
            ends.setdefault(number, state)
    for number, state in ends.items():
        early.report(handle(number), JobStatus(state=state))
    early.add(job(number) for number in order)
    late.add(job(number) for number in order)
    for number, state in ends.items():
        late.report(handle(number), JobStatus(state=state))
    assert {one.handle: one.status.state for one in early.jobs()} == {
        one.handle: one.status.state for one in late.jobs()
    }
    assert early.waited_for == late.waited_for


def test_a_job_that_is_stopped_counts_as_cancelled_but_keeps_its_exit_code() -> None:
    table = JobTable(lambda _: None)
    table.add([job(1)])
    table.mark_stopping([handle(1)])
    table.report(handle(1), JobStatus(state=State.COMPLETED, returncode=0))
    assert table.jobs()[0].status.state is State.CANCELLED
    assert table.jobs()[0].status.returncode == 0


def test_stopping_does_not_change_a_job_that_had_ended() -> None:
    table = JobTable(lambda _: None)
    table.add([job(1)])
    table.report(handle(1), JobStatus(state=State.COMPLETED, returncode=0))
    table.mark_stopping([handle(1)])
    assert table.jobs()[0].status.state is State.COMPLETED


def test_databases_are_not_waited_for() -> None:
    table = JobTable(lambda _: None)
    table.add([job(1, is_database=True)])
    assert table.wait_until_done(tick=None)
    assert [one.entity for one in table.active()] == ["job1"]


def test_waiting_ends_with_the_last_job() -> None:
    table = JobTable(lambda _: None)
    table.add([job(1), job(2)])
    done = threading.Event()
    waiter = threading.Thread(target=lambda: (table.wait_until_done(), done.set()))
    waiter.start()
    table.report(handle(1), JobStatus(state=State.COMPLETED, returncode=0))
    assert not done.is_set()
    table.report(handle(2), JobStatus(state=State.FAILED, returncode=1))
    waiter.join(10)
    assert done.is_set()


def test_the_latest_run_of_an_entity_is_found() -> None:
    table = JobTable(lambda _: None)
    table.add([job(1)])
    again = Job(
        handle=JobHandle(launcher="local", native_id="9", step="job-1"),
        plan=job(1, run=1).plan,
        status=JobStatus(state=State.RUNNING),
        started=2.0,
    )
    table.add([again])
    assert table.latest("job1") == again
    assert table.latest("nobody") is None
    assert len(table.jobs()) == 2


def test_a_changed_host_list_is_an_event_and_the_same_status_again_is_not() -> None:
    events: list[JobEvent] = []
    table = JobTable(events.append)
    table.add([job(1)])
    table.report(handle(1), JobStatus(state=State.RUNNING, hosts=("n1",)))
    table.report(handle(1), JobStatus(state=State.RUNNING, hosts=("n1",)))
    assert [event.status.hosts for event in events] == [(), ("n1",)]


def test_every_state_has_a_published_status() -> None:
    assert {state.status for state in State} == set(SmartSimStatus) - {SmartSimStatus.STATUS_NEVER_STARTED}
    assert str(SmartSimStatus.STATUS_COMPLETED) == "Completed"
