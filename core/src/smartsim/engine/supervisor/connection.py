"""One client's connection as the supervisor sees it."""

from __future__ import annotations

import os
import socket
import struct

from smartsim.engine.supervisor.protocol import Decoder, ProtocolError, encode

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

CHUNK = 256 * 1024
"""Bytes that are read at once."""
BACKLOG_LIMIT = 256 * 1024 * 1024
"""Bytes that are kept for a client that does not read."""


class Connection:
    """A client, its unread and its unsent bytes.

    Attributes:
        sock: the socket.
        welcome: whether the client has introduced itself.
        finish: whether to close the connection once everything has been sent.
        parting: whether the client has taken its leave.
        gone: whether the client has closed it or spoken nonsense.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.welcome = False
        self.finish = False
        self.parting = False
        self.gone = False
        self._decoder = Decoder()
        self._out = bytearray()

    def same_user(self) -> bool:
        """Say whether the other process belongs to our user. Without a way to ask, the folder's mode is trusted."""
        option = getattr(socket, "SO_PEERCRED", None)
        if option is None:
            return True
        _, uid, _ = struct.unpack("iII", self.sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("iII")))
        return bool(uid == os.geteuid())

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once and return the messages that are complete now.

        Raises:
            ProtocolError: what came is not a message.
        """
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return iter(())
        except OSError:
            data = b""
        if not data:
            self.gone = True
            return iter(())
        return self._decoder.feed(data)

    def queue(self, message: dict[str, Any]) -> None:
        """Send a message at the next `send`."""
        try:
            self._out += encode(message)
        except ProtocolError:
            self.gone = True

    @property
    def waiting(self) -> bool:
        """Whether something is left to be sent."""
        return bool(self._out)

    def send(self) -> bool:
        """Send as much as can be sent now; say whether the connection lives on."""
        while self._out and not self.gone:
            try:
                sent = self.sock.send(self._out)
            except BlockingIOError:
                return len(self._out) < BACKLOG_LIMIT
            except OSError:
                return False
            del self._out[:sent]
        return not self.gone and not (self.finish and not self._out)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()
