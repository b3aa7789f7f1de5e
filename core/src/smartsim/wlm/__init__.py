"""Questions about the machine and the allocation that the driver runs in.

The answers come from the launcher's plugin; what only one scheduler has is in a module of its own beside this one.
"""

from __future__ import annotations

import os
from typing import Any

from smartsim.error import SSUnsupportedError

__all__ = [
    "SSUnsupportedError",
    "detect_launcher",
    "get_hosts",
    "get_queue",
    "get_tasks",
    "get_tasks_per_node",
]


def detect_launcher() -> str:
    """Return the name of the launcher that fits this machine best.

    Every installed launcher is asked; where none recognises its scheduler, the answer is ``local``.
    """
    from smartsim.plugin.manager import Plugins

    return Plugins.detect()


def get_hosts(launcher: str | None = None) -> list[str]:
    """Return the names of the hosts of the allocation, sorted.

    Args:
        launcher: name of the launcher to ask, None for the one that fits this machine.

    Raises:
        SSUnsupportedError: the launcher has no such information, or its plugin is not installed.
        SmartSimError: there is no allocation.
    """
    return list(_ask("hosts", launcher))


def get_queue(launcher: str | None = None) -> str:
    """Return the name of the queue or partition of the allocation.

    Args:
        launcher: name of the launcher to ask, None for the one that fits this machine.

    Raises:
        SSUnsupportedError: the launcher has no such information, or its plugin is not installed.
        SmartSimError: there is no allocation.
    """
    return str(_ask("queue", launcher))


def get_tasks(launcher: str | None = None) -> int:
    """Return the number of tasks of the allocation.

    Args:
        launcher: name of the launcher to ask, None for the one that fits this machine.

    Raises:
        SSUnsupportedError: the launcher has no such information, or its plugin is not installed.
        SmartSimError: there is no allocation.
        LauncherError: the scheduler did not answer.
    """
    return int(_ask("tasks", launcher))


def get_tasks_per_node(launcher: str | None = None) -> dict[str, int]:
    """Return the number of tasks on each host of the allocation.

    Args:
        launcher: name of the launcher to ask, None for the one that fits this machine.

    Raises:
        SSUnsupportedError: the launcher has no such information, or its plugin is not installed.
        SmartSimError: there is no allocation.
        LauncherError: the scheduler did not answer.
    """
    return dict(_ask("tasks_per_node", launcher))


def _ask(topic: str, launcher: str | None) -> Any:
    from smartsim.plugin.manager import FALLBACK_LAUNCHER, Plugins
    from smartsim.values import Query

    if launcher is not None and not isinstance(launcher, str):
        raise TypeError(f"launcher must be the name of a launcher or None, not {launcher!r}")
    name = Plugins.detect() if launcher is None else launcher.lower()
    plugins = Plugins.for_launcher(name)
    # Whatever runs without a scheduler has no allocation, even where its launcher knows the machine's name.
    answer = None if name == FALLBACK_LAUNCHER else plugins.query(Query(topic=topic, environ=dict(os.environ)))
    if answer is None:
        what = topic.replace("_", " ")
        raise SSUnsupportedError(
            f"Launcher {name!r} cannot tell the {what} of an allocation: name the launcher of your scheduler, "
            "and run inside an allocation"
        )
    return answer
