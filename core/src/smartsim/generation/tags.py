"""Parameter tags in files: ``;name;`` stands for the value of the parameter `name`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["DEFAULT_TAG", "Template", "checked_tag", "parse"]

DEFAULT_TAG = ";"

_LINE_END = re.compile(r"\r\n|\r|\n")


@frozen(kw_only=True)
class Template:
    """A text with places for the values of parameters.

    Attributes:
        parts: text and parameter names by turns, beginning and ending with text.
        names: the parameters that occur, in the order in which they first do.
        unknown: for each tag that names no parameter the numbers of its lines, from 1.
    """

    parts: tuple[str, ...]
    names: tuple[str, ...] = ()
    unknown: Mapping[str, tuple[int, ...]] = field(factory=dict)

    def render(self, params: Mapping[str, str]) -> str:
        """Return the text with the values of `params`, which has all of `names`. Values are not searched for tags."""
        if not self.names:
            return self.parts[0]
        filled = list(self.parts)
        filled[1::2] = [params[name] for name in self.parts[1::2]]
        return "".join(filled)


def checked_tag(tag: str | None) -> str:
    """Return the text that encloses the names of parameters; the default one for None and empty text.

    Raises:
        TypeError: it is not a str.
        ValueError: it has a line break: tags are looked for within lines.
    """
    if tag is not None and not isinstance(tag, str):
        raise TypeError(f"tag must be a str, not {type(tag).__name__}: {tag!r}")
    if tag and _LINE_END.search(tag):
        raise ValueError(f"tag {tag!r} has a line break: parameter tags are looked for within lines")
    return tag or DEFAULT_TAG


def parse(text: str, names: Collection[str], tag: str = DEFAULT_TAG) -> Template:
    """Find the tags in a text.

    Tags of known parameters are found first, so that a stray `tag` earlier on the line cannot hide one. What is
    enclosed in two `tag` on one line after that is an unknown tag, and becomes plain text without its enclosure.

    Args:
        text: the text.
        names: the known parameters.
        tag: what encloses a name; taken literally.

    Returns:
        The template.
    """
    if tag not in text:
        return Template(parts=(text,))
    quoted = re.escape(tag)
    possible = sorted(name for name in names if name and tag not in name and not _LINE_END.search(name))
    pieces = re.split(f"{quoted}({'|'.join(map(re.escape, possible))}){quoted}", text) if possible else [text]
    stray = re.compile(f"{quoted}((?:(?!{quoted})[^\r\n])+){quoted}")
    lines: dict[str, list[int]] = {}
    line = 1
    for index in range(0, len(pieces), 2):
        piece = pieces[index]
        for match in stray.finditer(piece):
            found = lines.setdefault(match[1], [])
            number = line + _line_ends(piece[: match.start()])
            if number not in found[-1:]:
                found.append(number)
        line += _line_ends(piece)
        pieces[index] = stray.sub(r"\1", piece)
    return Template(
        parts=tuple(pieces),
        names=tuple(dict.fromkeys(pieces[1::2])),
        unknown={name: tuple(numbers) for name, numbers in lines.items()},
    )


def _line_ends(text: str) -> int:
    return sum(1 for _ in _LINE_END.finditer(text))
