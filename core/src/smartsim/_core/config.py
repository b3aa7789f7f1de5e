"""`CONFIG`: the settings of the installation under the names that 0.8's test suites read."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from smartsim import config
from smartsim.error import SSConfigError

if TYPE_CHECKING:
    from smartsim.values import DatabaseInfo

__all__ = ["CONFIG", "Config", "get_config"]

_VARIABLES: dict[str, config.Variable[Any]] = {
    "jm_interval": config.JM_INTERVAL,
    "wlm_trials": config.WLM_TRIALS,
    "database_file_parse_trials": config.DB_FILE_PARSE_TRIALS,
    "database_file_parse_interval": config.DB_FILE_PARSE_INTERVAL,
    "log_level": config.LOG_LEVEL,
    "telemetry_enabled": config.TELEMETRY_FLAG,
    "telemetry_frequency": config.TELEMETRY_FREQUENCY,
    "telemetry_cooldown": config.TELEMETRY_COOLDOWN,
    "test_launcher": config.TEST_LAUNCHER,
    "test_device": config.TEST_DEVICE,
    "test_num_gpus": config.TEST_NUM_GPUS,
    "test_port": config.TEST_PORT,
    "test_num_ports": config.TEST_NUM_PORTS,
    "test_batch_resources": config.TEST_BATCH_RESOURCES,
    "test_mpi": config.TEST_MPI,
}


class Config:
    """Settings of the installation, read from the environment each time they are asked for."""

    telemetry_subdir = config.TELEMETRY_SUBDIR

    def __getattr__(self, name: str) -> Any:
        """Return the value of one of the plain variables."""
        try:
            return _VARIABLES[name].read()
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None

    @property
    def test_interface(self) -> list[str]:
        """Network interfaces for tests: those named, else the first high-speed one, else loopback."""
        named = config.TEST_INTERFACE.read()
        if named:
            return list(named)
        import psutil

        present = sorted(psutil.net_if_addrs())
        fast = [name for name in present if name == "ipogif0" or name.startswith(("hsn", "ib"))]
        return fast or [next((name for name in present if name.startswith("lo")), "lo")]

    @property
    def test_account(self) -> str | None:
        """Account for the jobs of tests."""
        return config.TEST_ACCOUNT.read() or None

    @property
    def test_alloc_spec_sheet_path(self) -> str | None:
        """File that describes the allocation of the tests."""
        return config.TEST_ALLOC_SPEC_SHEET_PATH.read() or None

    @property
    def database_exe(self) -> str:
        """Absolute path of the database server.

        Raises:
            SSConfigError: there is none, or the environment names one that cannot be used.
        """
        return self._database().executable

    @property
    def database_cli(self) -> str:
        """Absolute path of the database's command-line client.

        Raises:
            SSConfigError: there is none.
        """
        cli = self._database().cli
        if cli is None:
            raise SSConfigError("No command-line client of the database was found: set REDIS_CLI_PATH to one")
        return cli

    @property
    def database_conf(self) -> str:
        """Absolute path of the database server's configuration file.

        Raises:
            SSConfigError: there is none.
        """
        conf = self._database().conf
        if conf is None:
            raise SSConfigError("The database server has no configuration file: set REDIS_CONF to one")
        return conf

    @staticmethod
    def _database() -> DatabaseInfo:
        import os

        from smartsim.error import PluginError, SSUnsupportedError
        from smartsim.plugin.manager import Plugins

        try:
            return Plugins.for_database("redis").database_info("redis", os.environ)
        except (SSUnsupportedError, PluginError) as error:
            raise SSConfigError(f"No database server is installed: {error}") from error


@cache
def get_config() -> Config:
    """Return the settings; always the same object."""
    return Config()


CONFIG = get_config()
