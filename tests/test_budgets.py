"""Budgets: no import cycle, short import chains, short files and functions, everything annotated, a light import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from source_tree import all_modules, import_graph

MAX_IMPORT_DEPTH = 10
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80
HEAVY = {"cattrs", "jinja2", "psutil", "redis", "rich", "tabulate", "numpy"}


def test_there_is_no_import_cycle_not_even_inside_functions():
    try:
        TopologicalSorter(import_graph(deferred=True)).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_import_chains_are_short():
    # What importing a module sets off at once, inside its own distribution.
    graph = import_graph(deferred=False)
    chain: dict[str, list[str]] = {}
    for name in TopologicalSorter(graph).static_order():
        top = name.split(".")[0]
        own = [chain[target] for target in graph[name] if target.split(".")[0] == top]
        chain[name] = [name, *max(own, key=len, default=[])]
    longest = max(chain.values(), key=len)
    assert len(longest) <= MAX_IMPORT_DEPTH, " -> ".join(longest)


def test_files_are_short():
    long = {
        module.relative_path: lines
        for module in all_modules()
        if (lines := len(module.text.splitlines())) > MAX_FILE_LINES
    }
    assert not long


def test_functions_are_short():
    long = [
        f"{module.relative_path}:{function.lineno} {function.name} has {lines} lines"
        for module in all_modules()
        for function in module.functions()
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long


def unannotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, [arguments.vararg, arguments.kwarg]),
    ]
    missing = [argument.arg for argument in every if argument.annotation is None]
    if missing and missing[0] in {"self", "cls", "mcs"}:
        missing = missing[1:]
    return missing + ([] if function.returns is not None else ["return"])


def test_everything_is_annotated():
    missing = [
        f"{module.relative_path}:{function.lineno} {function.name}: {', '.join(names)}"
        for module in all_modules()
        for function in module.functions()
        if (names := unannotated(function))
    ]
    assert not missing


def modules_after(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nimport json\nprint(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import smartsim",
        "from smartsim import Experiment",
        "import smartsim.plugin",
        "import smartsim.error, smartsim.status",
    ],
)
def test_importing_loads_neither_heavy_packages_nor_plugins(statement: str):
    loaded = modules_after(statement)
    assert not {name for name in loaded if name.split(".")[0] in HEAVY or name.startswith("smartsim_")}


def test_the_supervisor_imports_only_the_standard_library():
    loaded = modules_after("import smartsim.engine.supervisor.server")
    baseline = modules_after("pass")
    foreign = {name.split(".")[0] for name in loaded - baseline} - set(sys.stdlib_module_names) - {"smartsim"}
    assert not foreign
