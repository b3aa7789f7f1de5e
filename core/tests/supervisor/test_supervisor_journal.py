"""The journal: what is written is read, and nothing that a file can hold is an error."""

from __future__ import annotations

import io
import json
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartsim.engine.supervisor.journal import Journal, JournalView, fold, line, parse, read
from smartsim.status import State

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = ("experiment", "supervisor", "supervisor-end", "run", "job", "state", "rung", "database", "database-end", "new")
IDS = st.sampled_from(["a", "b", ""])
SENSIBLE = {
    "id": IDS,
    "identifier": IDS,
    "state": st.sampled_from([state.value for state in State]),
    "returncode": st.none() | st.integers(-64, 255),
    "pid": st.integers(1, 3),
    "host": st.just("here"),
    "t": st.floats(0, 1e10),
}
FIELDS = st.fixed_dictionaries({}, optional={name: values | VALUE for name, values in SENSIBLE.items()})
RECORDS = st.lists(st.tuples(st.sampled_from(KINDS), FIELDS), max_size=15)
STEADY = settings(deadline=None)
FILE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lines(records: list[tuple[str, dict[str, object]]]) -> list[bytes]:
    envelope = {"v": 1, "t": 1.5}
    return [json.dumps({**envelope, "kind": kind, **fields}).encode() + b"\n" for kind, fields in records]


def in_order(record: dict[str, object]) -> list[tuple[str, object]]:
    return sorted(record.items(), key=lambda item: item[0])


def consistent(view: JournalView) -> None:
    for identifier, job in view.jobs.items():
        assert job.id == identifier
        assert (job.end is None) == (not job.state.terminal)
        assert job.returncode is None or type(job.returncode) is int
        assert isinstance(job.reason, str)
        assert isinstance(job.text("entity"), str)


@FILE
@given(RECORDS)
def test_records_are_read_as_they_were_written(tmp_path, records):
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    book = Journal(str(path))
    for kind, fields in records:
        assert book.append(kind, **fields)
    book.close()
    found = list(read(path))
    assert [record["kind"] for record in found] == [kind for kind, _ in records]
    written = [{**fields, "v": 1, "t": 0, "kind": kind} for kind, fields in records]
    assert repr([in_order({**record, "t": 0}) for record in found]) == repr([in_order(record) for record in written])
    consistent(fold(found))


@STEADY
@given(RECORDS, st.data())
def test_any_damage_is_read(records, data):
    content = bytearray(b"".join(lines(records)))
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=5))
    consistent(fold(parse(io.BytesIO(content))))


@STEADY
@given(st.binary())
def test_any_bytes_are_read(content):
    consistent(fold(parse(io.BytesIO(content))))


@STEADY
@given(RECORDS, st.integers(0, 20))
def test_torn_last_line_costs_only_itself(records, place):
    whole = lines(records)
    torn = line("job", {"id": "torn"})[:place]
    assert repr(list(parse([*whole, torn]))) == repr(list(parse(whole)))


def test_record_behind_a_torn_one_is_found(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(line("job", {"id": "a"})[:20] + line("job", {"id": "b"}) + line("job", {"id": "c"}))
    assert list(fold(read(path)).jobs) == ["b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"v":2,"t":1,"kind":"job","id":"a"}',
        b'{"v":0,"t":1,"kind":"job","id":"a"}',
        b'{"v":true,"t":1,"kind":"job","id":"a"}',
        b'{"v":1,"t":"1","kind":"job","id":"a"}',
        b'{"v":1,"t":NaN,"kind":"job","id":"a"}',
        b'{"v":1,"t":1,"kind":"job","id":5}',
        b'{"v":1,"t":1,"kind":"job"}',
        b'{"v":1,"t":1,"kind":["job"],"id":"a"}',
        b'{"v":1,"t":1' + b"1" * 5000 + b',"kind":"job","id":"a"}',
        b"[" * 100_000,
        b"null",
        b"",
    ],
)
def test_what_is_not_a_record_is_passed_over(tmp_path, text):
    path = tmp_path / "journal"
    path.write_bytes(text + b"\n" + line("job", {"id": "good"}))
    assert list(fold(read(path)).jobs) == ["good"]


def test_no_file_has_no_records(tmp_path):
    assert list(read(tmp_path / "nothing")) == []


def test_a_journal_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(IsADirectoryError):
        list(read(tmp_path))


@STEADY
@given(st.lists(st.sampled_from(list(State)), max_size=8))
def test_states_never_move_back(states):
    view = JournalView()
    view.add({"kind": "job", "t": 0.0, "id": "a"})
    for at, state in enumerate(states):
        before = view.jobs["a"].state
        view.add({"kind": "state", "t": float(at), "id": "a", "state": state.value, "returncode": 1})
        after = view.jobs["a"].state
        assert after is (state if before.can_become(state) else before)
        assert not (before.terminal and after is not before)


def test_fold_tells_the_whole_story():
    records = [
        {"kind": "experiment", "t": 1.0, "name": "exp"},
        {"kind": "supervisor", "t": 2.0, "pid": 5, "host": "here"},
        {"kind": "run", "t": 3.0, "run_id": "abc"},
        {"kind": "job", "t": 4.0, "id": "a", "pid": 9},
        {"kind": "job", "t": 4.5, "id": "b", "managed": True},
        {"kind": "rung", "t": 5.0, "id": "a", "action": "term", "pids": [9]},
        {
            "kind": "state",
            "t": 6.0,
            "id": "a",
            "state": "cancelled",
            "returncode": -15,
            "usage": {"utime": 0.5, "x": "y"},
        },
        {"kind": "state", "t": 6.5, "id": "b", "state": "running", "hosts": ["n1", 2]},
        {"kind": "database", "t": 7.0, "identifier": "orc"},
        {"kind": "database", "t": 7.0, "identifier": "other"},
        {"kind": "database-end", "t": 8.0, "identifier": "orc"},
        {"kind": "supervisor", "t": 9.0, "pid": 6, "host": "here"},
        {"kind": "supervisor-end", "t": 10.0, "pid": 5, "host": "here", "reason": "killed"},
    ]
    view = fold(records)
    a, b = view.jobs.values()
    assert (a.state, a.returncode, a.start, a.end) == (State.CANCELLED, -15, 4.0, 6.0)
    assert a.usage == {"utime": 0.5}
    assert [rung["action"] for rung in a.rungs] == ["term"]
    assert (b.state, b.end, b.hosts) == (State.RUNNING, None, ["n1"])
    assert view.experiment["name"] == "exp"
    assert [run["run_id"] for run in view.runs] == ["abc"]
    assert list(view.databases) == ["other"]
    assert view.supervisors[0]["ended"] == "killed"
    assert view.supervisor["pid"] == 6


def test_several_writers_do_not_tear_each_other(tmp_path):
    """Two journals on one file, as a driver and the supervisor have."""
    path = tmp_path / "deep" / "journal"
    first, second = Journal(str(path)), Journal(str(path))
    for k in range(100):
        first.append("job", id=f"first-{k}")
        second.append("job", id=f"second-{k}")
    first.close()
    second.close()
    assert len(fold(read(path)).jobs) == 200


def test_disk_that_fills_up_tears_no_record(tmp_path, monkeypatch):
    """Writes that are cut short at every length; in between another writer appends."""
    real_write = os.write
    room = 0

    def write(fd: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        written = real_write(fd, data[:room])
        room -= written
        return written

    path = tmp_path / "journal"
    other = Journal(str(path))
    book = Journal(str(path))
    length = len(line("job", {"id": "job-00"}))
    for k in range(length + 2):
        monkeypatch.setattr(os, "write", write)
        room = k
        complete = book.write([line("job", {"id": f"job-{k:02}"}, 1.5)])
        assert complete == (book.pending == 0)
        monkeypatch.setattr(os, "write", real_write)
        other.append("job", id=f"other-{k:02}")
        assert book.append("job", id=f"after-{k:02}")
        assert book.pending == 0
    book.close()
    other.close()
    jobs = fold(read(path)).jobs
    assert len([job for job in jobs if job.startswith("job")]) == length + 2
    assert len([job for job in jobs if job.startswith("after")]) == length + 2
    assert len([job for job in jobs if job.startswith("other")]) == length + 2


def test_closing_twice_is_no_error(tmp_path):
    book = Journal(str(tmp_path / "journal"))
    book.close()
    book.close()


def test_time_of_a_record(tmp_path):
    before = time.time()
    book = Journal(str(tmp_path / "journal"))
    book.append("experiment", name="a")
    book.close()
    (record,) = read(tmp_path / "journal")
    assert before <= record["t"] <= time.time()


def test_reading_only_what_is_wanted(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(line("supervisor", {"pid": 1}) + line("job", {"id": "a"}) + line("supervisor-end", {"pid": 1}))
    assert [record["kind"] for record in read(path, containing=b'"kind":"supervisor')] == [
        "supervisor",
        "supervisor-end",
    ]
