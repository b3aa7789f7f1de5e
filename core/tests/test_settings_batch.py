"""What all batch settings have in common."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from smartsim.settings import SettingsBase
from smartsim.settings.base import BatchSettings
from smartsim.settings.words import joined_options
from smartsim.values import Resources


class Batch(BatchSettings):
    """A scheduler that takes everything as options."""

    def set_nodes(self, num_nodes: int) -> None:
        self.batch_args["nodes"] = num_nodes

    def set_queue(self, queue: str) -> None:
        self.batch_args["queue"] = queue

    def set_walltime(self, walltime: str) -> None:
        self.batch_args["time"] = walltime

    def set_account(self, account: str) -> None:
        self.batch_args["account"] = account

    def format_batch_args(self) -> list[str]:
        return joined_options(self.batch_args)


def test_construction_hands_the_usual_requests_to_their_setters():
    made = Batch("submit", {"x": "1"}, account="A", time="10", queue="q", nodes=2, unrelated=3)
    assert isinstance(made, SettingsBase)
    assert list(made.batch_args.items()) == [("x", "1"), ("nodes", 2), ("queue", "q"), ("time", "10"), ("account", "A")]


@pytest.mark.parametrize("empty", [None, "", 0])
def test_empty_requests_are_left_out(empty: Any):
    assert Batch("submit", nodes=empty, queue=empty, time=empty, account=empty).batch_args == {}


def test_the_submit_command():
    assert Batch("no-such-command").batch_cmd == "no-such-command"
    made = Batch("echo")
    assert made.batch_cmd == shutil.which("echo")
    made.set_batch_command("true")
    assert made.batch_cmd == shutil.which("true")


@pytest.mark.parametrize(("wrong", "error"), [(None, TypeError), (5, TypeError), ("", ValueError), ("a\0", ValueError)])
def test_a_wrong_submit_command_is_refused(wrong: Any, error: type[Exception]):
    with pytest.raises(error, match="batch_cmd"):
        Batch(wrong)
    made = Batch("true")
    with pytest.raises(error, match="command"):
        made.set_batch_command(wrong)
    assert made.batch_cmd == shutil.which("true")


def test_options_are_copied_on_the_way_in_and_live_on_the_way_out():
    mine: dict[str, Any] = {"a": "1"}
    made = Batch("submit", mine)
    mine["b"] = "2"
    made.batch_args["c"] = None
    assert made.batch_args == {"a": "1", "c": None}
    made.batch_args = {"d": "4"}
    assert made.batch_args == {"d": "4"}
    with pytest.raises(TypeError, match="batch_args"):
        made.batch_args = ["e"]  # type: ignore[assignment]


def test_preamble():
    made = Batch("submit")
    assert list(made.preamble) == []
    made.add_preamble("module load gcc")
    made.add_preamble(["export A=1", "ulimit -s unlimited"])
    assert list(made.preamble) == ["module load gcc", "export A=1", "ulimit -s unlimited"]
    assert list(made.preamble) == list(made.preamble)


@pytest.mark.parametrize("wrong", [None, 5, ("a",), ["a", 5], {"a": 1}])
def test_a_wrong_preamble_is_refused_and_adds_nothing(wrong: Any):
    made = Batch("submit")
    with pytest.raises(TypeError, match="lines"):
        made.add_preamble(wrong)
    assert list(made.preamble) == []


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("set_nodes", (1,)),
        ("set_hostlist", ("a",)),
        ("set_queue", ("q",)),
        ("set_walltime", ("1",)),
        ("set_account", ("a",)),
        ("format_batch_args", ()),
    ],
)
def test_the_base_class_is_of_no_scheduler(method: str, values: tuple[Any, ...]):
    with pytest.raises(NotImplementedError, match=method):
        getattr(BatchSettings("submit"), method)(*values)


def test_str():
    assert str(Batch("submit")) == "Batch Command: submit"
    assert str(Batch("submit", {"flag": None}, nodes=2)) == (
        "Batch Command: submit\nBatch arguments:\n\tflag = None\n\tnodes = 2"
    )


def test_what_the_engine_reads():
    made = Batch("submit", {"flag": None}, nodes=2)
    assert json.loads(json.dumps(made.batch_options())) == {
        "settings": "Batch",
        "batch_command": "submit",
        "batch_args": ["--flag", "--nodes=2"],
    }
    assert made.resources() == Resources()
