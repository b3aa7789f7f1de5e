"""Where a preview goes: through the plugin that renders its format, and into a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim.error.errors import PreviewFormatError
from smartsim.preview.options import Format, Verbosity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smartsim.plugin.manager import Plugins
    from smartsim.preview.value import Preview

__all__ = ["preview_text", "write_preview"]

_MAX_NUMBER = 1_000_000


def preview_text(
    plugins: Plugins, preview: Preview, verbosity_level: Verbosity | str, output_format: Format | str
) -> str:
    """Return the text of a preview in the format that the user asked for.

    Args:
        plugins: the plugins of the experiment, one of which renders it.
        preview: what is to be shown.
        verbosity_level: how much of it.
        output_format: name of the format.

    Raises:
        ValueError: there is no such verbosity.
        PreviewFormatError: no plugin renders that format.
    """
    level = Verbosity.parse(verbosity_level)
    text = plugins.render_preview(preview, level.value, str(output_format))
    if text is None:
        known = ", ".join(repr(member.value) for member in Format)
        raise PreviewFormatError(
            f"output_format={output_format!r} is not known: use {known}, or install the plugin that provides the format"
        )
    return text


def write_preview(text: str, output_filename: str | os.PathLike[str]) -> Path:
    """Write a preview to a file that did not exist before, and return its absolute path.

    When `output_filename` exists, the first free one of ``<stem>_01.txt``, ``<stem>_02.txt``, ... beside it is taken,
    whatever else writes there at the same time.

    Raises:
        TypeError: `output_filename` is not a path.
        ValueError: it is empty or has a NUL character.
        OSError: the file cannot be written; no half of it is left behind.
    """
    if not isinstance(output_filename, (str, os.PathLike)):
        raise TypeError(f"output_filename must be a path, not {type(output_filename).__name__}")
    if not os.fspath(output_filename):
        raise ValueError("output_filename is empty: name a file, or leave it out to see the preview on the screen")
    if "\0" in str(output_filename):
        raise ValueError(f"output_filename={str(output_filename)!r} has a NUL character: remove it")
    path = Path(output_filename).absolute()
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"output_filename={str(output_filename)!r}: the folder {path.parent} does not exist, make it first"
            )
        if path.is_dir():
            raise IsADirectoryError(f"output_filename={str(output_filename)!r} is a folder: name a file inside it")
        return _write_first(path, text)
    except OSError as error:
        if error.errno is None:
            raise
        shown = repr(str(output_filename)[:200])
        raise type(error)(
            f"output_filename={shown} cannot be written ({error.strerror}): choose another place or name"
        ) from error


def _write_first(path: Path, text: str) -> Path:
    """Write `text` to the first candidate that does not exist."""
    for candidate in _candidates(path):
        try:
            file = candidate.open("xb")
        except FileExistsError:
            continue
        try:
            with file:
                file.write(text.removesuffix("\n").encode("utf-8", "backslashreplace") + b"\n")
        except OSError:
            candidate.unlink(missing_ok=True)
            raise
        return candidate
    raise FileExistsError(f"output_filename={str(path)!r}: there are {_MAX_NUMBER} numbered files of that name already")


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    for number in range(1, _MAX_NUMBER + 1):
        yield path.with_name(f"{path.stem}_{number:02d}.txt")
