"""Turns a preview into plain text."""

from __future__ import annotations

import shlex
import textwrap
from functools import cache
from typing import TYPE_CHECKING

from smartsim.plugin import API_VERSION, hookimpl
from smartsim.preview.value import Format, Verbosity
from smartsim.values import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jinja2 import Template

    from smartsim.preview.value import ModelPreview, Preview

__all__ = ["plain_text", "plugin", "shell_word"]

_WRAP_COLUMNS = 150
_MEMBERS_IN_FULL = 2


class _PlainText:
    """The built-in plugin that renders the format ``plain_text``."""

    @hookimpl
    def smartsim_plugin_info(self) -> PluginInfo:
        return PluginInfo(name="plain-text-preview", kind="extension", api=API_VERSION)

    @hookimpl
    def smartsim_render_preview(self, preview: Preview, verbosity: str, output_format: str) -> str | None:
        if output_format != Format.PLAINTEXT.value:
            return None
        return plain_text(preview, Verbosity.parse(verbosity))


plugin = _PlainText()
"""What the entry point of this distribution names."""


def plain_text(preview: Preview, verbosity: Verbosity) -> str:
    """Return the plain text of a preview, without a line end after the last line.

    A value never breaks its line: a character that cannot be printed is shown as Python would write it in a string.
    """
    shown = _first_and_last if verbosity is Verbosity.INFO else _all_members
    return _template().render(preview=preview, level=verbosity.value, shown=shown).rstrip("\n")


# --- what the templates use ------------------------------------------------------------------------------------------


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: object) -> Markup:
        # jinja2 would escape whatever is not Markup for HTML. Here Markup only means "text that is ready": a value made
        # fit for its line, or the lines that a macro has made of such values.
        return value if isinstance(value, Markup) else Markup(_one_line(str(value)))  # noqa: S704 - it is not HTML

    environment = Environment(
        loader=PackageLoader("smartsim.preview"),
        autoescape=True,
        finalize=finalize,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals.update(
        assignment=_assignment,
        command_line=_command_line,
        on_off=_on_off,
        script_lines=_script_lines,
        wrapped=_wrapped,
    )
    return environment.get_template("plain_text.j2")


def _one_line(text: str) -> str:
    """Return `text` with every character that cannot be printed as Python would write it in a string."""
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
    quoted = "".join(_shell_char(byte) for byte in word.encode("utf-8", "surrogateescape"))
    return f"$'{quoted}'"


def _shell_char(byte: int) -> str:
    char = chr(byte)
    if char in {"\\", "'"}:
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\{byte:03o}"


def _command_line(argv: Sequence[str]) -> str:
    return " ".join(map(shell_word, argv))


def _assignment(name: str, value: str) -> str:
    return f"{name}={shell_word(value)}"


def _on_off(value: bool) -> str:
    return "On" if value else "Off"


def _script_lines(script: str) -> list[str]:
    return script.rstrip("\n").split("\n")


def _wrapped(name: str, values: Iterable[str]) -> list[str]:
    text = f"{_one_line(name)}: {', '.join(map(_one_line, values))}"
    return textwrap.wrap(text, _WRAP_COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _all_members(members: Sequence[ModelPreview]) -> Iterator[tuple[ModelPreview, int]]:
    """Yield each member with the number of members left out before it."""
    for member in members:
        yield member, 0


def _first_and_last(members: Sequence[ModelPreview]) -> Iterator[tuple[ModelPreview, int]]:
    """Yield the first and the last member with the number of members left out before it."""
    if len(members) <= _MEMBERS_IN_FULL:
        yield from _all_members(members)
    else:
        yield members[0], 0
        yield members[-1], len(members) - 2
