"""Writes the pages that follow from the code: one for each hook, one for each public module.

A Sphinx extension: the pages are written when a build starts, into ``reference/generated/``, which is not kept in git.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartsim.plugin import specs

if TYPE_CHECKING:
    from types import ModuleType

    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

ROOT = Path(__file__).parents[2]
FOLDER = Path("reference") / "generated"

# Where implementations of hooks are looked for; the first that is found is shown.
EXAMPLES = ["docs/examples", "plugins", "core/src"]

# Of core, every module is public unless a part of its name begins with an underscore; of a plugin, what users import.
PLUGINS = ["smartsim_local", "smartsim_redis"]
PLUGIN_MODULES = ["", ".settings", ".wlm"]

# Parts of core that no script or plugin imports. They are documented in their sources.
INTERNAL = ("smartsim.engine", "smartsim.cli", "smartsim.preview", "smartsim.telemetry", "smartsim.generation")


def hooks() -> dict[str, Any]:
    """The hook specifications by name, in the order of the file."""
    marker = f"{specs.PROJECT}_spec"
    return {name: item for name, item in vars(specs).items() if hasattr(item, marker)}


def is_implementation(function: ast.FunctionDef) -> bool:
    """Whether `function` is marked as one."""
    return any(ast.unparse(decorator).startswith("hookimpl") for decorator in function.decorator_list)


@cache
def examples() -> dict[str, str]:
    """An implementation of each hook that has one in this repository: where it is, as Sphinx includes it."""
    found: dict[str, str] = {}
    for folder in EXAMPLES:
        for path in sorted(path for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts):
            for kind in ast.parse(path.read_text(encoding="utf-8")).body:
                for item in kind.body if isinstance(kind, ast.ClassDef) else [kind]:
                    if isinstance(item, ast.FunctionDef) and item.name in hooks() and is_implementation(item):
                        owner = f"{kind.name}." if isinstance(kind, ast.ClassDef) else ""
                        place = f"/../{path.relative_to(ROOT).as_posix()}\n:pyobject: {owner}{item.name}"
                        found.setdefault(item.name, place)
    return found


def hook_page(name: str, specification: Any) -> str:
    """The page of one hook: its signature, what is done with results, its documentation, an implementation."""
    options = getattr(specification, f"{specs.PROJECT}_spec")
    parameters = ", ".join(inspect.signature(specification).parameters)
    result = (
        "The first result that is not None counts; the hooks behind it are not called."
        if options["firstresult"]
        else "Every implementation is called."
    )
    example = f"\n## An implementation\n\n```{{literalinclude}} {examples().get(name)}\n```\n"
    return f"""# {name}

```python
# How a plugin declares it. An implementation may leave out arguments that it does not need.
from smartsim.plugin import hookimpl


@hookimpl
def {name}({parameters}): ...
```

{result}

```{{eval-rst}}
.. autofunction:: smartsim.plugin.specs.{name}
```
{example if name in examples() else ""}"""


def public_modules() -> list[str]:
    """Names of the public modules, parents first."""
    core = importlib.import_module("smartsim")
    names = ["smartsim", *(module.name for module in pkgutil.walk_packages(core.__path__, "smartsim."))]
    names += [plugin + module for plugin in PLUGINS for module in PLUGIN_MODULES]
    return sorted(
        name
        for name in names
        if not any(part.startswith("_") for part in name.split("."))
        and (not name.startswith(INTERNAL) or name == "smartsim.preview.value")  # which a preview format receives
        and name != specs.__name__
        and importlib.util.find_spec(name) is not None
    )


def own_names(module: ModuleType) -> list[str]:
    """The names of `module` that are documented on its page: those it defines itself."""
    exported = getattr(module, "__all__", [])
    return [
        name for name in exported if getattr(getattr(module, name), "__module__", module.__name__) == module.__name__
    ]


def module_page(name: str) -> str | None:
    """The page of one module; None for an alias and for a module without public names."""
    try:
        module = importlib.import_module(name)
    except ImportError:  # an alias of a plugin that is not installed
        return None
    exported = getattr(module, "__all__", [])
    if module.__name__ != name or not exported:
        return None
    own = own_names(module)
    lines = [f"# {name}", "", "```{eval-rst}", f".. automodule:: {name}"]
    if own:
        lines += [f"   :members: {', '.join(own)}", "   :undoc-members:", "   :show-inheritance:"]
    lines += ["```", ""]
    passed_on = [item for item in exported if item not in own]
    if passed_on:
        lines += ["Also to be imported from here:", ""]
        for item in passed_on:
            home = getattr(getattr(module, item), "__module__", name)
            lines.append(f"- {{py:obj}}`{item} <{home}.{item}>`")
        lines.append("")
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """Every generated page by its path below `FOLDER`."""
    found = {f"hooks/{name}.md": hook_page(name, specification) for name, specification in hooks().items()}
    for name in public_modules():
        page = module_page(name)
        if page is not None:
            found[f"api/{name}.md"] = page
    return found


def write_pages(app: Sphinx) -> None:
    """Write the pages whose text has changed and remove those that are no more."""
    folder = Path(app.srcdir) / FOLDER
    wanted = {folder / path: text for path, text in pages().items()}
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        if path not in wanted:
            path.unlink()


def find(target: str) -> Any:
    """The object that a docstring calls `target`: a hook, or a dotted name; None when there is no such thing."""
    if target in hooks():
        return hooks()[target]
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
            for name in parts[length:]:
                found = getattr(found, name)
        except (ImportError, AttributeError):
            continue
        return found
    return None


def resolve_elsewhere(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Element) -> Element | None:
    """Lead a reference to where a name is documented: `smartsim.error.LauncherError` is on the page of its own module.

    What exists but is not documented, such as a type variable, stays plain text. What does not exist is left to Sphinx,
    which complains.
    """
    if node.get("refdomain") != "py":
        return None
    found = find(node["reftarget"])
    if found is None:
        return None
    home, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if home and name:
        python = env.domains.python_domain
        entry = python.objects.get(f"{home}.{name}")
        if entry is not None:
            return python.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{home}.{name}", node, contnode)
    return contnode


def fences_to_directives(*event: Any) -> None:
    """Let docstrings have fenced code blocks, as editors show them; the last argument of the event is the lines."""
    lines: list[str] = event[-1]
    written: list[str] = []
    inside = False
    for line in lines:
        text = line.lstrip()
        indent = line[: len(line) - len(text)]
        if text.startswith("```"):
            inside = not inside
            if inside:
                written += ["", f"{indent}.. code-block:: {text[3:] or 'text'}", ""]
            else:
                written.append("")
        else:
            written.append(f"   {line}" if inside and text else line)
    lines[:] = written


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", fences_to_directives, priority=400)  # before napoleon
    app.connect("missing-reference", resolve_elsewhere)
    return {"parallel_read_safe": True}
