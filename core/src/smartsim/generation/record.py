"""``smartsim_params.txt``: which parameters were written into which file."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["entry", "heading"]


def heading() -> str:
    """The first line of an experiment's record."""
    return f"Generation start date and time: {datetime.now().astimezone():%d/%m/%Y %H:%M:%S}\n"


def entry(model: str, used: Mapping[str, Mapping[str, str]]) -> str:
    """What is recorded of one Model.

    Args:
        model: name of the Model.
        used: for each file the parameters that were written into it.
    """
    from tabulate import tabulate

    rows = [[file, _values(params)] for file, params in used.items()]
    table = tabulate(rows, headers=["File name", "Parameters"], disable_numparse=True)
    return f"Model name: {model}\n{table}\n\n"


def _values(params: Mapping[str, str]) -> str:
    """A table of values exactly as they were written; a column of numbers is aligned to the right."""
    from tabulate import tabulate

    numbers = all(_is_number(value) for value in params.values())
    alignment = ("left", "right" if numbers else "left")
    return tabulate(params.items(), headers=["Name", "Value"], disable_numparse=True, colalign=alignment)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
