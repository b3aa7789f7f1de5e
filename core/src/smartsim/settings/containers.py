"""Running executables inside a container."""

from __future__ import annotations

import shlex
from typing import Any

from smartsim.log import get_logger
from smartsim.settings.checks import text
from smartsim.settings.commands import find_command

__all__ = ["Container", "Singularity"]

logger = get_logger(__name__)


class Container:
    """A container image and how to run it. Use a class for a certain container system, such as `Singularity`.

    Args:
        image: the image: a file, or an address that the container system understands.
        args: further options of the container system: a list of words, or text that is split as a shell does.
        mount: folders of the host to show inside: a path, ``host:inside``, a list of those, or a dictionary from the
            path on the host to the path inside (None or the empty text: the same path).
        working_directory: folder inside the container to start in; by default the folder of the entity.

    Raises:
        TypeError: an argument has another type.
        ValueError: an argument has a NUL character, or `args` an unclosed quote.
    """

    def __init__(
        self,
        image: str,
        args: str | list[str] = "",
        mount: str | list[str] | dict[str, str | None] = "",
        working_directory: str = "",
    ) -> None:
        self.image = text("image", image)
        self.args = _list_or_text("args", args)
        self.mount = _mounts(mount)
        self.working_directory = text("working_directory", working_directory)
        self._option_words()

    def command_words(self, default_working_directory: str = "") -> list[str]:
        """Return the words that go before the executable.

        Args:
            default_working_directory: where to start when the container names no folder itself.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be run: use Singularity, or define command_words")

    def _containerized_run_command(self, run_command: str) -> str:
        """Return `run_command` as it runs inside the container: the name that 0.8 had for `command_words`."""
        return shlex.join([*self.command_words(), *shlex.split(run_command)])

    def _option_words(self) -> list[str]:
        if not isinstance(self.args, str):
            return list(self.args)
        try:
            return shlex.split(self.args)
        except ValueError as error:
            raise ValueError(f"args {self.args!r} cannot be split ({error}): give a list of words") from error


class Singularity(Container):
    """A container that Singularity or Apptainer runs.

    The command is looked up on PATH when it is needed; where it is not installed, its plain name is used. The folder
    that the program starts in is mounted too, with a warning, when `mount` does not name it.

    Args:
        image: an image file or an address such as ``docker://alpine``.
        args: see `Container`.
        mount: see `Container`.
        working_directory: see `Container`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def command_words(self, default_working_directory: str = "") -> list[str]:
        """Return ``singularity exec`` with its options and the image."""
        folder = self.working_directory or default_working_directory
        mounts = self._mount_list()
        if folder and not any(folder in mount.split(":") for mount in mounts):
            mounts.insert(0, folder)
            logger.warning(
                "Container %s: the working directory %s is not among its mounts, it is mounted too", self.image, folder
            )
        words = [find_command("singularity") or "singularity", "exec"]
        words += ["--pwd", folder] if folder else []
        words += self._option_words()
        words += ["--bind", ",".join(mounts)] if mounts else []
        return [*words, self.image]

    def _container_cmds(self, default_working_directory: str = "") -> list[str]:
        """Return `command_words`: the name that 0.8 had for it."""
        return self.command_words(default_working_directory)

    def _mount_list(self) -> list[str]:
        if isinstance(self.mount, dict):
            return [f"{host}:{inside}" if inside else host for host, inside in self.mount.items()]
        if isinstance(self.mount, str):
            return self.mount.split(",") if self.mount else []
        return list(self.mount)


def _list_or_text(argument: str, value: Any) -> str | list[str]:
    if isinstance(value, list):
        return [text(f"{argument}[{index}]", item) for index, item in enumerate(value)]
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str or a list of str, got {value!r} ({type(value).__name__})")
    return text(argument, value)


def _mounts(value: Any) -> str | list[str] | dict[str, str | None]:
    if not isinstance(value, dict):
        if not isinstance(value, (str, list)):
            raise TypeError(f"mount must be a str, a list or a dict, got {value!r} ({type(value).__name__})")
        return _list_or_text("mount", value)
    for path in (path for pair in value.items() for path in pair if path is not None):
        if any(letter in text("mount", path) for letter in ":,"):
            raise ValueError(f"mount path {path!r} has ':' or ',', which separate mounts: use a path without them")
    return dict(value)
