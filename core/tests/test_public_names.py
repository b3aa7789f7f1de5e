"""What scripts written for 0.8 use is there with the same signatures, and `__all__` tells the truth."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import smartsim

TABLE = Path(__file__).parent / "data" / "public-api.txt"
PUBLISHED = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def find(dotted: str) -> Any:
    """Import the longest module and take the rest as attributes; a property is returned as such."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if error.name is None or not dotted.startswith(error.name):
                raise
            continue
        for name in parts[length:]:
            found = getattr(found, name)
        return found
    raise AssertionError(f"no module of {dotted}")


def published_parameters(text: str) -> inspect.Signature:
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    kinds = inspect.Parameter
    parameters = []
    positional = arguments.args
    for argument, default in zip(
        positional,
        [inspect.Parameter.empty] * (len(positional) - len(arguments.defaults)) + arguments.defaults,
        strict=True,
    ):
        parameters.append(kinds(argument.arg, kinds.POSITIONAL_OR_KEYWORD, default=value(default)))
    if arguments.vararg:
        parameters.append(kinds(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(kinds(argument.arg, kinds.KEYWORD_ONLY, default=value(default)))
    if arguments.kwarg:
        parameters.append(kinds(arguments.kwarg.arg, kinds.VAR_KEYWORD))
    return inspect.Signature(parameters)


def value(default: Any) -> Any:
    return default if default is inspect.Parameter.empty or default is None else ast.literal_eval(default)


def differences(published: inspect.Signature, ours: inspect.Signature) -> list[str]:
    """What a caller of the published signature would trip over."""
    found = []
    variadic = {parameter.kind for parameter in ours.parameters.values()}
    order = [name for name, parameter in ours.parameters.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    for position, parameter in enumerate(published.parameters.values()):
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            if parameter.kind not in variadic:
                found.append(f"no {parameter}")
            continue
        mine = ours.parameters.get(parameter.name)
        if mine is not None and mine.kind in {mine.VAR_POSITIONAL, mine.VAR_KEYWORD}:
            mine = None
        if mine is None and {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD} <= variadic:
            continue  # passed on as it comes
        if mine is None:
            found.append(f"no parameter {parameter.name}")
            continue
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and order[position : position + 1] != [parameter.name]:
            found.append(f"{parameter.name} is not at position {position}")
        same = parameter.default is ... or (
            mine.default == parameter.default and type(mine.default) is type(parameter.default)
        )
        if not same and not (isinstance(mine.default, str) and mine.default == parameter.default):
            found.append(f"{parameter.name} has the default {mine.default!r}, published: {parameter.default!r}")
    for name, mine in ours.parameters.items():
        new = name not in published.parameters and mine.kind not in {mine.VAR_POSITIONAL, mine.VAR_KEYWORD}
        if new and mine.default is mine.empty:
            found.append(f"the new parameter {name} has no default")
    return found


@pytest.mark.parametrize("line", PUBLISHED)
def test_what_0_8_published_is_here(line: str):
    dotted, bracket, rest = line.partition("(")
    dotted, _, kind = dotted.partition(" ")
    found = find(dotted)
    if kind.startswith("property"):
        # A plain attribute that each instance has would do as well, but then this class has no such name: say so here.
        assert isinstance(found, property), f"{dotted} is a {type(found).__name__}"
        assert found.fset is not None or "settable" not in kind
    if bracket:
        published = published_parameters(rest.removesuffix(")"))
        assert not differences(published, own_signature(dotted, found))


def own_signature(dotted: str, found: Any) -> inspect.Signature:
    signature = inspect.signature(found)
    owner = find(dotted.rpartition(".")[0])
    raw = inspect.getattr_static(owner, dotted.rpartition(".")[2]) if inspect.isclass(owner) else found
    if inspect.isclass(owner) and not inspect.isclass(found) and not isinstance(raw, staticmethod | classmethod):
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return signature


MODULES = sorted(
    module.name for module in pkgutil.walk_packages(smartsim.__path__, "smartsim.") if "__main__" not in module.name
)
# Nobody outside imports these: they need no `__all__`, but if they have one, it tells the truth.
INTERNAL = ("smartsim.engine.", "smartsim.cli.", "smartsim.generation.")


@pytest.mark.parametrize("name", ["smartsim", *MODULES])
def test_all_names_exactly_the_public_names(name: str):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        # An alias file of a plugin that is not installed.
        if "pip install smartsim-plugin-" not in str(error):
            raise
        return
    if module.__name__ != name:
        return  # an alias: the module it stands for is tested where it lives
    defined = {
        key
        for key, item in vars(module).items()
        if not key.startswith(("_", "smartsim_"))  # hooks have a page each instead
        and getattr(item, "__module__", None) == name
        and (inspect.isclass(item) or inspect.isroutine(item))
    }
    published = getattr(module, "__all__", None)
    if published is None:
        assert not defined or name.startswith(INTERNAL), f"{name} has no __all__ but defines {sorted(defined)}"
        return
    assert len(set(published)) == len(published)
    assert defined <= set(published), f"not in __all__: {sorted(defined - set(published))}"
    missing = [item for item in published if not hasattr(module, item)]
    assert not missing, f"in __all__, but not there: {missing}"
