"""A module imports only its own floor or a lower one, a plugin only what core offers, and core knows no scheduler."""

from __future__ import annotations

import io
import re
import tokenize

import pytest

from source_tree import Module, core_modules, plugin_modules

FLOORS = [
    {"error", "status", "servertype", "log", "config", "values"},
    {"plugin"},
    {"settings"},
    {"entity"},
    {"database", "wlm", "ml"},
    {"generation", "preview", "engine", "telemetry"},
    {"experiment"},
    {"cli", "__main__"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}

FOR_PLUGINS = {"plugin", "values", "settings", "error", "log", "status"}

ALIASES = {
    "smartsim.settings.alpsSettings",
    "smartsim.settings.dragonRunSettings",
    "smartsim.settings.lsfSettings",
    "smartsim.settings.mpiSettings",
    "smartsim.settings.palsSettings",
    "smartsim.settings.pbsSettings",
    "smartsim.settings.sgeSettings",
    "smartsim.settings.slurmSettings",
    "smartsim.wlm.pbs",
    "smartsim.wlm.slurm",
}
# Carries the settings of `smartsim.config` under older names; more than an alias, and nothing imports it.
OLD_CONFIG = "smartsim._core.config"
OWNERS = "smartsim.plugin.exports"
SCHEDULERS = re.compile(
    r"(?<![A-Za-z])(?i:slurm|srun|sbatch|salloc|scancel|sacct|pbs|qsub|qstat|qdel|pals|lsf|jsrun|bsub|bjobs|bkill|sge|dragon|aprun|alps|cobalt)(?![a-z])"
)


def room(name: str) -> str:
    """`smartsim.engine.plan` is in the room `engine`."""
    return name.split(".")[1]


def test_a_core_module_imports_no_higher_floor():
    wrong = []
    for module in core_modules():
        if module.name == "smartsim" or room(module.name) == "_core" or module.name in ALIASES:
            continue  # the lazy door and the alias files stand outside the floors
        assert room(module.name) in FLOOR_OF, f"{module.name}: say in this test which floor it is on"
        floor = FLOOR_OF[room(module.name)]
        wrong += [
            f"{module.relative_path}:{item.line} imports {item.target}"
            for item in module.imports()
            if item.target.startswith("smartsim.") and FLOOR_OF.get(room(item.target), 0) > floor
        ]
    assert not wrong


def test_core_imports_neither_plugins_nor_alias_files():
    wrong = [
        f"{module.relative_path}:{item.line} imports {item.target}"
        for module in core_modules()
        for item in module.imports()
        if re.match(r"smartsim_\w+(\.|$)|smartsim\._core\.", item.target) or item.target in ALIASES
    ]
    assert not wrong


def test_a_plugin_imports_only_what_core_offers_to_plugins():
    wrong = []
    for module in plugin_modules():
        own = module.name.split(".")[0]
        for item in module.imports():
            top, _, rest = item.target.partition(".")
            foreign_room = top == "smartsim" and rest.split(".")[0] not in FOR_PLUGINS
            other_plugin = top.startswith("smartsim_") and top != own
            if foreign_room or other_plugin:
                wrong.append(f"{module.relative_path}:{item.line} imports {item.target}")
    assert not wrong


def schedulers_spelled(module: Module) -> list[str]:
    for_type_checkers = {
        line for block in module.type_checking_blocks() for line in range(block.lineno, (block.end_lineno or 0) + 1)
    }
    return [
        f"{module.relative_path}:{token.start[0]} spells {found[0]!r}"
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
        if token.type in {tokenize.NAME, tokenize.STRING, tokenize.COMMENT} and token.start[0] not in for_type_checkers
        for found in SCHEDULERS.finditer(token.string)
    ]


def test_core_spells_no_schedulers_name():
    wrong = []
    for module in core_modules():
        if module.name != OWNERS and module.name not in ALIASES:
            wrong += schedulers_spelled(module)
    assert not wrong


def test_alias_files_hold_nothing_but_the_alias():
    for module in core_modules():
        if module.name in ALIASES or (room(module.name + ".") == "_core" and module.name != OLD_CONFIG):
            code = [line for line in module.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
            assert len(code) <= 20, f"{module.relative_path} is more than an alias"
            assert not list(module.functions()), f"{module.relative_path} is more than an alias"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("launcher == 'slurm'", ["slurm"]),
        ("class SlurmStep", ["Slurm"]),
        ("itself, spurious, upbspeed, drag", []),
        ("PBS_JOBID", ["PBS"]),
    ],
)
def test_the_search_for_names_itself(text: str, found: list[str]):
    assert [match[0] for match in SCHEDULERS.finditer(text)] == found
