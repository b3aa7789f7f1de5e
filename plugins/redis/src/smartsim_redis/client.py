"""A connection to a server: just enough of its protocol for starting, checking and stopping databases.

Speaking it directly, instead of through a general client library, saves every driver a tenth of a second and more of
imports, which is a large part of the time in which a database starts.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from smartsim.values import DbNodeAddress

__all__ = ["Connection", "Reply", "ServerError", "encode", "read_reply"]

Reply = str | int | None | list["Reply"]
"""What a server answers: text, a number, nothing, or a list of these."""


_LONGEST_TEXT = 64 * 2**20
_DEEPEST_LIST = 16


class ServerError(Exception):
    """The server refused a command; the message is the server's."""


class ProtocolError(OSError):
    """What came back is not an answer of a database server, or it broke off."""


def encode(words: tuple[str | int, ...]) -> bytes:
    """Return the bytes that send the command `words`."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = str(word).encode("utf-8", "surrogateescape")
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ProtocolError(f"not a database server: it answered {text[:80]!r}") from error


def read_reply(stream: BinaryIO, depth: int = 0) -> Reply:
    """Return the next answer in `stream`.

    Args:
        stream: what the server sends.
        depth: in how many lists the answer is.

    Raises:
        ServerError: the answer is an error.
        ProtocolError: the stream ended or holds something else.
    """
    line = stream.readline(65536)
    if not line.endswith(b"\r\n"):
        raise ProtocolError("the server closed the connection" if not line else f"not a database server: {line[:80]!r}")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode("utf-8", "replace")
    if kind == b"-":
        raise ServerError(rest.decode("utf-8", "replace"))
    if kind == b":":
        return _number(rest)
    if kind == b"$":
        length = _number(rest)
        if length < 0:
            return None
        if length > _LONGEST_TEXT:
            raise ProtocolError(f"not a database server: it announced {length} bytes")
        data = stream.read(length + 2)
        if len(data) != length + 2:
            raise ProtocolError("the server closed the connection")
        return data[:-2].decode("utf-8", "surrogateescape")
    if kind == b"*" and depth < _DEEPEST_LIST:
        length = _number(rest)
        return None if length < 0 else [read_reply(stream, depth + 1) for _ in range(length)]
    raise ProtocolError(f"not a database server: it answered {line[:80]!r}")


class Connection:
    """One connection to one shard; a context manager.

    Args:
        node: the shard.
        timeout: seconds to wait for the connection and for each answer.

    Raises:
        OSError: nothing listens there, or it does not answer in time.
    """

    def __init__(self, node: DbNodeAddress, timeout: float) -> None:
        self._socket = socket.create_connection((node.host, node.port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def command(self, *words: str | int) -> Reply:
        """Send one command and return the answer.

        Raises:
            ServerError: the server refused it.
            OSError: the connection broke or the time was up.
        """
        self._socket.sendall(encode(words))
        return read_reply(self._stream)
