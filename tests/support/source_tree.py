"""Reads the sources of every distribution as syntax trees: who imports whom, and where each function stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """One imported module, the line that imports it, and whether that happens only when a function is called."""

    target: str
    line: int
    deferred: bool


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @property
    def relative_path(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def type_checking_blocks(self) -> list[ast.stmt]:
        """The statements that only type checkers see."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) in {
                "TYPE_CHECKING",
                "t.TYPE_CHECKING",
                "typing.TYPE_CHECKING",
            }:
                found += node.body
        return found

    def imports(self) -> list[Import]:
        """Everything imported at run time, inside functions too; `from a import b` names ``a.b``."""
        hidden = {id(node) for block in self.type_checking_blocks() for node in ast.walk(block)}
        inner = {id(node) for function in self.functions() for node in ast.walk(function)}
        found = []
        for node in ast.walk(self.tree):
            if id(node) in hidden:
                continue
            if isinstance(node, ast.Import):
                found += [Import(alias.name, node.lineno, id(node) in inner) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = self.package.split(".")
                    base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])
                found += [Import(f"{base}.{alias.name}", node.lineno, id(node) in inner) for alias in node.names]
        return found

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def _modules(source: Path) -> Iterator[Module]:
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        yield Module(name, path, text, ast.parse(text, str(path)))


@cache
def core_modules() -> tuple[Module, ...]:
    return tuple(_modules(ROOT / "core" / "src"))


@cache
def plugin_modules() -> tuple[Module, ...]:
    sources = sorted(ROOT.glob("plugins/*/src"))
    return tuple(module for source in sources for module in _modules(source))


@cache
def all_modules() -> tuple[Module, ...]:
    return core_modules() + plugin_modules()


def import_graph(*, deferred: bool) -> dict[str, set[str]]:
    """Which of our modules each of our modules imports, with or without the imports inside functions.

    Importing ``a.b`` also imports ``a``; that edge is left out, because it matters only when ``a`` is
    asked for a name, and that is an edge of its own.
    """
    names = {module.name for module in all_modules()}
    graph = {}
    for module in all_modules():
        targets = set()
        for imported in module.imports():
            if imported.deferred and not deferred:
                continue
            target = imported.target
            while target and target not in names:
                target = target.rpartition(".")[0]
            if target:
                targets.add(target)
        graph[module.name] = targets - {module.name}
    # `smartsim/__init__.py` finds Experiment on first use, so that `import smartsim` costs nothing; not a dependency.
    graph["smartsim"] = graph["smartsim"] - {"smartsim.experiment"}
    return graph
