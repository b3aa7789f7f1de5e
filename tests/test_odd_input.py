"""Odd but valid input: shell metacharacters, blanks and bytes that are no text are passed on exactly as they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from smartsim import Experiment
from smartsim.status import SmartSimStatus

COMPLETED = SmartSimStatus.STATUS_COMPLETED

ODD = [
    "a b",
    " ",
    "$HOME",
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "a&&touch pwned",
    "a|touch pwned",
    ">pwned",
    "*",
    "?[a-z]",
    "~",
    "{a,b}",
    "!x",
    "#x",
    "\\",
    "\\n",
    '"',
    "'",
    "'; touch pwned; '",
    "%s %(a)s {0} {a}",
    "-rf",
    "--help",
    "é ü 漢字 🚀",
    "[bold]x",
    "<b>x",
    "...",
    "a.b.c",
    "x.out",
]

SHOW = "import os, sys; os.write(1, repr([os.fsencode(a) for a in sys.argv[1:]] + [os.environb.get(b'ODD')]).encode())"


def nothing_interpreted(tmp_path: Path) -> None:
    assert not list(tmp_path.rglob("pwned"))


def shown(exp: Experiment, name: str, *arguments: str, odd: str | None = None):
    env = None if odd is None else {"ODD": odd}
    return exp.create_model(
        name, exp.create_run_settings(sys.executable, exe_args=["-c", SHOW, *arguments], env_vars=env)
    )


@pytest.mark.parametrize("odd", ODD)
def test_everywhere_at_once(exp: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """As name, argument, variable, parameter, folder and file; previewed, generated, run and summed up."""
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "attached" / odd
    source.parent.mkdir()
    source.write_text("value=;key;\n")
    model = shown(exp, odd, odd, odd=odd)
    model.params["key"] = odd
    model.attach_generator_files(to_configure=str(source))
    folder = tmp_path / "chosen" / odd
    model.set_path(str(folder))
    exp.preview(model, verbosity_level="developer", output_filename=str(tmp_path / "preview.txt"))
    assert odd in (tmp_path / "preview.txt").read_text()
    exp.generate(model)
    assert (folder / odd).read_text() == f"value={odd}\n"
    exp.start(model, summary=True)
    assert exp.get_status(model) == [COMPLETED]
    own = os.fsencode(odd)
    assert (folder / f"{odd}.out").read_text() == repr([own, own])
    assert odd.strip() in exp.summary()
    nothing_interpreted(tmp_path)


@pytest.mark.parametrize("odd", [*ODD, "a\nb", "\t", "\r\n", "\x1b[31m", "\udcff\udcfe", "x" * 100_000])
def test_arguments_and_variables(exp: Experiment, tmp_path: Path, odd: str) -> None:
    exp.start(shown(exp, "model", odd, "", odd, odd=odd))
    own = os.fsencode(odd)
    assert (tmp_path / "model/model.out").read_text() == repr([own, b"", own, own])
    nothing_interpreted(tmp_path)


@pytest.mark.parametrize("odd", ODD)
def test_members_of_an_ensemble(exp: Experiment, tmp_path: Path, odd: str) -> None:
    settings = exp.create_run_settings(sys.executable, exe_args=["-c", SHOW, odd])
    ensemble = exp.create_ensemble(odd, params={odd: [odd, "b"]}, run_settings=settings)
    exp.start(ensemble)
    assert exp.get_status(ensemble) == [COMPLETED] * 2
    name = f"{odd}_0"
    assert (tmp_path / odd / name / f"{name}.out").read_text() == repr([os.fsencode(odd), None])
    nothing_interpreted(tmp_path)


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd not in {"-rf"}])
def test_the_folder_of_the_experiment(
    new_experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.chdir(tmp_path)
    exp = new_experiment(odd, tmp_path / odd)
    model = shown(exp, "model")
    exp.start(model)
    assert exp.get_status(model) == [COMPLETED]
    assert (tmp_path / odd / "model/model.out").read_text() == "[None]"
    nothing_interpreted(tmp_path)


def test_the_program_itself(exp: Experiment, tmp_path: Path) -> None:
    program = tmp_path / "$(touch pwned); é"
    program.write_text("#!/bin/sh\necho run\n")
    program.chmod(0o755)
    exp.start(exp.create_model("model", exp.create_run_settings(str(program))))
    assert (tmp_path / "model/model.out").read_text() == "run\n"
    nothing_interpreted(tmp_path)


def test_output_that_is_no_text(exp: Experiment, tmp_path: Path) -> None:
    script = "import os, sys; os.write(1, bytes(range(256))); os.write(2, b'\\xff\\0\\x1b'); sys.exit(3)"
    model = exp.create_model("model", exp.create_run_settings(sys.executable, exe_args=["-c", script]))
    exp.start(model)
    assert exp.get_status(model) == [SmartSimStatus.STATUS_FAILED]
    assert (tmp_path / "model/model.out").read_bytes() == bytes(range(256))
    assert (tmp_path / "model/model.err").read_bytes() == b"\xff\0\x1b"


def test_a_driver_with_another_locale(new_experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """Bytes pass through whatever the driver's locale calls them."""
    import subprocess

    odd = "é\udcff漢"
    body = (
        "import os, sys\nfrom smartsim import Experiment\n"
        f"exp = Experiment('exp', exp_path={str(tmp_path)!r})\n"
        "odd = os.fsdecode(sys.stdin.buffer.read())\n"
        f"settings = exp.create_run_settings(sys.executable, exe_args=['-c', {SHOW!r}, odd], env_vars={{'ODD': odd}})\n"
        "exp.start(exp.create_model('model', settings))\n"
    )
    for locale in ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"}):
        done = subprocess.run(
            [sys.executable, "-c", body],
            input=os.fsencode(odd),
            env={**os.environ, **locale},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "model/model.out").read_text() == repr([os.fsencode(odd)] * 2)
