"""Starting a database to its first answer, beside a bare start of the same server by `subprocess`.

python benchmarks/database_start.py [--rounds 7] [--cluster-rounds 3] [--port 17000]

`database` is what a script waits for: `Experiment.create_database`, `Experiment.start` and one PING over a new
connection. `bare` starts the same binary with the same configuration and asks until it answers; for three shards it
also makes the cluster, as simply as that is possible, and waits until every shard calls it usable. Rounds alternate.
`construct_and_preview` is the time of `Experiment.create_database` and of the text of its preview. The very first start
of the process, which also imports what is needed, is `first_ms`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from smartsim import Experiment
from smartsim.values import DbNodeAddress
from smartsim_redis.client import Connection
from smartsim_redis.cluster import is_usable, slot_ranges
from smartsim_redis.locate import find_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
TIMEOUT = 30.0


def until(done: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + TIMEOUT
    while not done():
        if time.perf_counter() > deadline:
            raise TimeoutError("the server does not answer")
        time.sleep(0.001)


def answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as link:
            link.sendall(b"PING\r\n")
            return link.recv(64) == b"+PONG\r\n"
    except OSError:
        return False


@contextmanager
def bare_servers(ports: list[int]) -> Iterator[None]:
    info = find_server(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        servers = []
        for port in ports:
            command = [
                info.executable,
                info.conf or "",
                "--port",
                str(port),
                "--bind",
                HOST,
                "--logfile",
                f"{port}.log",
            ]
            if len(ports) > 1:
                command += ["--cluster-enabled", "yes", "--cluster-config-file", f"{port}.conf"]
            servers.append(subprocess.Popen(command, cwd=folder))
        try:
            yield
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait()


def bare(ports: list[int]) -> float:
    """The yardstick: seconds until every server answers, or the cluster of several can be used."""
    start = time.perf_counter()
    with bare_servers(ports):
        until(lambda: all(map(answers, ports)))
        if len(ports) > 1:
            nodes = [DbNodeAddress(name=str(port), host=HOST, port=port) for port in ports]
            links = [Connection(node, 5) for node in nodes]
            for link, slots in zip(links, slot_ranges(len(ports)), strict=True):
                link.command("CLUSTER", "ADDSLOTSRANGE", slots.start, slots.stop - 1)
                for port in ports:
                    if port != ports[0]:
                        link.command("CLUSTER", "MEET", HOST, port)
            until(lambda: all(map(is_usable, links)))
            for link in links:
                link.close()
        return time.perf_counter() - start


def database(place: str, ports: list[int]) -> tuple[float, float]:
    """Seconds from `create_database` to an answer, and from `stop` to its end."""
    experiment = Experiment("bench", exp_path=place)
    start = time.perf_counter()
    orchestrator = experiment.create_database(port=ports[0], db_nodes=len(ports), interface="lo")
    experiment.start(orchestrator)
    assert all(map(answers, ports))
    ready = time.perf_counter()
    experiment.stop(orchestrator)
    return ready - start, time.perf_counter() - ready


def preview(place: str) -> float:
    experiment = Experiment("bench", exp_path=place)
    start = time.perf_counter()
    orchestrator = experiment.create_database(interface="lo")
    experiment.preview(orchestrator, verbosity_level="debug", output_filename=f"{place}/preview.txt")
    return time.perf_counter() - start


def quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(value * 1e3 for value in seconds)
    return {"median_ms": round(statistics.median(ordered), 1), "max_ms": round(ordered[-1], 1)}


def measure(ports: list[int], rounds: int) -> dict[str, object]:
    plain, ours, stops = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            ready, stopped = database(place, ports)
        ours.append(ready)
        stops.append(stopped)
        plain.append(bare(ports))
    return {
        "first_ms": round(ours[0] * 1e3, 1),
        "database": quantiles(ours),
        "bare": quantiles(plain),
        "stop": quantiles(stops),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cluster-rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=17000)
    options = parser.parse_args()
    ports = [options.port, options.port + 1, options.port + 2]
    os.environ["SMARTSIM_LOG_LEVEL"] = "quiet"
    info = find_server(os.environ)
    one, three = measure(ports[:1], options.rounds), measure(ports, options.cluster_rounds)
    with tempfile.TemporaryDirectory() as place:
        previews = [preview(place) for _ in range(options.rounds)]
    result = {
        "server": Path(info.executable).name,
        "server_version": info.version,
        "one_shard": one,
        "three_shards": three,
        "construct_and_preview": {"first_ms": round(previews[0] * 1e3, 1), **quantiles(previews)},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
