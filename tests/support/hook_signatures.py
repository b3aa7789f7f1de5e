"""The signatures of the hooks, as the snapshot files of core/tests/data keep them.

After a change of `smartsim/plugin/specs.py`, raise `API_VERSION` there and run this file.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TypedDict

from smartsim.plugin import specs

DATA = Path(__file__).parents[2] / "core" / "tests" / "data"


class Hook(TypedDict):
    """One hook: its parameters with their annotations, what it returns, and whether the first answer counts."""

    parameters: list[str]
    returns: str
    firstresult: bool


def current() -> dict[str, Hook]:
    """The hooks as `specs.py` declares them."""
    hooks: dict[str, Hook] = {}
    for name, function in inspect.getmembers(specs, inspect.isfunction):
        options = getattr(function, f"{specs.PROJECT}_spec", None)
        if options is not None:
            signature = inspect.signature(function)
            hooks[name] = {
                "parameters": [str(parameter) for parameter in signature.parameters.values()],
                "returns": str(signature.return_annotation),
                "firstresult": bool(options["firstresult"]),
            }
    return hooks


def snapshot_file(version: tuple[int, int]) -> Path:
    """Where the snapshot of an API version is kept."""
    return DATA / f"hooks-{version[0]}.{version[1]}.json"


def snapshots() -> dict[tuple[int, int], dict[str, Hook]]:
    """Every snapshot, by version."""
    found = {}
    for path in DATA.glob("hooks-*.json"):
        major, minor = path.stem.removeprefix("hooks-").split(".")
        found[int(major), int(minor)] = json.loads(path.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    snapshot_file(specs.API_VERSION).write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
