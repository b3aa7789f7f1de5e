"""What run settings may say about the shards of a database.

The shards are ordinary steps, so an `smartsim.database.Orchestrator` needs to know little of launchers; that little it
asks of two places, and neither is a scheduler's name.

The launcher's plugin names in `smartsim.values.PluginInfo.capabilities` the run commands that shards may be started
with, one word ``database:<command>`` each. A launcher that names none starts shards without a run command.

A settings class may have the members of `ShardSettings`. All are optional: what is missing means what is said there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from smartsim.error.errors import SmartSimError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from smartsim.settings.base import BatchSettings, RunSettings
    from smartsim.values import PluginInfo

__all__ = [
    "ArrangesShards",
    "JoinsShards",
    "PlacesShards",
    "check_run_command",
    "joins_shards",
    "make_node_settings",
    "needs_hosts",
    "place_shards",
    "reserved_options",
]

_NEEDS_HOSTS = frozenset({"mpirun", "mpiexec", "orterun"})
_CAPABILITY = "database:"


@runtime_checkable
class JoinsShards(Protocol):
    """Run settings with an opinion on whether all shards are started by one command."""

    def joins_shards(self, wanted: bool, batch: bool) -> bool:
        """Say whether one command starts all shards.

        Without this method it does where the user wants it (``single_cmd``) and the run command can start several
        programs.

        Args:
            wanted: what the user asked for.
            batch: whether the database runs in a batch job of its own.
        """


@runtime_checkable
class ArrangesShards(Protocol):
    """Run settings that need to know of all shards that one command starts; asked of the first shard's settings."""

    def arrange_shards(self, shards: Sequence[RunSettings], options: Mapping[str, Any]) -> None:
        """Distribute the shards over resources.

        Args:
            shards: settings of each shard, the first is this object.
            options: the user's further arguments, such as ``cpus_per_shard`` and ``gpus_per_shard``.
        """


@runtime_checkable
class PlacesShards(Protocol):
    """Run settings with a way of their own to put shards on hosts; asked of the first shard's settings."""

    def place_shards(self, shards: Sequence[RunSettings], hosts: Sequence[str], batch: bool) -> None:
        """Put the shards on hosts; without this method each shard's ``set_hostlist`` gets one host, in order.

        Args:
            shards: settings of each shard, the first is this object.
            hosts: names of the hosts.
            batch: whether the database runs in a batch job of its own.
        """


def check_run_command(launcher: PluginInfo | None, run_command: str, hosts: object) -> None:
    """Refuse a run command that cannot start shards.

    Args:
        launcher: the launcher.
        run_command: what the user asked for: ``auto``, a command, or the empty string for none.
        hosts: the hosts the user named, if any.

    Raises:
        SmartSimError: the launcher does not start shards with it, or it needs to be told the hosts.
    """
    if launcher is None or run_command == "auto":
        return
    known = sorted(word.removeprefix(_CAPABILITY) for word in launcher.capabilities if word.startswith(_CAPABILITY))
    if run_command not in (known or [""]):
        choice = f"one of {', '.join(known)}" if known else "run_command='' or 'auto'"
        raise SmartSimError(f"The launcher {launcher.name} cannot start a database with {run_command!r}: use {choice}")
    if needs_hosts(run_command) and not hosts:
        raise SmartSimError(f"A database that is started with {run_command} needs hosts=[...], the hosts of its shards")


def needs_hosts(run_command: str) -> bool:
    """Return whether shards that `run_command` starts must be told their hosts."""
    return run_command in _NEEDS_HOSTS


def joins_shards(settings: RunSettings, wanted: bool, batch: bool) -> bool:
    """Return whether one command starts all shards, see `JoinsShards`."""
    if isinstance(settings, JoinsShards):
        return settings.joins_shards(wanted, batch)
    return wanted and hasattr(settings, "mpmd")


def make_node_settings(shards: Sequence[RunSettings], joined: bool, options: Mapping[str, Any]) -> list[RunSettings]:
    """Return the settings of each step of the database.

    Args:
        shards: settings of each shard.
        joined: whether one command starts all of them.
        options: the user's further arguments.
    """
    if not joined:
        return list(shards)
    first, *others = shards
    for other in others:
        first.make_mpmd(other)
    if isinstance(first, ArrangesShards):
        first.arrange_shards(shards, options)
    return [first]


def place_shards(shards: Sequence[RunSettings], hosts: Sequence[str], batch: bool) -> None:
    """Put the shards on hosts, see `PlacesShards`."""
    first = shards[0]
    if isinstance(first, PlacesShards):
        first.place_shards(shards, hosts, batch)
        return
    for shard, host in zip(shards, hosts, strict=False):
        shard.set_hostlist([host])


def reserved_options(settings: RunSettings | BatchSettings) -> frozenset[str]:
    """Return the options of `settings` that a database sets itself.

    They are those that SmartSim sets for every step (``reserved_run_args``) and, where the class has such an attribute,
    those of ``reserved_shard_args``.
    """
    general = getattr(settings, "reserved_run_args", ())
    return frozenset(general) | frozenset(getattr(settings, "reserved_shard_args", ()))
