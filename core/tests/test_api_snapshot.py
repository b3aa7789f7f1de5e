"""The hooks change only together with their version, and a minor version only adds."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hook_signatures import Hook, current, snapshot_file, snapshots
from smartsim.plugin import API_VERSION


def test_the_hooks_are_those_of_the_snapshot_of_this_version():
    remedy = "raise API_VERSION in smartsim/plugin/specs.py and run `python tests/support/hook_signatures.py`"
    assert snapshot_file(API_VERSION).exists(), f"there is no snapshot of {API_VERSION}: {remedy}"
    kept = snapshots()[API_VERSION]
    changed = {name for name in kept.keys() | current().keys() if kept.get(name) != current().get(name)}
    assert not changed, f"{sorted(changed)} differ from API version {API_VERSION}: {remedy}"


def breaks(old: Hook, new: Hook) -> str | None:
    """Why a plugin written for `old` would not work with `new`."""
    before = old["parameters"]
    if new["parameters"][: len(before)] != before:
        return "parameters may only be added at the end"
    if (old["returns"], old["firstresult"]) != (new["returns"], new["firstresult"]):
        return "what is done with the result may not change"
    return None


def test_a_minor_version_only_adds():
    kept = snapshots()
    for old, new in pairwise(sorted(kept)):
        if old[0] == new[0]:
            assert kept[old].keys() <= kept[new].keys(), f"{new} removes hooks of {old}"
            reasons = {name: reason for name, hook in kept[old].items() if (reason := breaks(hook, kept[new][name]))}
            assert not reasons, f"{new} is no minor version: {reasons}"


@pytest.mark.parametrize(
    ("parameters", "returns", "broken"),
    [
        (["a: int"], "str", False),
        (["a: int", "b: int"], "str", False),
        (["b: int", "a: int"], "str", True),
        ([], "str", True),
        (["a: str"], "str", True),
        (["a: int"], "None", True),
    ],
)
def test_what_breaks_a_plugin(parameters: list[str], returns: str, broken: bool):
    old: Hook = {"parameters": ["a: int"], "returns": "str", "firstresult": True}
    new: Hook = {"parameters": parameters, "returns": returns, "firstresult": True}
    assert (breaks(old, new) is not None) == broken
