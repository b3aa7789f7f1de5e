"""How the parameter values of an ensemble become the parameters of its members."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, TypeAlias

from smartsim.error import SSUnsupportedError, UserStrategyError

__all__ = ["Strategy", "create_all_permutations", "random_permutations", "resolve", "step_values"]

Strategy: TypeAlias = Callable[[list[str], list[list[str]], int], list[dict[str, str]]]
"""A strategy: names, the values of each, and `n_models` in; the parameters of each member out."""


def create_all_permutations(
    param_names: list[str], param_values: list[list[str]], _n_models: int = 0
) -> list[dict[str, str]]:
    """Every combination of the values; the last parameter changes fastest.

    Args:
        param_names: names of the parameters.
        param_values: for each name its values.

    Returns:
        The parameters of each member.
    """
    return [dict(zip(param_names, values, strict=False)) for values in product(*param_values)]


def step_values(param_names: list[str], param_values: list[list[str]], _n_models: int = 0) -> list[dict[str, str]]:
    """The first values together, the second values together, and so on until one parameter has no more.

    Args:
        param_names: names of the parameters.
        param_values: for each name its values.

    Returns:
        The parameters of each member.
    """
    return [dict(zip(param_names, values, strict=False)) for values in zip(*param_values, strict=False)]


def random_permutations(
    param_names: list[str], param_values: list[list[str]], n_models: int = 0
) -> list[dict[str, str]]:
    """`n_models` different combinations, drawn with the `random` module without making all of them first.

    Args:
        param_names: names of the parameters.
        param_values: for each name its values.
        n_models: how many; 0, or at least as many as there are, gives all in the order of `create_all_permutations`.

    Returns:
        The parameters of each member.
    """
    total = math.prod(len(values) for values in param_values)
    if not 0 < n_models < total:
        return create_all_permutations(param_names, param_values)
    return [_combination(param_names, param_values, index) for index in random.sample(range(total), n_models)]


def _combination(names: Sequence[str], values: Sequence[Sequence[str]], index: int) -> dict[str, str]:
    """The combination that `create_all_permutations` has at `index`."""
    chosen: list[str] = []
    for candidates in reversed(values):
        index, position = divmod(index, len(candidates))
        chosen.append(candidates[position])
    return dict(zip(names, reversed(chosen), strict=False))


_STRATEGIES: dict[str, Strategy] = {
    "all_perm": create_all_permutations,
    "step": step_values,
    "random": random_permutations,
}


def resolve(strategy: Any) -> Strategy:
    """Return the strategy called `strategy`, or the given function with its result checked.

    Raises:
        SSUnsupportedError: no strategy has that name.
        UserStrategyError: raised by the returned function when the user's one returns no list of dictionaries.
    """
    if not callable(strategy):
        found = _STRATEGIES.get(strategy) if isinstance(strategy, str) else None
        if found is None:
            known = ", ".join(_STRATEGIES)
            raise SSUnsupportedError(
                f"Permutation strategy {strategy!r} is not supported: use one of {known}, or a function"
            )
        return found

    def checked(names: list[str], values: list[list[str]], n_models: int = 0) -> list[dict[str, str]]:
        members = strategy(names, values, n_models)
        if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
            raise UserStrategyError(getattr(strategy, "__name__", repr(strategy)))
        return members

    return checked
