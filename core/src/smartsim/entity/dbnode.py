"""One step of a database: usually one shard, or all of them where one command starts several programs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim import config
from smartsim.entity.entity import SmartSimEntity
from smartsim.error.errors import SSDBFilesNotParseable
from smartsim.plugin.shards import LaunchedShardData, parse_shard_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smartsim.settings.base import RunSettings

__all__ = ["DBNode", "LaunchedShardData"]


class DBNode(SmartSimEntity):
    """One step of an `smartsim.database.Orchestrator`, which makes its nodes itself.

    Args:
        name: name of the step, ``<database>_<number>``.
        path: folder of its files.
        run_settings: how to run it; the settings in its ``mpmd`` run the further shards of the same step.
        ports: TCP ports, one for each shard of the step, or one that all of them use.
        output_files: names of the files in `path` in which the shards say where they run.
        db_identifier: identifier of the database.

    Attributes:
        ports: as above.
        db_identifier: as above.

    Raises:
        ValueError: `output_files` is not a list of at least one str.
    """

    def __init__(
        self,
        name: str,
        path: str | None,
        run_settings: RunSettings,
        ports: list[int],
        output_files: list[str],
        db_identifier: str = "",
    ) -> None:
        files: object = output_files
        if not (isinstance(files, list) and files and all(isinstance(file, str) for file in files)):
            raise ValueError(f"DBNode {name}: output_files must be a list of at least one file name, got {files!r}")
        super().__init__(name, path, run_settings)
        self.ports = list(ports)
        self.db_identifier = db_identifier
        self._output_files = list(output_files)
        self._hosts: list[str] = []

    @property
    def num_shards(self) -> int:
        """Number of shards of the step."""
        return len(getattr(self.run_settings, "mpmd", ())) + 1

    @property
    def is_mpmd(self) -> bool:
        """Whether the step starts several shards."""
        return self.num_shards > 1

    @property
    def hosts(self) -> list[str]:
        """Where the shards listen; read from their output when it is not known yet.

        Raises:
            SSDBFilesNotParseable: the output does not say it.
        """
        if not self._hosts:
            self._hosts = [shard.hostname for shard in self.get_launched_shard_info()]
        return self._hosts

    @property
    def host(self) -> str:
        """Where the only shard of the step listens.

        Raises:
            SSDBFilesNotParseable: the output does not say it.
            ValueError: the step has shards on several hosts.
        """
        hosts = self.hosts
        if len(hosts) > 1:
            raise ValueError(f"DBNode {self.name} has several hosts ({', '.join(hosts)}): use its property hosts")
        return hosts[0]

    def set_hosts(self, hosts: list[str]) -> None:
        """Say where the shards listen, instead of reading it from their output."""
        self._hosts = [str(host) for host in hosts]

    def clear_hosts(self) -> None:
        """Forget where the shards listen."""
        self._hosts = []

    def get_launched_shard_info(self) -> list[LaunchedShardData]:
        """Return where each shard listens, from the output of the shards.

        A shard that has begun to write is given time, ``SMARTSIM_DB_FILE_PARSE_TRIALS`` looks,
        ``SMARTSIM_DB_FILE_PARSE_INTERVAL`` seconds apart; one that never wrote anything is not waited for.

        Raises:
            SSDBFilesNotParseable: not every shard says where it listens.
        """
        trials, interval = config.DB_FILE_PARSE_TRIALS.read(), config.DB_FILE_PARSE_INTERVAL.read()
        for trial in range(trials):
            texts = [_read(Path(self.path) / file) for file in self._output_files]
            shards = list(
                {shard.name: shard for text in texts for shard in parse_shard_info(text.splitlines())}.values()
            )
            if len(shards) >= self.num_shards:
                return shards
            if not any(texts):
                break
            if trial + 1 < trials:
                time.sleep(interval)
        files = ", ".join(str(Path(self.path) / file) for file in self._output_files)
        raise SSDBFilesNotParseable(
            f"Database shard {self.name} does not say where it runs: no address in {files}. Start the database first."
        )

    def remove_stale_dbnode_files(self) -> None:
        """Delete the files of an earlier run of the step, which would be taken for those of the next one."""
        for file in self._stale_files():
            (Path(self.path) / file).unlink(missing_ok=True)

    def _stale_files(self) -> Iterator[str]:
        yield from self._output_files
        yield from (f"{self.name}.{ending}" for ending in ("out", "err", "mpmd"))
        names = [self.name]
        if self.is_mpmd:
            # The shards of a step are numbered on from the number of the step.
            names = [self._shard_name(number) for number in range(self.num_shards)]
            yield from (f"{name}.{ending}" for name in names for ending in ("out", "err"))
        yield from (f"nodes-{name}-{port}.conf" for name in names for port in self.ports)

    def _shard_name(self, number: int) -> str:
        stem, _, first = self.name.rpartition("_")
        return f"{stem}_{int(first) + number}" if first.isdecimal() else f"{self.name}_{number}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
