"""The summary of what has ended, as text and in a notebook, and the launch summary."""

from __future__ import annotations

import copy
import html.parser
import pickle
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabulate import tabulate_formats

from smartsim.database import Orchestrator
from smartsim.engine import html as page
from smartsim.engine.launch_summary import launch_summary
from smartsim.engine.rows import COLUMNS, job_line, row, rows
from smartsim.engine.summary import Summary, summary
from smartsim.engine.table import Job
from smartsim.entity import Ensemble, Model
from smartsim.settings import RunSettings
from smartsim.settings.base import BatchSettings
from smartsim.status import State
from smartsim.values import JobHandle, JobStatus, LaunchPlan


def job(
    name: str = "hello_world",
    *,
    state: State = State.COMPLETED,
    returncode: int | None = 0,
    native_id: str = "4711",
    entity_type: str = "Model",
    run: int = 0,
    seconds: float | None = 10.06571,
) -> Job:
    plan = LaunchPlan(
        step=f"{name}-{run}", argv=["x"], cwd="/", stdout="", stderr="", entity=name, entity_type=entity_type, run=run
    )
    return Job(
        handle=JobHandle(launcher="local", native_id=native_id, step=plan.step),
        plan=plan,
        status=JobStatus(state=state, returncode=returncode),
        started=100.0,
        ended=None if seconds is None else 100.0 + seconds,
    )


ENDED = [
    job(),
    job("orchestrator_0", state=State.CANCELLED, native_id="1778304.3+2", entity_type="DBNode", seconds=43.4797, run=1),
    job("lost", state=State.FAILED, returncode=None, native_id="", seconds=0.0),
]
RUNNING = job("still", state=State.RUNNING, returncode=None, seconds=None)


def test_the_documented_table():
    assert summary([*ENDED, RUNNING]).splitlines() == [
        "|    | Name           | Entity-Type   | JobID       | RunID   | Time    | Status    | Returncode   |",
        "|----|----------------|---------------|-------------|---------|---------|-----------|--------------|",
        "| 0  | hello_world    | Model         | 4711        | 0       | 10.0657 | Completed | 0            |",
        "| 1  | orchestrator_0 | DBNode        | 1778304.3+2 | 1       | 43.4797 | Cancelled | 0            |",
        "| 2  | lost           | Model         | None        | 0       | 0.0000  | Failed    | None         |",
    ]


def test_nothing_has_ended():
    assert summary([RUNNING], "plain").split() == list(COLUMNS)


@pytest.mark.parametrize("style", tabulate_formats)
def test_every_style(style):
    text = summary(ENDED, style)
    assert isinstance(text, str)
    for word in ("Name", "JobID", "10.0657", "1778304.3+2", "Cancelled"):
        assert word in text.replace("\\_", "_")


@pytest.mark.parametrize("style", ["", "markdown", "GitHub", None])
def test_an_unknown_style_names_the_known_ones(style):
    with pytest.raises(ValueError, match=r"github, .*html, ") as caught:
        summary(ENDED, style)
    assert repr(style) in str(caught.value)


def test_html_style_is_escaped():
    assert "<script>" not in summary([job("<script>alert(1)</script>")], "html")


def test_a_summary_is_a_string_that_notebooks_show_as_a_table():
    text = summary(ENDED)
    assert text._repr_html_().count("<tr>") == 1 + len(ENDED)
    assert text.upper() == str(text).upper()
    for twin in (copy.copy(text), pickle.loads(pickle.dumps(text))):
        assert twin == text
        assert twin.rows == text.rows
    assert Summary("text").rows == ()


def test_the_time_of_a_running_job_counts_until_now():
    assert row(RUNNING, now=101.5)[4] == "1.5000"
    assert row(RUNNING)[4] == "None"
    assert row(RUNNING, now=99.0)[4] == "0.0000"  # the clock was set back


def test_lines_of_the_log():
    assert job_line(RUNNING) == "still(4711): Running"
    assert job_line(ENDED[2]) == "lost: Failed"


# --- notebooks -------------------------------------------------------------------------------------------------------


class Reader(html.parser.HTMLParser):
    """Checks that every element is closed, and collects the text of each cell."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1] += data

    @classmethod
    def of(cls, text: str) -> Reader:
        reader = cls()
        reader.feed(text)
        reader.close()
        assert reader.open == []
        return reader


def shown(jobs: list[Job], name: str = "exp", path: str = "/exp") -> str:
    return page.experiment(name=name, path=path, launcher="local", columns=COLUMNS, rows=rows(jobs, now=101.0))


def test_an_experiment_in_a_notebook():
    text = re.sub(r' (style|scope)="[^"]*"', "", shown([*ENDED, RUNNING]))
    assert text.startswith(
        "<div><div><strong>Experiment exp</strong></div>"
        "<div><span>Path:</span> /exp</div>"
        "<div><span>Launcher:</span> local</div>"
        "<div><span>Jobs:</span> 1 Completed, 1 Cancelled, 1 Failed, 1 Running</div>"
        "<table><thead><tr><th>Name</th>"
    )
    assert "<tr><td>still</td><td>Model</td><td>4711</td><td>0</td><td>1.0000</td><td>Running</td>" in text
    assert "none yet</div></div>" in shown([])


@given(st.text(st.characters()), st.text(st.characters()))
def test_nothing_of_the_user_becomes_markup(name, path):
    text = shown([job(name)], name, path)
    reader = Reader.of(text)
    assert reader.tags == {"div", "strong", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert reader.attributes == {"style", "scope"}
    assert text.encode("utf-8")
    if name.isprintable():
        assert reader.cells[len(COLUMNS)] == name


def test_a_hostile_name():
    text = shown([job('<img src=x onerror="alert(1)">')], "</div><script>", "&quot;")
    assert "<img" not in text
    assert "<script" not in text
    assert "&amp;quot;" in text


def test_a_long_table_shows_its_ends():
    many = Reader.of(page.table(["Name"], [[f"m_{number}"] for number in range(10_000)])).cells
    assert many[:2] == ["Name", "m_0"]
    assert many[-1] == "m_9999"
    assert len(many) == 1 + page.MAX_ROWS + 1
    assert f"... {10_000 - page.MAX_ROWS} more rows ..." in many


def test_nothing_is_loaded_from_elsewhere_and_no_colour_is_fixed():
    text = shown(ENDED)
    assert not re.search(r"https?:|url\(|<link|<style|src=|background", text)
    assert not re.search(r"(?<![-\w])color:", text)


# --- launch summary --------------------------------------------------------------------------------------------------


def manifest(**parts: object) -> SimpleNamespace:
    return SimpleNamespace(**{"models": [], "ensembles": [], "dbs": [], **parts})


def test_launch_summary_of_nothing():
    assert launch_summary("exp", "/exp", "local", manifest(), database_active=False) == (
        "\n\n=== Launch Summary ===\nExperiment: exp\nExperiment Path: /exp\nLauncher: local\n"
        "Database Status: inactive\n"
    )


def test_launch_summary_of_everything(tmp_path):
    settings = RunSettings("echo", "Hello")
    batch = BatchSettings("submit", {"nodes": "1"})
    model = Model("sim", {"a": "1", "b": "2"}, settings, path=str(tmp_path))
    ensemble = Ensemble("ens", {}, path=str(tmp_path), run_settings=settings, batch_settings=batch, replicas=2)
    plain = Ensemble("plain", {}, path=str(tmp_path), run_settings=settings, replicas=3)
    database = Orchestrator(path=str(tmp_path), port=6400, db_nodes=3, interface="lo")
    text = launch_summary(
        "exp",
        "/exp",
        "local",
        manifest(models=[model], ensembles=[ensemble, plain], dbs=[database]),
        database_active=False,
    )
    assert text == "\n".join(
        [
            "",
            "",
            "=== Launch Summary ===",
            "Experiment: exp",
            "Experiment Path: /exp",
            "Launcher: local",
            "Models: 1",
            "Database Status: launching",
            "",
            "=== Ensembles ===",
            "ens",
            "Members: 2",
            "Batch Launch: True",
            str(batch),
            "",
            "plain",
            "Members: 3",
            "Batch Launch: False",
            "",
            "=== Models ===",
            "sim",
            str(settings),
            "Parameters: ",
            "\ta = 1",
            "\tb = 2",
            "",
            "=== Database ===",
            "Shards: 3",
            "Port: 6400, 6401, 6402",
            "Network: ['lo']",
            "Batch Launch: False",
            "",
        ]
    )
    assert "Database Status: active" in launch_summary("e", "/e", "local", manifest(), database_active=True)
