"""The 0.8 tree, derived from a journal."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartsim.engine.supervisor.journal import Journal, journal_path
from smartsim.error import SmartSimError
from smartsim.telemetry.export import Exporter, export

RUN = "abc1234"


class Story:
    """Writes a journal as driver and supervisor would."""

    def __init__(self, path: Path, name: str = "exp", launcher: str = "local") -> None:
        self.path = path
        self.journal = Journal(journal_path(str(path)))
        self.say("experiment", name=name, path=str(path), launcher=launcher, host="here", driver_pid=1, version="1")

    def say(self, kind, **fields):
        self.journal.append(kind, **fields)

    def close(self):
        self.journal.close()

    def run(self, run_id=RUN, models=(), ensembles=(), databases=()):
        self.say("run", run_id=run_id, models=list(models), ensembles=list(ensembles), databases=list(databases))

    def model(self, name):
        return {
            "name": name,
            "path": str(self.path / name),
            "exe_args": [],
            "run_settings": {"exe": ["/bin/true"], "run_command": None, "run_args": {}},
            "batch_settings": {},
            "params": {},
            "files": {"Symlink": [], "Configure": [], "Copy": []},
            "colocated_db": {},
        }

    def job(self, entity, *, run_id=RUN, entity_type="Model", group="", run=0, managed=False, **more):
        folder = self.path / (f"{group}/{entity}" if group else entity)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{entity}.out").write_text(f"{entity} {run}\n")
        (folder / f"{entity}.err").touch()
        native = {"native_id": "77.0"} if managed else {"native_id": "4242", "pid": 4242, "supervisor": 99}
        self.say(
            "job",
            id=f"{entity}-{run}.{run_id}",
            run_id=run_id,
            entity=entity,
            entity_type=entity_type,
            group=group,
            run=run,
            launcher="local",
            step=f"{entity}-{run}",
            stdout=str(folder / f"{entity}.out"),
            stderr=str(folder / f"{entity}.err"),
            cwd=str(folder),
            managed=managed,
            **{**native, **more},
        )

    def state(self, entity, state, returncode=None, *, run_id=RUN, run=0, reason=""):
        self.say("state", id=f"{entity}-{run}.{run_id}", state=state, returncode=returncode, reason=reason)

    def file(self, *parts, run_id=RUN, name="exp"):
        return self.path.joinpath(".smartsim", "telemetry", name, run_id, *parts)

    def load(self, *parts, **where):
        return json.loads(self.file(*parts, **where).read_text())

    def manifest(self):
        return json.loads((self.path / ".smartsim" / "telemetry" / "manifest.json").read_text())


@pytest.fixture
def story(tmp_path):
    story = Story(tmp_path)
    yield story
    story.close()


def tree(path: Path) -> dict[str, str]:
    """Every file below the telemetry folder: where links lead, what files contain."""
    root = path / ".smartsim" / "telemetry"
    return {
        str(item.relative_to(root)): str(item.readlink()) if item.is_symlink() else item.read_text()
        for item in sorted(root.rglob("*"))
        if item.is_symlink() or item.is_file()
    }


def test_no_experiment(tmp_path):
    with pytest.raises(SmartSimError, match="not the folder of an experiment"):
        export(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_started_yet(story):
    assert export(story.path) == story.path / ".smartsim" / "telemetry" / "manifest.json"
    manifest = story.manifest()
    assert manifest["schema info"] == {"schema_name": "entity manifest", "version": "0.0.4"}
    logs = story.path / ".smartsim" / "telemetry" / "logs"
    assert manifest["experiment"] == {
        "name": "exp",
        "path": str(story.path),
        "launcher": "Local",
        "out_file": str(logs / "smartsim.out"),
        "err_file": str(logs / "smartsim.err"),
    }
    assert manifest["runs"] == []


@pytest.mark.parametrize(("name", "shown"), [("local", "Local"), ("abc", "ABC"), ("abcde", "Abcde")])
def test_launcher_as_manifests_spell_it(tmp_path, name, shown):
    story = Story(tmp_path, launcher=name)
    export(tmp_path)
    story.close()
    assert story.manifest()["experiment"]["launcher"] == shown


def test_a_model_from_start_to_end(story):
    story.run(models=[story.model("one")])
    story.job("one")
    export(story.path)
    start = story.load("model", "one", "start.json")
    assert start["detail"] == "Proxy process 99 started child process 4242"
    assert (start["type"], start["action"], start["job_id"], start["step_id"]) == ("model", "start", 4242, "")
    assert "return_code" not in start
    assert not story.file("model", "one", "stop.json").exists()
    story.state("one", "failed", 3, reason="exit code 3")
    export(story.path)
    stop = story.load("model", "one", "stop.json")
    assert stop["detail"] == "Process 4242 finished with return code: 3"
    assert (stop["type"], stop["action"], stop["return_code"]) == ("model", "stop", 3)
    assert stop["timestamp"] >= start["timestamp"] > 1_000_000_000_000
    run = story.manifest()["runs"][0]
    assert run["run_id"] == RUN
    assert run["timestamp"] > 1_000_000_000_000_000_000
    assert run["model"] == [
        {
            **story.model("one"),
            "telemetry_metadata": {
                "status_dir": str(story.file("model", "one")),
                "step_id": None,
                "task_id": "4242",
                "managed": False,
            },
            "out_file": str(story.path / "one" / "one.out"),
            "err_file": str(story.path / "one" / "one.err"),
        }
    ]
    assert story.file("model", "one", "one.out").read_text() == "one 0\n"
    assert story.file("model", "one", "one.err").is_symlink()


def test_an_unknown_return_code_is_not_given(story):
    story.run(models=[story.model("one")])
    story.job("one")
    story.state("one", "failed", None, reason="the supervisor was killed")
    export(story.path)
    stop = story.load("model", "one", "stop.json")
    assert "return_code" not in stop
    assert stop["detail"] == "Process 4242 finished with return code: unknown"


def test_a_batch_job_starts_when_it_runs(story):
    story.run(models=[story.model("one")])
    story.job("one", managed=True)
    export(story.path)
    assert not story.file("model", "one", "start.json").exists()
    story.state("one", "running")
    story.state("one", "failed", 1, reason="out of memory")
    export(story.path)
    start, stop = story.load("model", "one", "start.json"), story.load("model", "one", "stop.json")
    assert (start["step_id"], start["job_id"], start["detail"]) == ("77.0", "", "")
    assert stop["detail"] == "status: SmartSimStatus.STATUS_FAILED, error: out of memory"
    metadata = story.manifest()["runs"][0]["model"][0]["telemetry_metadata"]
    assert (metadata["step_id"], metadata["task_id"], metadata["managed"]) == ("77.0", None, True)


def test_a_batch_job_that_was_cancelled_in_the_queue_never_started(story):
    story.run(models=[story.model("one")])
    story.job("one", managed=True)
    story.state("one", "cancelled")
    export(story.path)
    assert not story.file("model", "one", "start.json").exists()
    assert story.load("model", "one", "stop.json")["detail"] == "status: SmartSimStatus.STATUS_CANCELLED"


def test_ensemble_members(story):
    members = [story.model("all_0"), story.model("all_1")]
    story.run(ensembles=[{"name": "all", "params": {"a": [1]}, "batch_settings": {}, "models": members}])
    for member in members:
        story.job(member["name"], group="all")
    export(story.path)
    ensemble = story.manifest()["runs"][0]["ensemble"][0]
    assert (ensemble["name"], ensemble["params"], ensemble["batch_settings"]) == ("all", {"a": [1]}, {})
    assert [model["telemetry_metadata"]["status_dir"] for model in ensemble["models"]] == [
        str(story.file("ensemble", "all", "all_0")),
        str(story.file("ensemble", "all", "all_1")),
    ]
    assert story.load("ensemble", "all", "all_1", "start.json")["type"] == "model"


def test_members_of_a_batch_ensemble_point_to_its_job(story):
    story.run(ensembles=[{"name": "all", "params": {}, "batch_settings": {"x": 1}, "models": [story.model("all_0")]}])
    story.job("all", entity_type="Ensemble", managed=True)
    story.state("all", "running")
    export(story.path)
    member = story.manifest()["runs"][0]["ensemble"][0]["models"][0]
    assert member["telemetry_metadata"]["status_dir"] == str(story.file("ensemble", "all"))
    assert member["telemetry_metadata"]["step_id"] == "77.0"
    assert member["out_file"] == str(story.path / "all_0" / "all_0.out")
    assert story.file("ensemble", "all", "start.json").exists()


def database(path, shards=1, telemetry=False):
    return {
        "name": "db",
        "type": "redis",
        "path": str(path / "db"),
        "interface": ["lo"],
        "cluster": shards > 1,
        "telemetry": telemetry,
        "shards": [{"name": f"db_{index}", "port": 6379 + index} for index in range(shards)],
    }


@pytest.mark.parametrize("announced_first", [True, False])
def test_database(story, announced_first):
    announcement = {
        "identifier": "db",
        "engine": "redis",
        "nodes": [{"name": f"db_{index}", "host": "127.0.0.1", "port": 7000 + index} for index in range(3)],
        "path": str(story.path / "db"),
    }
    if announced_first:
        story.say("database", **announcement)
    story.run(databases=[database(story.path, 3)])
    for index in range(3):
        story.job(f"db_{index}", entity_type="DBNode", group="db")
    if not announced_first:
        story.say("database", **announcement)
    export(story.path)
    orchestrator = story.manifest()["runs"][0]["orchestrator"][0]
    assert (orchestrator["name"], orchestrator["type"], orchestrator["interface"]) == ("db", "redis", ["lo"])
    shard = orchestrator["shards"][1]
    assert shard == {
        "name": "db_1",
        "hostname": "127.0.0.1",
        "port": 7001,
        "cluster": True,
        "conf_file": str(story.path / "db" / "nodes-db_1-7001.conf"),
        "out_file": str(story.path / "db" / "db_1" / "db_1.out"),
        "err_file": str(story.path / "db" / "db_1" / "db_1.err"),
        "memory_file": "",
        "client_file": "",
        "client_count_file": "",
        "telemetry_metadata": {
            "status_dir": str(story.file("database", "db", "db_1")),
            "step_id": None,
            "task_id": "4242",
            "managed": False,
        },
    }
    assert story.load("database", "db", "db_2", "start.json")["type"] == "dbnode"


def test_a_database_that_was_started_twice(story):
    for run_id, port in (("aaaaaaa", 7000), ("bbbbbbb", 8000)):
        story.run(run_id, databases=[database(story.path)])
        story.job("db_0", entity_type="DBNode", group="db", run_id=run_id)
        nodes = [{"name": "db_0", "host": "127.0.0.1", "port": port}]
        story.say("database", identifier="db", engine="redis", nodes=nodes, path="")
        story.say("database-end", identifier="db", reason="stopped")
    export(story.path)
    runs = story.manifest()["runs"]
    assert [run["orchestrator"][0]["shards"][0]["port"] for run in runs] == [7000, 8000]
    assert runs[0]["orchestrator"][0]["shards"][0]["conf_file"] is None


def test_tables_of_a_database_with_telemetry(story):
    story.run(databases=[database(story.path, telemetry=True)])
    export(story.path)
    shard = story.manifest()["runs"][0]["orchestrator"][0]["shards"][0]
    folder = story.file("database", "db", "db_0")
    assert shard["memory_file"] == str(folder / "memory.csv")
    assert (folder / "memory.csv").read_text() == "timestamp,used_memory,used_memory_peak,total_system_memory\n"
    assert (folder / "client.csv").read_text() == "timestamp,client_id,address\n"
    assert (folder / "client_count.csv").read_text() == "timestamp,num_clients\n"
    (folder / "memory.csv").write_text("samples\n")
    export(story.path)
    assert (folder / "memory.csv").read_text() == "samples\n"


def test_a_second_run_moves_the_output_of_the_first_aside(story):
    story.run("aaaaaaa", models=[story.model("one")])
    story.job("one", run_id="aaaaaaa")
    export(story.path)
    output = story.path / "one" / "one.out"
    output.rename(output.with_name("one.0.out"))
    story.run("bbbbbbb", models=[story.model("one")])
    story.job("one", run_id="bbbbbbb", run=1)
    export(story.path)
    assert story.file("model", "one", "one.out", run_id="aaaaaaa").read_text() == "one 0\n"
    assert story.file("model", "one", "one.out", run_id="bbbbbbb").read_text() == "one 1\n"
    runs = story.manifest()["runs"]
    assert [run["model"][0]["out_file"] for run in runs] == [str(output.with_name("one.0.out")), str(output)]


def test_repeating_it_changes_nothing(story):
    story.run(models=[story.model("one")], databases=[database(story.path, telemetry=True)])
    story.job("one")
    story.state("one", "completed", 0)
    export(story.path)
    before = tree(story.path)
    written = story.file("model", "one", "stop.json").stat()
    export(story.path)
    assert tree(story.path) == before
    assert story.file("model", "one", "stop.json").stat() == written


def test_events_are_never_overwritten(story):
    story.run(models=[story.model("one")])
    story.job("one")
    story.file("model", "one").mkdir(parents=True)
    story.file("model", "one", "start.json").write_text("{}")
    export(story.path)
    assert story.load("model", "one", "start.json") == {}


def test_runs_that_the_journal_does_not_know_are_kept(story):
    manifest = story.path / ".smartsim" / "telemetry" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"runs": [{"run_id": "foreign"}, 3]}))
    story.run()
    export(story.path)
    assert [run["run_id"] for run in story.manifest()["runs"]] == ["foreign", RUN]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"runs": 3}'])
def test_an_unusable_manifest_is_replaced(story, content):
    manifest = story.path / ".smartsim" / "telemetry" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(content)
    story.run()
    export(story.path)
    assert [run["run_id"] for run in story.manifest()["runs"]] == [RUN]


@pytest.mark.parametrize("name", ["../../evil", "..", "", "a/b", "a\0b"])
def test_a_name_that_is_no_folder_writes_nothing_elsewhere(story, name):
    story.run(models=[{"name": name, "path": "x"}])
    story.say("job", id="x", run_id=RUN, entity=name, entity_type="Model", group="", stdout="", stderr="")
    story.say("job", id="y", run_id="../..", entity="fine", entity_type="Model", group="", stdout="", stderr="")
    export(story.path)
    written = set(tree(story.path))
    assert written == {"manifest.json"}
    assert {item.name for item in story.path.iterdir()} == {".smartsim"}


def test_no_temporary_file_is_left_when_the_disk_refuses(story, monkeypatch):
    story.run()

    def refuse(self, target):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        export(story.path)
    assert tree(story.path) == {}


def test_a_line_that_is_being_written_is_waited_for(story):
    exporter = Exporter(story.path)
    story.run()
    exporter.advance()
    line = b'{"v":1,"t":1.0,"kind":"run","run_id":"fedcba9","models":[],"ensembles":[],"databases":[]}\n'
    with exporter.journal.open("ab") as journal:
        journal.write(line[:40])
        journal.flush()
        exporter.advance()
        assert len(story.manifest()["runs"]) == 1
        journal.write(line[40:])
    exporter.advance()
    assert [run["run_id"] for run in story.manifest()["runs"]] == [RUN, "fedcba9"]


# --- any journal -----------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b"])
RUNS = st.sampled_from(["aaaaaaa", "bbbbbbb"])
IDS = st.tuples(NAMES, RUNS).map(".".join)  # an entity has one job in a run
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)
RECORDS = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("job"), "id": IDS, "managed": st.booleans()},
        optional={
            "entity_type": st.sampled_from(["Model", "DBNode", "Ensemble", "Orchestrator", "Other"]),
            "group": st.sampled_from(["", "g"]),
            "pid": st.integers(1, 9),
            "native_id": st.text(max_size=3),
            "run": st.integers(0, 3),
        },
    ).map(lambda job: {**job, "entity": job["id"].partition(".")[0], "run_id": job["id"].partition(".")[2]}),
    st.fixed_dictionaries(
        {
            "kind": st.just("state"),
            "id": IDS,
            "state": st.sampled_from(["queued", "running", "completed", "failed", "cancelled", "unknown"]),
        },
        optional={"returncode": st.none() | st.integers(-15, 3), "reason": st.text(max_size=5)},
    ),
    st.fixed_dictionaries(
        {"kind": st.just("run"), "run_id": RUNS},
        optional={
            "models": JSON | st.lists(st.fixed_dictionaries({"name": NAMES, "path": st.just("p")})),
            "databases": JSON | st.lists(st.fixed_dictionaries({"name": NAMES, "shards": JSON})),
            "ensembles": JSON,
        },
    ),
    st.fixed_dictionaries({"kind": st.sampled_from(["database", "database-end"]), "identifier": NAMES, "nodes": JSON}),
    st.fixed_dictionaries({"kind": st.text(max_size=8)}, optional={"id": JSON, "run_id": JSON, "stdout": JSON}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=12), st.data())
def test_in_one_go_or_in_steps_gives_the_same(records, data):
    lines = [json.dumps({"v": 1, "t": 1000.0 + at, **record}).encode() + b"\n" for at, record in enumerate(records)]
    text = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    with tempfile.TemporaryDirectory() as at_once, tempfile.TemporaryDirectory() as in_steps:
        for folder in (at_once, in_steps):
            Path(journal_path(folder)).parent.mkdir(parents=True)
        Path(journal_path(at_once)).write_bytes(text)
        export(at_once)
        exporter = Exporter(in_steps)
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            with exporter.journal.open("ab") as journal:
                journal.write(text[begin:end])
            exporter.advance()
        export(in_steps)
        assert placeless(at_once) == placeless(in_steps)


def placeless(folder: str) -> dict[str, str]:
    """The tree, without the name of the experiment's folder."""
    name = Path(folder).name
    return {path.replace(name, "EXP"): str(value).replace(name, "EXP") for path, value in tree(Path(folder)).items()}
