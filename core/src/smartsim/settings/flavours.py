"""Which MPI a launch command belongs to, and how that MPI spells what the settings ask for.

The published options are those of Open MPI 4. Open MPI 5 differs in one; Hydra, the launcher of MPICH (Intel MPI and
MVAPICH have it too), in several. Both tables are tried with the real commands by ``tests/mpi``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from attrs import field, frozen
from immutabledict import immutabledict

from smartsim.error import SSUnsupportedError
from smartsim.log import get_logger

__all__ = ["AS_PUBLISHED", "FLAVOURS", "Flavour", "flavour_named", "flavour_of", "output_of"]

logger = get_logger(__name__)

ANSWER_WITHIN_SECONDS = 20


def _exported(env: Mapping[str, str]) -> list[str]:
    return [word for name, value in env.items() for word in ("-x", f"{name}={value}")]


def _set_apart(env: Mapping[str, str]) -> list[str]:
    return [word for name, value in env.items() for word in ("-env", name, value)]


@frozen(kw_only=True)
class Flavour:
    """An MPI and its options.

    Attributes:
        name: how `smartsim.values.JobSpec.options` names it.
        answer: what it answers to ``--version``, a regular expression.
        renamed: published option to its own name for it.
        needless: options that it does not have and that change nothing that matters; they are left out.
        lacking: options that it does not have, and what to do instead.
        env_words: the words that set environment variables for one program.
    """

    name: str
    answer: str
    renamed: Mapping[str, str] = field(default=immutabledict(), converter=immutabledict)
    needless: frozenset[str] = frozenset()
    lacking: Mapping[str, str] = field(default=immutabledict(), converter=immutabledict)
    env_words: Callable[[Mapping[str, str]], list[str]] = field(default=_exported, eq=False)

    def translate(self, run_args: Mapping[str, Any]) -> dict[str, Any]:
        """Return published options under the names that this MPI has for them; unknown ones as they are.

        Raises:
            SSUnsupportedError: it has nothing like one of them; says what to do instead.
        """
        spoken: dict[str, Any] = {}
        for name, value in run_args.items():
            if name in self.lacking:
                raise SSUnsupportedError(f"{self.name} has no option --{name}: {self.lacking[name]}")
            if name in self.needless:
                logger.debug("Option --%s is left out: %s does not have it", name, self.name)
            else:
                spoken[self.renamed.get(name, name)] = value
        return spoken


AS_PUBLISHED = Flavour(name="MPI", answer=r"(?!)")
"""An MPI of unknown make, or Open MPI up to version 4: every option as published."""
OPEN_MPI = Flavour(name="Open MPI 5", answer=r"\(Open MPI\) (?:[5-9]|\d\d)", needless=frozenset({"quiet"}))
HYDRA = Flavour(
    name="MPICH",
    answer=r"HYDRA build details|Intel\(R\) MPI Library",
    renamed={"npernode": "ppn"},
    needless=frozenset({"quiet"}),
    lacking={
        "cpus-per-proc": "bind each task to several cores instead, such as set_cpu_binding_type('core:2')",
        "preload-binary": "put the executable on a file system that every node sees",
        "timeout": "run the program under `timeout`: exe='timeout', exe_args=['60', program, ...]",
    },
    env_words=_set_apart,
)
FLAVOURS = (OPEN_MPI, HYDRA)
"""The flavours that are told apart; anything else is `AS_PUBLISHED`."""


def flavour_named(name: str) -> Flavour:
    """Return the flavour called `name`, `AS_PUBLISHED` when there is none."""
    return next((flavour for flavour in FLAVOURS if flavour.name == name), AS_PUBLISHED)


def flavour_of(command: str) -> Flavour:
    """Return the flavour of the launch command at the path `command`, by what it answers to ``--version``.

    The answer is kept, so that an ensemble asks once.
    """
    answer = output_of(command, "--version")
    return next((flavour for flavour in FLAVOURS if re.search(flavour.answer, answer)), AS_PUBLISHED)


def output_of(command: str, option: str) -> str:
    """Return what the executable at the path `command` prints for `option`; nothing when it cannot be asked."""
    try:
        stamp = Path(command).stat().st_mtime_ns
    except OSError:
        return ""
    return _asked(command, option, stamp)


@cache
def _asked(command: str, option: str, stamp: int) -> str:
    import subprocess

    del stamp  # part of the key: a replaced file is asked again
    try:
        answer = subprocess.run(
            [command, option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_WITHIN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.debug("%s %s gave no answer: %s", command, option, error)
        return ""
    return answer.stdout + answer.stderr
