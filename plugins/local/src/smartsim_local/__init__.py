"""The launcher for the machine that the driver runs on.

Every step is a process of this machine, run by core's supervisor, so all that is left to say here is how a command
line is put together. It is also the shortest example of a launcher plugin.
"""

from __future__ import annotations

from smartsim_local.launcher import LocalLauncher

__all__ = ["LocalLauncher"]
