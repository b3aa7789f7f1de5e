"""The variables through which an application finds its databases and its keys.

Names and values are those that the published SmartRedis clients read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smartsim.servertype import CLUSTERED, STANDALONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from smartsim.values import Deployment

__all__ = ["MAX_ADDRESSES", "SOCKET_TIMEOUT_MS", "client_environment", "suffix"]

MAX_ADDRESSES = 128
"""How many shard addresses a client is told; it finds the rest by itself."""

SOCKET_TIMEOUT_MS = 60_000
"""What ``SR_SOCKET_TIMEOUT`` is set to. The client's own default of 250 ms makes it send every slow call again."""

DEFAULT_IDENTIFIER = "orchestrator"


def suffix(identifier: str) -> str:
    """Ending of the variables of the database called `identifier`; none for the default identifier."""
    return "" if identifier == DEFAULT_IDENTIFIER else f"_{identifier}"


def client_environment(
    deployments: Sequence[Deployment],
    *,
    incoming: Iterable[str] = (),
    outgoing: str | None = None,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Variables for an application that may use `deployments`.

    Args:
        deployments: the databases that are running.
        incoming: names of the entities whose keys the application reads.
        outgoing: name that prefixes the keys it writes, None for no prefix.
        given: variables the user has set, for the job or in the driver; a socket timeout among them is respected.
    """
    given = given or {}
    variables: dict[str, str] = {}
    for deployment in deployments:
        end = suffix(deployment.identifier)
        variables[f"SSDB{end}"] = ",".join(deployment.addresses[:MAX_ADDRESSES])
        variables[f"SR_DB_TYPE{end}"] = CLUSTERED if deployment.clustered else STANDALONE
        if f"SR_SOCKET_TIMEOUT{end}" not in given:
            variables[f"SR_SOCKET_TIMEOUT{end}"] = str(SOCKET_TIMEOUT_MS)
    sources = ",".join(incoming)
    if sources:
        variables["SSKEYIN"] = sources
    if outgoing is not None:
        variables["SSKEYOUT"] = outgoing
    return variables
