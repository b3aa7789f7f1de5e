"""What every test of every distribution gets: a private temporary folder, and a check that it leaves nothing behind.

The code blocks of README and documentation are tests too: those of a page run one by one, in a folder of their own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

from leaks import MARKER, Snapshot

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    excludes=["generated/api/*.md", "generated/hooks/*.md", "_build/*"],
    fixtures=["page"],
).pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pages use default ports, as their readers will: one page at a time."""
    for item in items:
        if isinstance(item, SybilItem):
            item.add_marker(pytest.mark.serial)


@pytest.fixture(scope="session", autouse=True)
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short folder (unix sockets have short names) for temporary files of this test process."""
    base = tmp_path_factory.getbasetemp()  # stays where it is, so that the files of a failed test can be looked at
    folder = Path(tempfile.mkdtemp(prefix="smartsim-test-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv(MARKER, str(base))
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def nothing_left(private_folder: Path) -> Iterator[None]:
    """Fails a test that leaves a process, a thread, a listening socket, a variable or a temporary file."""
    folder = Path.cwd()
    before = Snapshot.take(private_folder)
    yield
    leaks = before.leaks()
    if Path.cwd() != folder:
        os.chdir(folder)
        leaks.append("another working folder")
    if leaks:
        before.end_processes()
        pytest.fail("left behind:\n" + "\n".join(leaks), pytrace=False)


@pytest.fixture(scope="module")
def page(
    request: pytest.FixtureRequest, private_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The folder that the blocks of one page run in; what they leave running is torn down, and must then be gone."""
    folder = tmp_path_factory.mktemp(Path(request.node.name).stem)
    before = Snapshot.take(private_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
    for document in request.node.documents:
        document.namespace.clear()
    tear_down(folder)
    if leaks := before.leaks():
        before.end_processes()
        pytest.fail("the page leaves behind:\n" + "\n".join(leaks), pytrace=False)


def tear_down(folder: Path) -> None:
    """End whatever the experiments below `folder` left running."""
    # Here, so that coverage sees the whole of what these import.
    from smartsim.cli.main import main

    for journal in sorted(folder.rglob(".smartsim/journal.jsonl")):
        assert main(["teardown", str(journal.parents[1])]) == 0
