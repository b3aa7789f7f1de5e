"""Writes the pages that follow from the code: one for each hook, one for each public module.

A Sphinx extension: the pages are written when a build starts, into ``reference/generated/``, which is not kept in git.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartsim.plugin import specs

if TYPE_CHECKING:
    from types import ModuleType

    from sphinx.application import Sphinx

FOLDER = Path("reference") / "generated"

# Public packages of the distributions; a module is public when no part of its name begins with an underscore.
PACKAGES = ["smartsim", "smartsim_local", "smartsim_redis"]

# Parts of core that no script or plugin imports. They are documented in their sources.
INTERNAL = ("smartsim.engine", "smartsim.cli", "smartsim.preview", "smartsim.telemetry", "smartsim.generation")


def hooks() -> dict[str, Any]:
    """The hook specifications by name, in the order of the file."""
    marker = f"{specs.PROJECT}_spec"
    return {name: item for name, item in vars(specs).items() if hasattr(item, marker)}


def hook_page(name: str, specification: Any) -> str:
    """The page of one hook: its signature, what is done with results, and its documentation."""
    options = getattr(specification, f"{specs.PROJECT}_spec")
    parameters = ", ".join(inspect.signature(specification).parameters)
    result = (
        "The first result that is not None counts; the hooks behind it are not called."
        if options["firstresult"]
        else "Every implementation is called."
    )
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
"""


def public_modules() -> list[str]:
    """Names of the public modules, parents first."""
    names = []
    for package in PACKAGES:
        top = importlib.import_module(package)
        names.append(package)
        names += [module.name for module in pkgutil.walk_packages(top.__path__, f"{package}.")]
    return sorted(
        name
        for name in names
        if not any(part.startswith("_") for part in name.split("."))
        and not name.startswith(INTERNAL)
        and name != specs.__name__
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


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
