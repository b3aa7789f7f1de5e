"""The user's object for a database."""

from __future__ import annotations

import os
import socket
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartsim.database import arguments, layout
from smartsim.entity.dbnode import DBNode
from smartsim.entity.entity import TelemetryConfiguration
from smartsim.entity.entityList import EntityList
from smartsim.error.errors import SmartSimError
from smartsim.log import get_logger
from smartsim.plugin.manager import Plugins
from smartsim.values import Deployment, OrchestratorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smartsim.database.checkpoint import Checkpoint
    from smartsim.settings.base import BatchSettings, RunSettings

__all__ = ["Orchestrator"]

logger = get_logger(__name__)

CHECKPOINT_NAME = "smartsim_db.dat"


class Orchestrator(EntityList[DBNode]):
    """An in-memory database of one server, or of three and more that share the keys among them.

    Creating the object starts nothing: hand it to `smartsim.Experiment.start`.

    Args:
        path: folder of its files; the working directory when None.
        port: TCP port of each shard; under a launcher whose jobs share one machine, such as ``local``, the first of as
            many consecutive ports.
        interface: network interface to listen on, or several; the first is announced to clients. One that does not
            exist is an error on a scheduler's nodes; on the local launcher loopback takes its place, with a warning.
        launcher: name of the launcher, or ``auto``.
        run_command: command that starts the shards, ``auto`` for the launcher's own choice.
        db_nodes: number of shards: 1, or 3 and more.
        batch: whether it runs in a batch job of its own.
        hosts: hosts of the shards.
        account: account to charge a batch job to.
        time: time limit of a batch job, in the scheduler's own format.
        alloc: allocation to run in.
        single_cmd: whether one command starts all shards, where the run command can.
        threads_per_queue: worker threads of each device, for databases that run models.
        inter_op_threads: threads across operators, for databases that run models.
        intra_op_threads: threads inside an operator, for databases that run models.
        db_identifier: name of the database, unique in its experiment; clients use it to tell databases apart.
        engine: name of the database plugin.
        **kwargs: ``run_args`` (options of the run command), ``queue`` (of a batch job), and what the launcher's
            settings know.

    Attributes:
        launcher: name of the launcher.
        run_command: run command of the shards, the empty string for none.
        ports: TCP ports.
        batch_settings: settings of the batch job, None without one.
        queue_threads: as ``threads_per_queue``.
        inter_threads: as ``inter_op_threads``.
        intra_threads: as ``intra_op_threads``.
        engine: name of the database plugin.

    Raises:
        SSUnsupportedError: two shards are asked for, or the launcher or engine is not known.
        SmartSimError: the launcher has no batch jobs, or does not start databases with that run command.
        SSConfigError: there is no usable server.
        TypeError: an argument has a wrong type.
        ValueError: an argument has an impossible value.
    """

    def __init__(
        self,
        path: str | None = None,
        port: int = 6379,
        interface: str | list[str] = "lo",
        launcher: str = "local",
        run_command: str = "auto",
        db_nodes: int = 1,
        batch: bool = False,
        hosts: list[str] | str | None = None,
        account: str | None = None,
        time: str | None = None,
        alloc: str | None = None,
        single_cmd: bool = False,
        *,
        threads_per_queue: int | None = None,
        inter_op_threads: int | None = None,
        intra_op_threads: int | None = None,
        db_identifier: str = "orchestrator",
        engine: str = "redis",
        **kwargs: Any,
    ) -> None:
        self.launcher = Plugins.detect() if launcher == "auto" else str(launcher).lower()
        self.engine = engine
        launcher_info = Plugins.for_launcher(self.launcher).launcher
        self._one_host = launcher_info is not None and launcher_info.one_host
        shards = arguments.shards(db_nodes)
        self.ports = arguments.ports(port, shards, each=self._one_host)
        self._interfaces = arguments.interfaces(interface)
        self.queue_threads = arguments.threads("threads_per_queue", threads_per_queue)
        self.inter_threads = arguments.threads("inter_op_threads", inter_op_threads)
        self.intra_threads = arguments.threads("intra_op_threads", intra_op_threads)
        self.run_command = ""
        self.batch_settings: BatchSettings | None = None
        self._deployment: Deployment | None = None
        self._telemetry = TelemetryConfiguration()
        arguments.identifier(db_identifier)
        layout.check_run_command(launcher_info, run_command, hosts)
        super().__init__(
            db_identifier,
            path,
            shards=shards,
            run_command=run_command,
            batch=batch and not alloc,
            single_cmd=single_cmd,
            batch_options={"account": account or "", "time": time or "", "queue": kwargs.pop("queue", None) or ""},
            options=kwargs | ({"alloc": alloc} if alloc else {}),
        )
        if hosts:
            self.set_hosts(hosts)
        self._check_server()
        self._check_interfaces()

    def _initialize_entities(self, **kwargs: Any) -> None:
        shards, batch, options = kwargs["shards"], kwargs["batch"], kwargs["options"]
        if batch:
            self.batch_settings = self._make_batch_settings(shards, kwargs["batch_options"])
        settings = [self._make_run_settings(kwargs["run_command"], options) for _ in range(shards)]
        self.run_command = Path(settings[0].run_command or "").name
        joined = shards > 1 and layout.joins_shards(settings[0], kwargs["single_cmd"], batch)
        for number, node_settings in enumerate(layout.make_node_settings(settings, joined, options)):
            name = f"{self.name}_{number}"
            self.entities.append(
                DBNode(
                    name,
                    self.path,
                    node_settings,
                    [self.ports[0] if joined else self.ports[min(number, len(self.ports) - 1)]],
                    [f"{name}.out"],
                    self.name,
                )
            )
        for node in self.entities:
            node.place(self.path)

    def _make_batch_settings(self, shards: int, options: dict[str, Any]) -> BatchSettings:
        from smartsim.settings.settings import create_batch_settings

        return create_batch_settings(self.launcher, nodes=shards, **options)

    def _make_run_settings(self, run_command: str, options: dict[str, Any]) -> RunSettings:
        from smartsim.settings.settings import create_run_settings

        known = {name: value for name, value in options.items() if name not in {"gpus_per_shard", "cpus_per_shard"}}
        settings = create_run_settings(self.launcher, exe=sys.executable, run_command=run_command, **known)
        if not self._one_host:
            settings.set_tasks(1)
            settings.set_tasks_per_node(1)
        settings.in_batch = self.batch_settings is not None
        return settings

    @classmethod
    def restore(cls, checkpoint: Checkpoint) -> Orchestrator:
        """Return the object for the running database that `checkpoint` describes.

        Raises:
            SSUnsupportedError: its launcher is not installed here.
        """
        spec = checkpoint.spec
        hosts = [node.host for node in checkpoint.deployment.nodes]
        orchestrator = cls(
            path=spec.path,
            port=spec.ports[0],
            interface=list(spec.interfaces),
            launcher=checkpoint.launcher,
            run_command=checkpoint.run_command or "auto",
            db_nodes=spec.shards,
            batch=checkpoint.batch,
            hosts=hosts if layout.needs_hosts(checkpoint.run_command) else None,
            single_cmd=spec.single_step,
            threads_per_queue=spec.threads_per_queue,
            inter_op_threads=spec.inter_op_threads,
            intra_op_threads=spec.intra_op_threads,
            db_identifier=spec.identifier,
            engine=spec.engine,
        )
        orchestrator.set_deployment(checkpoint.deployment)
        return orchestrator

    def _check_server(self) -> None:
        Plugins.for_database(self.engine).database_info(self.engine, os.environ)

    def _check_interfaces(self) -> None:
        present = [name for _, name in socket.if_nameindex()]
        missing = [name for name in self._interfaces if name not in present and name != "lo"]
        if not missing:
            return
        consequence = (
            "loopback is used instead"
            if self._one_host
            else "the database fails to start on a node that does not have it either"
        )
        logger.warning(
            "This machine has no network interface %s (it has %s): %s",
            ", ".join(missing),
            ", ".join(present),
            consequence,
        )

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def db_identifier(self) -> str:
        """Name of the database."""
        return self.name

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return sum(node.num_shards for node in self.entities)

    @property
    def db_nodes(self) -> int:
        """Number of shards; the published name of `num_shards`."""
        return self.num_shards

    @property
    def telemetry(self) -> TelemetryConfiguration:
        """Whether telemetry of the database is collected."""
        return self._telemetry

    @property
    def checkpoint_file(self) -> str:
        """File from which `smartsim.Experiment.reconnect_orchestrator` finds the database again."""
        return str(Path(self.path) / CHECKPOINT_NAME)

    def _shards(self) -> Iterator[RunSettings]:
        """Yield the settings of each shard."""
        for node in self.entities:
            yield node.run_settings
            yield from getattr(node.run_settings, "mpmd", ())

    def spec(self, run: int = 0) -> OrchestratorSpec:
        """Describe what starting the database starts; pure.

        Args:
            run: how often it was started before.
        """
        settings = list(self._shards())
        ports = self.ports if len(self.ports) == len(settings) else self.ports * len(settings)
        variables = {name: value for shard in settings for name, value in shard.environment(os.environ).items()}
        options: dict[str, Any] = {"env": variables} if variables else {}
        if self._one_host:
            options["loopback"] = True
        if self.batch_settings is not None:
            options["queued"] = True
        return OrchestratorSpec(
            identifier=self.name,
            engine=self.engine,
            path=self.path,
            ports=tuple(ports),
            interfaces=tuple(self._interfaces),
            settings=tuple(shard.job_options() for shard in settings),
            resources=settings[0].resources(),
            threads_per_queue=self.queue_threads,
            inter_op_threads=self.inter_threads,
            intra_op_threads=self.intra_threads,
            options=options,
            single_step=len(self.entities) < len(settings),
            run=run,
        )

    # --- where it runs -----------------------------------------------------------------------------------------------

    @property
    def deployment(self) -> Deployment | None:
        """Where the database listens, None while it does not run."""
        return self._deployment

    def set_deployment(self, deployment: Deployment) -> None:
        """Say where the database listens; the engine calls it when the database can be used."""
        self._deployment = deployment
        shards = iter(deployment.nodes)
        for node in self.entities:
            node.set_hosts([shard.host for shard in islice(shards, node.num_shards)])

    def clear_deployment(self) -> None:
        """Forget where the database listens; the engine calls it when the database has been stopped."""
        self._deployment = None
        for node in self.entities:
            node.clear_hosts()

    @property
    def hosts(self) -> list[str]:
        """Where each shard listens; read from their output when it is not known yet.

        Raises:
            SSDBFilesNotParseable: the output does not say it.
        """
        return [host for node in self.entities for host in node.hosts]

    def reset_hosts(self) -> None:
        """Forget where the database listens."""
        self.clear_deployment()

    def remove_stale_files(self) -> None:
        """Delete the files of an earlier run that the next one would stumble over."""
        for node in self.entities:
            node.remove_stale_dbnode_files()

    def get_address(self) -> list[str]:
        """Return ``host:port`` of each shard.

        Raises:
            SmartSimError: the database does not run.
        """
        return list(self._active("give its address").addresses)

    def is_active(self) -> bool:
        """Return whether every shard answers and, for several, they form a cluster that can be used."""
        if self._deployment is None:
            return False
        return Plugins.for_database(self.engine).orchestrator_active(self._deployment)

    def _active(self, purpose: str) -> Deployment:
        if self._deployment is None:
            raise SmartSimError(
                f"Could not find database address: {self.name} does not run, so it cannot {purpose}. Start it first."
            )
        if not self.is_active():
            addresses = ", ".join(self._deployment.addresses)
            raise SmartSimError(f"Database {self.name} is not active: nothing answers at {addresses}")
        return self._deployment

    # --- settings of the running server ------------------------------------------------------------------------------

    def enable_checkpoints(self, frequency: int) -> None:
        """Have the database saved to its folder from time to time, and when it is stopped.

        Args:
            frequency: seconds between two saves; nothing is saved when nothing changed.

        Raises:
            SmartSimError: the database does not run.
            TypeError: `frequency` is not an int.
            ValueError: `frequency` is not positive.
        """
        self.set_db_conf("save", f"{arguments.positive('frequency', frequency)} 1")

    def set_max_memory(self, mem: str) -> None:
        """Limit the memory of each shard.

        Args:
            mem: bytes, or a number with a unit such as ``3gb``; ``0`` for no limit.

        Raises:
            SmartSimError: the database does not run, or the server refuses.
        """
        self.set_db_conf("maxmemory", mem)

    def set_eviction_strategy(self, strategy: str) -> None:
        """Choose what is dropped when the memory limit is reached.

        Args:
            strategy: the server's name of a policy, such as ``allkeys-lru``.

        Raises:
            SmartSimError: the database does not run, or the server refuses.
        """
        self.set_db_conf("maxmemory-policy", strategy)

    def set_max_clients(self, clients: int = 50_000) -> None:
        """Limit the number of connected clients of each shard.

        Raises:
            SmartSimError: the database does not run, or the server refuses.
            TypeError: `clients` is not an int.
            ValueError: `clients` is not positive.
        """
        self.set_db_conf("maxclients", str(arguments.positive("clients", clients)))

    def set_max_message_size(self, size: int = 1_073_741_824) -> None:
        """Limit the size of one value, and with it of one tensor.

        Args:
            size: bytes; the server wants 1 MiB at least.

        Raises:
            SmartSimError: the database does not run, or the server refuses.
            TypeError: `size` is not an int.
            ValueError: `size` is not positive.
        """
        self.set_db_conf("proto-max-bulk-len", str(arguments.positive("size", size)))

    def set_db_conf(self, key: str, value: str) -> None:
        """Change a setting of the running server, on every shard.

        Args:
            key: name of the setting, as the server's configuration file has it.
            value: its value.

        Raises:
            SmartSimError: the database does not run, or the server refuses; has the server's words.
            TypeError: `key` or `value` is not a str.
        """
        arguments.text("key", key)
        arguments.text("value", value)
        deployment = self._active(f"change its setting {key!r}")
        Plugins.for_database(self.engine).orchestrator_configure(deployment, key, value)

    # --- settings of the steps, before the start ---------------------------------------------------------------------

    def set_cpus(self, num_cpus: int) -> None:
        """Set the number of CPUs of each shard, where its run command or batch job can be told.

        Raises:
            TypeError: `num_cpus` is not an int.
            ValueError: `num_cpus` is not positive.
        """
        arguments.positive("num_cpus", num_cpus)
        for setter in ("set_cpus_per_task", "set_ncpus"):
            if hasattr(self.batch_settings, setter):
                getattr(self.batch_settings, setter)(num_cpus)
        for shard in self._shards():
            shard.set_cpus_per_task(num_cpus)

    def set_walltime(self, walltime: str) -> None:
        """Set the time limit of the batch job.

        Raises:
            SmartSimError: the database has no batch job of its own.
        """
        self._batch_job("set_walltime").set_walltime(walltime)

    def set_hosts(self, host_list: list[str] | str) -> None:
        """Set the hosts of the shards.

        Raises:
            TypeError: `host_list` is neither a str nor a list of str.
        """
        hosts = arguments.hosts(host_list)
        if self.batch_settings is not None:
            self.batch_settings.set_hostlist(hosts)
        layout.place_shards(list(self._shards()), hosts, self.batch_settings is not None)

    def set_batch_arg(self, arg: str, value: str | None = None) -> None:
        """Set an option of the batch job; one that SmartSim sets itself is ignored with a warning.

        Args:
            arg: name of the option without dashes.
            value: its value, None for an option without one.

        Raises:
            SmartSimError: the database has no batch job of its own.
        """
        settings = self._batch_job("set_batch_arg")
        if arg in layout.reserved_options(settings):
            logger.warning("Batch option %s of a database cannot be set: SmartSim sets it itself", arg)
        else:
            settings.batch_args[arg] = value

    def set_run_arg(self, arg: str, value: str | None = None) -> None:
        """Set an option of the run command of every shard; one that SmartSim sets itself is ignored with a warning.

        Args:
            arg: name of the option without dashes.
            value: its value, None for an option without one.
        """
        shards: Sequence[RunSettings] = list(self._shards())
        if arg in layout.reserved_options(shards[0]):
            logger.warning("Run option %s of a database cannot be set: SmartSim sets it itself", arg)
            return
        for shard in shards:
            shard.run_args[arg] = value

    def _batch_job(self, method: str) -> BatchSettings:
        if self.batch_settings is None:
            raise SmartSimError(
                f"{method}: database {self.name} has no batch job of its own; "
                "create it with batch=True on a launcher that has batch jobs"
            )
        return self.batch_settings
