"""What every test of every distribution gets: a private temporary folder, and a check that it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from leaks import MARKER, Snapshot


@pytest.fixture(scope="session", autouse=True)
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A short folder (unix sockets have short names) for temporary files of this test process."""
    tmp_path_factory.getbasetemp()  # stays where it is, so that the files of a failed test can be looked at
    folder = Path(tempfile.mkdtemp(prefix="smartsim-test-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv(MARKER, uuid.uuid4().hex)
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
        pytest.fail("left behind:\n" + "\n".join(leaks), pytrace=False)
