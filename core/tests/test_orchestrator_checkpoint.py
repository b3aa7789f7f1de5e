"""The file from which another driver finds a running database again."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartsim.database import Orchestrator
from smartsim.database.checkpoint import FORMAT, VERSION, Checkpoint, read_checkpoint, write_checkpoint
from smartsim.error import SmartSimError
from smartsim.values import DbNodeAddress, Deployment, JobHandle, OrchestratorSpec, from_json, to_json

texts = st.text(st.characters(blacklist_categories=["Cs"]))
settings = st.fixed_dictionaries({"settings": texts, "run_args": st.lists(texts).map(tuple)})


@st.composite
def checkpoints(draw: st.DrawFn) -> Checkpoint:
    shards = draw(st.integers(1, 4))
    spec = OrchestratorSpec(
        identifier=draw(texts),
        engine=draw(texts),
        path=draw(texts),
        ports=draw(st.lists(st.integers(1, 65535), min_size=shards, max_size=shards)),
        interfaces=draw(st.lists(texts, min_size=1)),
        settings=draw(st.lists(settings, max_size=shards)),
        threads_per_queue=draw(st.none() | st.integers()),
        options=draw(st.dictionaries(texts, st.booleans() | texts)),
        single_step=draw(st.booleans()),
        run=draw(st.integers(0)),
    )
    nodes = [DbNodeAddress(name=draw(texts), host=draw(texts), port=port) for port in spec.ports]
    handles = st.builds(JobHandle, launcher=texts, native_id=texts, step=texts)
    return Checkpoint(
        spec=spec,
        deployment=Deployment(identifier=spec.identifier, engine=spec.engine, nodes=nodes, path=spec.path),
        launcher=draw(texts),
        run_command=draw(texts),
        batch=draw(st.booleans()),
        experiment_path=draw(texts),
        handles=draw(st.dictionaries(texts, handles)),
    )


@given(checkpoints())
def test_a_checkpoint_survives_its_text(checkpoint: Checkpoint) -> None:
    assert from_json(Checkpoint, to_json(checkpoint)) == checkpoint


def example(tmp_path: Path, shards: int = 3) -> Checkpoint:
    database = Orchestrator(str(tmp_path), 7000, db_nodes=shards, db_identifier="db", threads_per_queue=2)
    spec = database.spec(4)
    nodes = [DbNodeAddress(name=f"db_{i}", host=f"10.0.0.{i}", port=port) for i, port in enumerate(spec.ports)]
    return Checkpoint.of(
        database,
        spec=spec,
        deployment=Deployment(identifier="db", engine="redis", nodes=nodes, path=spec.path),
        experiment_path="/exp",
        handles={"db_0-4.abc": JobHandle(launcher="local", native_id="17", step="db_0-4")},
    )


@pytest.mark.parametrize("shards", [1, 3])
def test_a_checkpoint_gives_the_object_back(tmp_path: Path, shards: int) -> None:
    checkpoint = example(tmp_path, shards)
    file = tmp_path / "smartsim_db.dat"
    write_checkpoint(file, checkpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["smartsim_db.dat"]
    read = read_checkpoint(str(file))
    assert read == checkpoint
    database = Orchestrator.restore(read)
    assert database.spec(4) == checkpoint.spec
    assert database.deployment == checkpoint.deployment
    assert database.hosts == [f"10.0.0.{i}" for i in range(shards)]
    assert database.checkpoint_file == str(file)


def test_a_checkpoint_replaces_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "smartsim_db.dat"
    file.write_text("old")
    write_checkpoint(file, example(tmp_path))
    assert json.loads(file.read_text())["format"] == FORMAT


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "smartsim_db.dat"
    (file / "in the way").mkdir(parents=True)
    with pytest.raises(SmartSimError, match=r"smartsim_db.dat could not be written"):
        write_checkpoint(file, example(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["smartsim_db.dat"]


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"smartsim_db\.dat"):
        read_checkpoint(tmp_path / "nothing")


class Bomb:
    """Unpickling it would leave a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.file,)  # type: ignore[return-value]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_pickle_is_never_loaded(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    file = tmp_path / "old.dat"
    file.write_bytes(pickle.dumps({"db": Bomb(trace)}, protocol=protocol))
    with pytest.raises(SmartSimError, match=r"written by SmartSim 0\.8, whose checkpoints are pickles"):
        read_checkpoint(file)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "3",
        "null",
        "[" * 100_000,
        '{"format": "other"}',
        f'{{"format": "{FORMAT}"}}',
        f'{{"format": "{FORMAT}", "version": {VERSION + 1}, "checkpoint": {{}}}}',
        f'{{"format": "{FORMAT}", "version": {VERSION}, "checkpoint": {{}}}}',
        f'{{"format": "{FORMAT}", "version": {VERSION}, "checkpoint": {{"spec": 3}}}}',
        f'{{"format": "{FORMAT}", "version": {VERSION}}}',
    ],
)
def test_something_else_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "odd.dat"
    file.write_text(content)
    with pytest.raises(SmartSimError, match="is not a checkpoint of a SmartSim database"):
        read_checkpoint(file)


def test_bytes_that_are_no_text_and_a_folder_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "odd.dat"
    file.write_bytes(b"\xff\xfe{")
    for path in (file, tmp_path):
        with pytest.raises(SmartSimError, match=r"not a checkpoint|cannot be read"):
            read_checkpoint(path)
