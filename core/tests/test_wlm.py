"""What `smartsim.wlm` answers, and how it says that it cannot."""

from __future__ import annotations

import pytest

from smartsim import wlm
from smartsim.error import SSUnsupportedError
from smartsim.plugin.manager import Plugins
from smartsim.values import Query

QUESTIONS = [wlm.get_hosts, wlm.get_queue, wlm.get_tasks, wlm.get_tasks_per_node]


class Answering:
    """Stands for the plugins of a launcher."""

    asked: list[tuple[str, Query]]

    def __init__(self, monkeypatch, answers):
        self.asked = []

        def for_launcher(name):
            self.name = name
            return self

        monkeypatch.setattr(Plugins, "for_launcher", for_launcher)
        monkeypatch.setattr(Plugins, "detect", lambda: "found")
        self.answers = answers

    def query(self, query):
        self.asked.append((self.name, query))
        return self.answers.get(query.topic)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_launcher_without_allocations(question):
    with pytest.raises(SSUnsupportedError, match="'local' cannot tell"):
        question("local")


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", ["slurm", "pbs"])
def test_a_launcher_that_is_not_installed(question, name, monkeypatch):
    if name in installed():
        pytest.skip("its plugin is installed here")
    with pytest.raises(SSUnsupportedError, match=f"smartsim-plugin-{name}"):
        question(name)


def installed():
    from smartsim.plugin.catalogue import LAUNCHERS, catalogue

    return catalogue().names(LAUNCHERS)


def test_an_unknown_launcher():
    with pytest.raises(SSUnsupportedError, match="llama"):
        wlm.get_hosts("llama")


@pytest.mark.parametrize("value", [1, b"local", ["local"]])
def test_a_launcher_that_is_no_name(value):
    with pytest.raises(TypeError, match="launcher must be the name"):
        wlm.get_hosts(value)


def test_answers_have_their_types(monkeypatch):
    launcher = Answering(
        monkeypatch, {"hosts": ("a", "b"), "queue": "long", "tasks": 4, "tasks_per_node": {"a": 2, "b": 2}}
    )
    assert wlm.get_hosts() == ["a", "b"]
    assert wlm.get_queue("Other") == "long"
    assert wlm.get_tasks() == 4
    assert wlm.get_tasks_per_node() == {"a": 2, "b": 2}
    assert [name for name, _ in launcher.asked] == ["found", "other", "found", "found"]


def test_the_question_carries_the_environment(monkeypatch):
    launcher = Answering(monkeypatch, {"queue": "long"})
    monkeypatch.setenv("QUEUE_OF_MINE", "x")
    wlm.get_queue()
    assert launcher.asked[0][1].environ["QUEUE_OF_MINE"] == "x"


def test_detection_on_a_machine_without_scheduler(monkeypatch, tmp_path):
    if installed() != ("local",):
        pytest.skip("other launchers are installed, which their own tests cover")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert wlm.detect_launcher() == "local"
