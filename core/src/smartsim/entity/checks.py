"""Checks of what users give to entities: each returns the value in its stored form or says what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["MAX_NAME_BYTES", "absolute_path", "entity_name", "mapping", "names", "settings_types", "whole_number"]

MAX_NAME_BYTES = 220
"""Files are called after the name, with up to 35 bytes more, and a file name has at most 255."""

_RESERVED_NAMES = frozenset({".", "..", ".smartsim", "smartsim_params.txt"})


def entity_name(name: Any, what: str) -> str:
    """Return `name` when it can name an entity, its folder and its files.

    Args:
        name: the name to check.
        what: the kind of thing that is named, for the message.

    Raises:
        AttributeError: `name` is None.
        TypeError: `name` is not a str.
        ValueError: `name` is empty, too long, reserved, or has a character that a file name cannot have.
    """
    if name is None:
        raise AttributeError(f"{what}: no name was given; pass name= a text that can name a folder")
    if not isinstance(name, str):
        raise TypeError(f"{what}: name must be a str, not {type(name).__name__}: {name!r}")
    problem = _name_problem(name)
    if problem:
        shown = repr(name) if len(name) <= 80 else f"{name[:60]!r}... ({len(name)} characters)"
        raise ValueError(f"{what}: name {shown} {problem}; choose another one, it also names a folder and files")
    return name


def _name_problem(name: str) -> str:
    if not name:
        return "is empty"
    if name in _RESERVED_NAMES:
        return "is reserved"
    bad = next((char for char in name if char in "/\x7f" or ord(char) < 32 or char in (os.sep, os.altsep)), None)
    if bad is not None:
        return f"has the character {bad!r}, which a name cannot have"
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "is not valid Unicode text"
    if size > MAX_NAME_BYTES:
        return f"is {size} bytes long, at most {MAX_NAME_BYTES} are possible"
    return ""


def absolute_path(path: Any) -> str:
    """Return `path`, a text or a `pathlib.Path`, made absolute.

    Raises:
        TypeError: it is neither.
        ValueError: it has a NUL character.
    """
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        raise TypeError(f"path must be a str, not {type(path).__name__}: {path!r}")
    if "\0" in path:
        raise ValueError(f"path {path!r} has a NUL character, which a path cannot have")
    return os.path.abspath(path)  # noqa: PTH100 - a text is what scripts compare with; also `Path.absolute` keeps `..`


def whole_number(argument: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int from `least` to `most`.

    Raises:
        TypeError: it is not an int; True and False are not numbers here.
        ValueError: it is too small or too large.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{argument} must be an int, not {type(value).__name__}: {value!r}")
    if value < least:
        raise ValueError(f"{argument} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise ValueError(f"{argument} must be at most {most}, not {value}")
    return value


def names(argument: str, value: Any, owner: str) -> list[str]:
    """Return a list of names, empty for None.

    Raises:
        TypeError: it is not a list of str.
    """
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{owner!r}: {argument} must be a list of names, not {type(value).__name__}: {value!r}")
    listed = list(value)
    for name in listed:
        if not isinstance(name, str):
            raise TypeError(f"{owner!r}: {argument} must hold names as str, not {type(name).__name__}: {name!r}")
    return listed


def mapping(argument: str, value: Any, owner: str) -> Mapping[str, Any]:
    """Return a mapping whose keys are str; an empty one for None.

    Raises:
        TypeError: it is not such a mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{owner!r}: {argument} must be a dict, not {type(value).__name__}: {value!r}")
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"{owner!r}: {argument} must have str as keys, not {type(name).__name__}: {name!r}")
    return value


def settings_types(owner: str, run_settings: Any, batch_settings: Any) -> None:
    """Check that settings, where given, are settings.

    Raises:
        TypeError: they are something else.
    """
    from smartsim.settings.base import BatchSettings, RunSettings

    for argument, value, expected in (
        ("run_settings", run_settings, RunSettings),
        ("batch_settings", batch_settings, BatchSettings),
    ):
        if value is not None and not isinstance(value, expected):
            raise TypeError(
                f"{owner!r}: {argument} must be {expected.__name__}, not {type(value).__name__}: {value!r}; "
                f"make it with Experiment.create_{argument}"
            )
