"""A connection to one shard, for starting, checking and stopping databases: redis-py's, told not to try again.

Whoever waits for a server has a pace of its own, so every failure must show at once. redis-py is imported on use, which
is while the server starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from smartsim.values import DbNodeAddress

__all__ = ["Connection", "LoadingError", "Reply", "ServerError"]

Reply = str | int | None | list["Reply"]
"""What a server answers: text, a number, nothing, or a list of these."""


class ServerError(Exception):
    """The server refused a command; the message is the server's."""


class LoadingError(ServerError):
    """The server is still reading its data from disk."""


class Connection:
    """One connection to one shard; a context manager.

    Args:
        node: the shard.
        timeout: seconds to wait for the connection and for each answer.

    Raises:
        OSError: nothing listens there, or it does not answer in time.
    """

    def __init__(self, node: DbNodeAddress, timeout: float) -> None:
        from redis.backoff import NoBackoff
        from redis.connection import Connection as PlainConnection
        from redis.retry import Retry

        plain: Any = PlainConnection
        connection = plain(
            host=node.host,
            port=node.port,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            # Servers before Redis 6 know neither HELLO nor CLIENT SETINFO.
            protocol=2,
            driver_info=None,
            decode_responses=True,
            encoding_errors="surrogateescape",
        )
        self._connection = connection
        self._call(connection.connect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()

    def command(self, *words: str | int) -> Reply:
        """Send one command and return the answer.

        Raises:
            ServerError: the server refused it.
            OSError: the connection broke or the time was up.
        """
        self._call(self._connection.send_command, *words)
        reply: Reply = self._call(self._connection.read_response)
        return reply

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

        try:
            return function(*args)
        except BusyLoadingError as error:
            raise LoadingError(str(error)) from error
        except (AuthenticationError, ResponseError) as error:
            raise ServerError(str(error)) from error
        except RedisError as error:
            raise OSError(str(error)) from error
