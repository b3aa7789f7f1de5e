"""Ports that are free now, drawn at random so that tests that run side by side seldom meet."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

BUS = 10_000
"""A server of a cluster also listens on its port plus this."""


def free_ports(count: int = 1) -> int:
    """The first of `count` consecutive ports on loopback that are free, with those of their cluster bus."""
    while True:
        first = random.randrange(10_000, 22_000)  # with their bus, below the ports that the kernel hands out
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    for candidate in (port, port + BUS):
                        stack.enter_context(socket.create_server(("127.0.0.1", candidate)))
            except OSError:
                continue
            return first
