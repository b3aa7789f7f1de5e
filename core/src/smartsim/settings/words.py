"""From options to the words of a command line, and back to the resources that they ask for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["count_of", "hosts_of", "joined_options", "seconds_of", "spaced_options", "valued"]


def valued(value: Any) -> bool:
    """Whether an option is printed with its value: None and the empty text stand for the option alone, 0 is a value."""
    return value is not None and not (isinstance(value, str) and not value)


def spaced_options(args: Mapping[str, Any], skip: Collection[str] = ()) -> list[str]:
    """Print every option as ``--name`` and its value as the next word.

    Args:
        args: options; a name may be given with its dashes.
        skip: names that are left out.
    """
    words: list[str] = []
    for name, value in _named(args, skip):
        words.append(f"--{name}")
        if valued(value):
            words.append(str(value))
    return words


def joined_options(args: Mapping[str, Any], skip: Collection[str] = ()) -> list[str]:
    """Print an option of one letter as ``-n`` and its value as the next word, a longer one as ``--name=value``.

    Args:
        args: options; a name may be given with its dashes.
        skip: names that are left out.
    """
    words: list[str] = []
    for name, value in _named(args, skip):
        if len(name) == 1:
            words += [f"-{name}", str(value)] if valued(value) else [f"-{name}"]
        else:
            words.append(f"--{name}={value}" if valued(value) else f"--{name}")
    return words


def _named(args: Mapping[str, Any], skip: Collection[str]) -> Iterator[tuple[str, Any]]:
    for key, value in args.items():
        name = key.strip().lstrip("-")
        if name not in skip:
            yield name, value


def count_of(args: Mapping[str, Any], *names: str) -> int | None:
    """Return the number that the first of `names` has among `args`, or None where none is given or is no number."""
    for name in names:
        value = args.get(name)
        if value is not None:
            digits = str(value).strip()
            return int(digits) if digits.isascii() and digits.isdigit() else None
    return None


def hosts_of(args: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return the hosts that the first of `names` lists, separated by commas; none where it is not given."""
    for name in names:
        if args.get(name):
            return tuple(host.strip() for host in str(args[name]).split(",") if host.strip())
    return ()


def seconds_of(value: Any) -> int | None:
    """Return a time limit in seconds: a number of seconds or ``[D-]HH:MM:SS``; None for anything else.

    Shorter forms mean different things to different commands, so they are left to those who know the command.
    """
    parts = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):(\d+):)?(\d+)", str(value).strip(), re.ASCII)
    if parts is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
