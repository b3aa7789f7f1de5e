"""Values made fit for a line of text, and words made fit for a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["assignment", "command_line", "one_line", "shell_word"]


def one_line(value: object) -> str:
    """Return the text of `value` with each character that cannot be printed as Python writes it in a string.

    So no value can break its line or send commands to a terminal.
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def shell_word(word: str) -> str:
    """Return `word` as a shell reads it back, in printable characters only.

    A word with characters that cannot be printed becomes ``$'...'``, which bash, ksh and zsh understand.
    """
    if word.isprintable():
        return shlex.quote(word)
    quoted = "".join(map(_shell_byte, _encoded(word)))
    return f"$'{quoted}'"


def _encoded(word: str) -> bytes:
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no program can be given this word, but it can be shown
        return word.encode("utf-8", "surrogatepass")


def _shell_byte(byte: int) -> str:
    char = chr(byte)
    if char in {"\\", "'"}:
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\{byte:03o}"


def command_line(argv: Iterable[str]) -> str:
    """Return the command that a shell splits into `argv`."""
    return " ".join(map(shell_word, argv))


def assignment(name: str, value: str) -> str:
    """Return ``NAME=value`` as a shell reads it back."""
    return f"{name}={shell_word(value)}"
