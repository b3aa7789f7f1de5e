"""What SmartSim reads from the environment: one table, with a type, a default and a meaning for each variable.

```python
from smartsim import config

config.JM_INTERVAL.read()  # seconds, as a float
```

A value that cannot be used raises `SSConfigError`, which names the variable, the value and what would be right. An
empty value counts as unset. The table is also the page "Environment variables" of the documentation.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from smartsim.error import SSConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

__all__ = [
    "TELEMETRY_SUBDIR",
    "VARIABLES",
    "Variable",
    "documentation",
    "set_telemetry",
    "telemetry_enabled",
    "telemetry_requested",
]

T = TypeVar("T")

TELEMETRY_SUBDIR = ".smartsim/telemetry"
"""Folder of the telemetry files, below an experiment's folder."""

_registry: list[Variable[Any]] = []


class Variable(Generic[T]):
    """One variable of the environment.

    Attributes:
        name: name of the variable.
        kind: what a value looks like, for people: ``number of seconds above 0``.
        default: what an unset or empty variable means.
        group: heading that it is documented under.
        meaning: what it is for.
    """

    __slots__ = ("_parse", "default", "group", "kind", "meaning", "name")

    def __init__(
        self, name: str, kind: str, parse: Callable[[str], T], default: T, *, group: str, meaning: str
    ) -> None:
        """Make the variable and add it to the table.

        Args:
            name: name of the variable.
            kind: what a value looks like, for people.
            parse: turns a text into the value; raises ValueError for one that is not of that kind.
            default: what an unset or empty variable means.
            group: heading that it is documented under.
            meaning: what it is for.
        """
        self.name = name
        self.kind = kind
        self.default = default
        self.group = group
        self.meaning = meaning
        self._parse = parse
        _registry.append(self)

    def __repr__(self) -> str:
        return f"Variable({self.name!r})"

    def is_set(self, environ: Mapping[str, str] | None = None) -> bool:
        """Whether `environ` (the process's own when None) has a value for it."""
        return bool((os.environ if environ is None else environ).get(self.name, "").strip())

    def read(self, environ: Mapping[str, str] | None = None) -> T:
        """Return the value in `environ`, the process's own environment when None.

        Raises:
            SSConfigError: the value is not of the variable's kind.
        """
        text = (os.environ if environ is None else environ).get(self.name, "").strip()
        if not text:
            return self.default
        try:
            return self._parse(text)
        except ValueError:
            raise SSConfigError(
                f"Environment variable {self.name}={text!r} cannot be used: "
                f"set it to a {self.kind}, or unset it (default: {self.shown_default})"
            ) from None

    @property
    def shown_default(self) -> str:
        """The default as documentation and messages show it."""
        if self.default is None or self.default in ("", ()):
            return "none"
        if isinstance(self.default, float):
            return f"{self.default:g}"
        if isinstance(self.default, bool):
            return str(int(self.default))
        return ",".join(self.default) if isinstance(self.default, tuple) else str(self.default)


# --- kinds of values -------------------------------------------------------------------------------------------------


def _integer(low: int, high: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low or (high is not None and value > high):
            raise ValueError(text)
        return value

    return parse


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def _duration(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def _flag(text: str) -> bool:
    return int(text) > 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _json_object(text: str) -> dict[str, Any]:
    import json

    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"Environment variable SMARTSIM_TEST_BATCH_RESOURCES={text!r} must be a JSON object")
    return value


_INTEGER = "whole number"
_SECONDS = "number of seconds above 0"

# --- the table -------------------------------------------------------------------------------------------------------

_GENERAL = "General"
LOG_LEVEL: Variable[str] = Variable(
    "SMARTSIM_LOG_LEVEL",
    "level",
    str,
    "info",
    group=_GENERAL,
    meaning="How much is logged: `quiet` (the same as `warning`), `info`, `debug`, `developer`, `error` or `critical`; "
    "anything else counts as `info`. See the page about logging.",
)
PLUGINS: Variable[tuple[str, ...]] = Variable(
    "SMARTSIM_PLUGINS",
    "list of names, separated by commas",
    _names,
    (),
    group=_GENERAL,
    meaning="Use only these plugins: names of plugins or of distributions. Unset: all that are installed.",
)
DISABLE_PLUGINS: Variable[tuple[str, ...]] = Variable(
    "SMARTSIM_DISABLE_PLUGINS",
    "list of names, separated by commas",
    _names,
    (),
    group=_GENERAL,
    meaning="Leave these plugins out: names of plugins or of distributions.",
)
JM_INTERVAL: Variable[float] = Variable(
    "SMARTSIM_JM_INTERVAL",
    _SECONDS,
    _seconds,
    10.0,
    group=_GENERAL,
    meaning="How late news of a batch job may be: the longest time, in seconds, between two queries of the scheduler. "
    "Local processes report by themselves and are not affected.",
)
STOP_GRACE: Variable[float] = Variable(
    "SMARTSIM_STOP_GRACE",
    "number of seconds from 0",
    _duration,
    5.0,
    group=_GENERAL,
    meaning="How long a job that is stopped may take to end by itself, in seconds, before it is ended by force.",
)

_DATABASE = "Database server"
REDIS_PATH: Variable[str] = Variable(
    "REDIS_PATH",
    "path of an executable",
    str,
    "",
    group=_DATABASE,
    meaning="The server to start (redis, valkey or keydb) instead of the one that was installed along.",
)
REDIS_CLI_PATH: Variable[str] = Variable(
    "REDIS_CLI_PATH",
    "path of an executable",
    str,
    "",
    group=_DATABASE,
    meaning="The command-line client that `smart dbcli` prints. SmartSim itself needs none.",
)
REDIS_CONF: Variable[str] = Variable(
    "REDIS_CONF",
    "path of a file",
    str,
    "",
    group=_DATABASE,
    meaning="The server's configuration file instead of ours.",
)
DB_START_TIMEOUT: Variable[float] = Variable(
    "SMARTSIM_DB_START_TIMEOUT",
    _SECONDS,
    _seconds,
    20.0,
    group=_DATABASE,
    meaning="How long a database that was started may take until it answers, in seconds. Unset: "
    "`SMARTSIM_DB_FILE_PARSE_TRIALS` times `SMARTSIM_DB_FILE_PARSE_INTERVAL`.",
)

_TELEMETRY = "Telemetry"
TELEMETRY_FLAG: Variable[bool] = Variable(
    "SMARTSIM_FLAG_TELEMETRY",
    _INTEGER,
    _flag,
    True,
    group=_TELEMETRY,
    meaning="0 switches telemetry off; 1, set by hand, asks for it: the files are then written while the experiment "
    "runs. Unset: telemetry is on, and the files are written on demand by `smart telemetry export`. Creating an "
    "Experiment writes the variable back.",
)
TELEMETRY_DEFAULTED: Variable[bool] = Variable(
    "SMARTSIM_FLAG_TELEMETRY_DEFAULTED",
    _INTEGER,
    _flag,
    False,
    group=_TELEMETRY,
    meaning="Written by SmartSim beside `SMARTSIM_FLAG_TELEMETRY` when that was not set by anybody. "
    "Not to be set by hand.",
)
TELEMETRY_FREQUENCY: Variable[int] = Variable(
    "SMARTSIM_TELEMETRY_FREQUENCY",
    f"{_INTEGER} from 1 to 600",
    _integer(1, 600),
    5,
    group=_TELEMETRY,
    meaning="Seconds between two samples of a database's telemetry. Events of jobs are written as they happen.",
)
TELEMETRY_COOLDOWN: Variable[int] = Variable(
    "SMARTSIM_TELEMETRY_COOLDOWN",
    f"{_INTEGER} from 0",
    _integer(0),
    90,
    group=_TELEMETRY,
    meaning="Accepted and without effect: there is no monitor process that could linger.",
)

_COMPATIBILITY = "Accepted for older scripts"
WLM_TRIALS: Variable[int] = Variable(
    "SMARTSIM_WLM_TRIALS",
    f"{_INTEGER} from 1",
    _integer(1),
    10,
    group=_COMPATIBILITY,
    meaning="How often a launcher plugin asks its scheduler for the identifier of a step before it gives up.",
)
DB_FILE_PARSE_TRIALS: Variable[int] = Variable(
    "SMARTSIM_DB_FILE_PARSE_TRIALS",
    f"{_INTEGER} from 1",
    _integer(1),
    10,
    group=_COMPATIBILITY,
    meaning="How often `DBNode.get_launched_shard_info` looks for the address of a shard in its output.",
)
DB_FILE_PARSE_INTERVAL: Variable[float] = Variable(
    "SMARTSIM_DB_FILE_PARSE_INTERVAL",
    _SECONDS,
    _seconds,
    2.0,
    group=_COMPATIBILITY,
    meaning="Seconds between two of these attempts.",
)

_TESTING = "For test suites"
TEST_LAUNCHER: Variable[str] = Variable(
    "SMARTSIM_TEST_LAUNCHER",
    "name of a launcher",
    str,
    "local",
    group=_TESTING,
    meaning="Launcher that tests run on.",
)
TEST_DEVICE: Variable[str] = Variable(
    "SMARTSIM_TEST_DEVICE",
    "device",
    str,
    "CPU",
    group=_TESTING,
    meaning="Device that tests of machine learning run on.",
)
TEST_NUM_GPUS: Variable[int] = Variable(
    "SMARTSIM_TEST_NUM_GPUS",
    f"{_INTEGER} from 0",
    _integer(0),
    1,
    group=_TESTING,
    meaning="Number of GPUs that tests may use.",
)
TEST_PORT: Variable[int] = Variable(
    "SMARTSIM_TEST_PORT",
    f"{_INTEGER} from 1 to 65535",
    _integer(1, 65535),
    6780,
    group=_TESTING,
    meaning="First TCP port that tests may use.",
)
TEST_NUM_PORTS: Variable[int] = Variable(
    "SMARTSIM_TEST_NUM_PORTS",
    f"{_INTEGER} from 1",
    lambda text: max(25, _integer(1)(text)),
    25,
    group=_TESTING,
    meaning="Number of TCP ports that tests may use; less than 25 counts as 25.",
)
TEST_BATCH_RESOURCES: Variable[dict[str, Any]] = Variable(
    "SMARTSIM_TEST_BATCH_RESOURCES",
    "JSON object",
    _json_object,
    {},
    group=_TESTING,
    meaning="Options that every batch job of the tests gets.",
)
TEST_INTERFACE: Variable[tuple[str, ...]] = Variable(
    "SMARTSIM_TEST_INTERFACE",
    "list of names, separated by commas",
    _names,
    (),
    group=_TESTING,
    meaning="Network interfaces that tests bind databases to; unset: a high-speed one if there is one, else loopback.",
)
TEST_ACCOUNT: Variable[str] = Variable(
    "SMARTSIM_TEST_ACCOUNT",
    "name of an account",
    str,
    "",
    group=_TESTING,
    meaning="Account that jobs of the tests are charged to.",
)
TEST_MPI: Variable[bool] = Variable(
    "SMARTSIM_TEST_MPI",
    _INTEGER,
    _flag,
    True,
    group=_TESTING,
    meaning="0: no MPI is available to tests.",
)
TEST_ALLOC_SPEC_SHEET_PATH: Variable[str] = Variable(
    "SMARTSIM_TEST_ALLOC_SPEC_SHEET_PATH",
    "path of a file",
    str,
    "",
    group=_TESTING,
    meaning="File that describes the allocation which tests run in.",
)

VARIABLES: tuple[Variable[Any], ...] = tuple(_registry)
"""Every variable that SmartSim's core reads, in the order of the documentation."""


# --- telemetry -------------------------------------------------------------------------------------------------------


def telemetry_enabled(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether telemetry is on: unless somebody has switched it off.

    Raises:
        SSConfigError: ``SMARTSIM_FLAG_TELEMETRY`` is not a number.
    """
    return TELEMETRY_FLAG.read(environ)


def telemetry_requested(environ: Mapping[str, str]) -> bool:
    """Say whether somebody asked for telemetry, as opposed to nobody having switched it off. Never raises."""
    text = environ.get(TELEMETRY_FLAG.name)
    if not text or environ.get(TELEMETRY_DEFAULTED.name):
        return False
    try:
        return _flag(text)
    except ValueError:
        return False


def set_telemetry(environ: MutableMapping[str, str], enabled: bool, *, asked: bool) -> None:
    """Write the state of telemetry into `environ`, as 0.8 does.

    Args:
        environ: the environment to change.
        enabled: the state.
        asked: whether somebody chose it. Otherwise a second variable says that it is the default, so that neither this
            process nor a child takes our own word for a user's.
    """
    environ[TELEMETRY_FLAG.name] = str(int(enabled))
    if asked:
        environ.pop(TELEMETRY_DEFAULTED.name, None)
    else:
        environ[TELEMETRY_DEFAULTED.name] = "1"


def documentation() -> str:
    """Return the tables of the page about environment variables, in Markdown."""
    lines: list[str] = []
    for group in dict.fromkeys(variable.group for variable in VARIABLES):
        lines += [f"## {group}", "", "| variable | value | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{variable.name}` | {variable.kind} | {variable.shown_default} | {variable.meaning} |"
            for variable in VARIABLES
            if variable.group == group
        ]
        lines.append("")
    return "\n".join(lines)
