"""Every exception that SmartSim raises on purpose.

The classes and their bases are those of the published 0.8 API; `MissingPluginError`, `PluginError` and
`NotStartedError` are new.
"""

from __future__ import annotations

__all__ = [
    "AllocationError",
    "EntityExistsError",
    "LauncherError",
    "LauncherUnsupportedFeature",
    "MissingPluginError",
    "NotStartedError",
    "ParameterWriterError",
    "PluginError",
    "PreviewFormatError",
    "SSConfigError",
    "SSDBFilesNotParseable",
    "SSDBIDConflictError",
    "SSInternalError",
    "SSReservedKeywordError",
    "SSUnsupportedError",
    "ShellError",
    "SmartSimCLIActionCancelled",
    "SmartSimError",
    "TelemetryError",
    "UnproxyableStepError",
    "UserStrategyError",
]


class SmartSimError(Exception):
    """Base class of the errors that a user can cause and mend."""


class EntityExistsError(SmartSimError):
    """An entity of that name exists where names must be unique."""


class UserStrategyError(SmartSimError):
    """A permutation strategy returned something else than a list of dictionaries."""

    def __init__(self, perm_strat: str) -> None:
        super().__init__(self.create_message(perm_strat))

    @staticmethod
    def create_message(perm_strat: str) -> str:
        """Return the message for the strategy called `perm_strat`."""
        return (
            f"Permutation strategy {perm_strat} must return a list of dictionaries, one per ensemble member, "
            "each mapping a parameter name to its value"
        )


class ParameterWriterError(SmartSimError):
    """A file with parameter tags could not be read or written."""

    def __init__(self, file_path: str, read: bool = True) -> None:
        super().__init__(self.create_message(file_path, read))

    @staticmethod
    def create_message(file_path: str, read: bool) -> str:
        """Return the message for `file_path`, which failed while it was read or else written."""
        action = "read" if read else "written"
        return (
            f"File {file_path} could not be {action} to replace parameter tags: "
            "check its permissions and that it is UTF-8 text"
        )


class SSReservedKeywordError(SmartSimError):
    """An option was given that SmartSim sets itself."""


class SSDBIDConflictError(SmartSimError):
    """Two databases of one experiment have the same identifier."""


class SSDBFilesNotParseable(SmartSimError):  # noqa: N818 - published name
    """The output of a database shard does not say where it listens."""


class SmartSimCLIActionCancelled(SmartSimError):  # noqa: N818 - published name
    """The user cancelled an action of the `smart` command."""


class NotStartedError(SmartSimError, KeyError):
    """An entity was to be stopped that this experiment never started."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class SSUnsupportedError(Exception):
    """What was asked for is not supported."""


class PreviewFormatError(SSUnsupportedError):
    """No plugin renders previews in that format."""


class SSInternalError(Exception):
    """SmartSim, or something that it relies on, failed."""


class SSConfigError(SSInternalError):
    """A setting of the installation or environment is unusable."""


class PluginError(SSInternalError):
    """A plugin is broken, was written for another version, or clashes with another one."""


class LauncherError(SSInternalError):
    """A launcher could not do what it was asked to."""


class LauncherUnsupportedFeature(LauncherError):  # noqa: N818 - published name
    """The launcher does not have that feature."""


class AllocationError(LauncherError):
    """There is no allocation to run in, or none could be had."""


class ShellError(LauncherError):
    """A command failed."""

    def __init__(self, message: str, command_list: str | list[str], details: Exception | str | None = None) -> None:
        super().__init__(self.create_message(message, command_list, details))

    @staticmethod
    def create_message(message: str, command_list: str | list[str], details: Exception | str | None) -> str:
        """Return one text that names what failed, the command and its own words."""
        command = command_list if isinstance(command_list, str) else " ".join(command_list)
        text = f"{message}\nCommand: {command}"
        return text if details is None else f"{text}\nDetails from command: {details}"


class TelemetryError(SSInternalError):
    """Telemetry could not be collected."""


class UnproxyableStepError(TelemetryError):
    """Kept for scripts that catch it: there is no proxy any more, so nothing raises it."""


class MissingPluginError(ImportError, SmartSimError):
    """A name is provided by a plugin that is not installed; the message says which distribution to install."""
