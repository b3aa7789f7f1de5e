"""Checks of what users give to settings: each returns the value in its stored form or says what is wrong with it."""

from __future__ import annotations

import copy
import numbers
import operator
import os
from collections.abc import Mapping
from typing import Any

__all__ = [
    "count",
    "env_name",
    "env_text",
    "environment",
    "host_names",
    "number_list",
    "option_name",
    "options",
    "path_text",
    "same_argument",
    "text",
    "time_part",
    "walltime",
    "words",
]


def text(argument: str, value: Any) -> str:
    """Return `value` as one word of a command line.

    Args:
        argument: what the user called it, for the error.
        value: the text.

    Raises:
        TypeError: it is no str.
        ValueError: it has a NUL character, which no process can be given.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, got {value!r} ({type(value).__name__})")
    if "\0" in value:
        raise ValueError(f"{argument} {value!r} has a NUL character, which no command can be given: remove it")
    return value


def count(argument: str, value: Any, least: int = 1) -> int:
    """Return `value` as a whole number of at least `least`; text that spells one is accepted.

    Raises:
        TypeError: it is neither a number nor text; True and False are not numbers here.
        ValueError: it is not whole, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, str)):
        raise TypeError(f"{argument} must be an int, got {value!r} ({type(value).__name__})")
    try:
        whole = operator.index(value) if isinstance(value, numbers.Integral) else int(str(value).removesuffix(".0"))
    except ValueError as error:
        raise ValueError(f"{argument} must be a whole number, got {value!r}") from error
    if whole < least:
        raise ValueError(f"{argument} must be at least {least}, got {value!r}")
    return whole


def time_part(argument: str, value: Any) -> int:
    """Return one of the numbers that `set_time` takes: whole and not negative."""
    return count(argument, value, least=0)


def walltime(argument: str, value: Any) -> str:
    """Return a time limit as text; a number is accepted.

    Raises:
        TypeError: it is neither a str nor an int.
        ValueError: it is empty or negative.
    """
    limit = str(count(argument, value)) if isinstance(value, numbers.Integral) else text(argument, value).strip()
    if not limit:
        raise ValueError(f"{argument} is empty: give a time, or do not set it")
    return limit


def number_list(argument: str, value: Any) -> list[int]:
    """Return one id or a list of ids (of CPUs, of devices), each at least 0, as a list.

    Raises:
        TypeError: it is neither a number nor a list of numbers.
        ValueError: an id is negative or the list is empty.
    """
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    if not items:
        raise ValueError(f"{argument} is empty: name at least one id")
    return [count(f"{argument}[{index}]" if len(items) > 1 else argument, item, 0) for index, item in enumerate(items)]


def host_names(argument: str, value: Any) -> list[str]:
    """Return one host name or a list of host names as a list; a lone name is stripped.

    Raises:
        TypeError: it is neither a str nor a list of str.
        ValueError: there is no name, or one has a blank inside.
    """
    names = [value.strip()] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise TypeError(f"{argument} must be a str or a list of str, got {value!r} ({type(value).__name__})")
    if not names:
        raise ValueError(f"{argument} is empty: name at least one host")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be a list of str, it contains {name!r} ({type(name).__name__})")
        if not name or any(letter.isspace() or letter == "\0" for letter in name):
            raise ValueError(f"{argument} contains {name!r}, which is no host name: give one name per list item")
    return list(names)


def words(argument: str, value: Any) -> list[str]:
    """Return arguments of an executable as a list of words; a str is split at white space, a list is copied.

    Raises:
        TypeError: it is neither a str nor a list of str.
        ValueError: a word has a NUL character.
    """
    if not value and not isinstance(value, (bool, numbers.Number)):
        return []
    if isinstance(value, str):
        return text(argument, value).split()
    if not isinstance(value, list):
        raise TypeError(f"{argument} must be a str or a list of str, got {value!r} ({type(value).__name__})")
    for index, word in enumerate(value):
        if not isinstance(word, str):
            raise TypeError(
                f"{argument} must be a list of str, item {index} is {word!r} ({type(word).__name__}): use str({word!r})"
            )
    return [text(argument, word) for word in value]


def options(argument: str, value: Any) -> dict[str, Any]:
    """Return a copy of a mapping of options: names to str, int, float, or None for an option without a value.

    Raises:
        TypeError: it is no mapping, or a name or value has another type.
        ValueError: a name is empty or has a blank, or something has a NUL character.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} must be a dict, got {value!r} ({type(value).__name__})")
    for name, item in value.items():
        option_name(argument, name)
        if isinstance(item, str):
            text(f"{argument}[{name!r}]", item)
        elif item is not None and (isinstance(item, bool) or not isinstance(item, numbers.Real)):
            raise TypeError(
                f"{argument}[{name!r}] must be a str, int, float or None, got {item!r} ({type(item).__name__}); "
                "None stands for an option without a value"
            )
    return copy.deepcopy(dict(value))


def option_name(argument: str, name: Any) -> str:
    """Return the name of an option of a command.

    Raises:
        TypeError: it is no str.
        ValueError: it is empty, has a blank or a NUL character.
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument}: the name of an option must be a str, got {name!r} ({type(name).__name__})")
    if not name.strip("-") or any(letter.isspace() or letter == "\0" for letter in name):
        raise ValueError(f"{argument}: {name!r} is no name of an option: it is empty or has a blank")
    return name


def environment(argument: str, value: Any) -> dict[str, str | None]:
    """Return a copy of a mapping of environment variables; numbers become text, None stays.

    Raises:
        TypeError: it is no mapping, or a name or value has another type.
        ValueError: a name is empty, has ``=``, a line break or NUL, or a value has NUL.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{argument} must be a dict, got {value!r} ({type(value).__name__})")
    return {
        env_name(argument, name): None if item is None else env_text(f"{argument}[{name!r}]", item)
        for name, item in value.items()
    }


def env_name(argument: str, name: Any) -> str:
    """Return the name of an environment variable.

    Raises:
        TypeError: it is no str.
        ValueError: it cannot name a variable.
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument}: the name of a variable must be a str, got {name!r} ({type(name).__name__})")
    if not name or any(letter in name for letter in "=\0\n\r"):
        raise ValueError(f"{argument}: {name!r} cannot name a variable: it is empty or has '=', a line break or NUL")
    return name


def env_text(argument: str, value: Any) -> str:
    """Return the value of an environment variable as text; numbers and booleans are converted.

    Raises:
        TypeError: it has another type.
        ValueError: it has a NUL character.
    """
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"{argument} must be a str, int, float or bool, got {value!r} ({type(value).__name__})")
    return text(argument, str(value))


def path_text(argument: str, value: Any) -> str:
    """Return a path as text; a `pathlib.Path` is accepted.

    Raises:
        TypeError: it is neither a str nor a path.
        ValueError: it has a NUL character.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return text(argument, value)


def same_argument(exe_args: str | list[str] | None, exec_args: str | list[str] | None) -> str | list[str] | None:
    """Return the arguments of the executable, which may be given under two names.

    Raises:
        TypeError: both are given.
    """
    if exe_args is not None and exec_args is not None:
        raise TypeError("exe_args and exec_args are two spellings of one argument: give one of them")
    return exe_args if exec_args is None else exec_args
