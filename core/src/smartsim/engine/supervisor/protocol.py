"""What the supervisor and its clients say to each other: JSON objects in frames with a length in front.

A frame is four bytes (length of the rest, most significant first) and that many bytes of JSON. JSON is written in
ASCII, so words that are not UTF-8, which Python holds as lone surrogates, pass unchanged.

Client to supervisor, field ``op``:

========  ============================================================  ==========================================
op        fields                                                        answer
========  ============================================================  ==========================================
hello     version, experiment                                           ``welcome`` (version, pid), ``refused`` (reason)
launch    req, env (base environment)                                   none; opens the request
spawn     req, commands, last                                           ``started`` (req, jobs), several for one request
stop      req, ids (None for all), grace                                ``stopped`` (req, jobs) when they have ended
jobs      req                                                           ``jobs`` (req, jobs)
shutdown  req, grace                                                    ``stopped``, then ``bye`` to every client
detach    none                                                          ``bye`` (ends: whether the supervisor ends now)
========  ============================================================  ==========================================

Unasked, the supervisor sends ``exited`` (jobs) to every client.
"""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

VERSION = 1
"""Both sides must speak the same version."""
MAX_FRAME = 64 * 1024 * 1024
"""Bytes of the longest frame that is accepted; more can only be garbage."""

_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Return the frame of `message`.

    Raises:
        ProtocolError: the message is longer than `MAX_FRAME`.
    """
    return frame(json.dumps(message, separators=(",", ":")).encode("ascii"))


def frame(body: bytes) -> bytes:
    """Return `body`, which is JSON text of an object, as a frame.

    Raises:
        ProtocolError: it is longer than `MAX_FRAME`.
    """
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a message of {len(body)} bytes exceeds the limit of {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Turns a stream of bytes, cut anywhere, back into messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Take `data` and yield every message that is complete now.

        Raises:
            ProtocolError: the stream is not one of messages; the connection is of no use any more.
        """
        self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[dict[str, Any]]:
        buffer = self._buffer
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > MAX_FRAME:
                raise ProtocolError(f"a frame of {length} bytes exceeds the limit of {MAX_FRAME}")
            end = _LENGTH.size + length
            if len(buffer) < end:
                return
            body = bytes(buffer[_LENGTH.size : end])
            del buffer[:end]
            try:
                message = json.loads(body)
            except (ValueError, RecursionError) as error:
                raise ProtocolError(f"a frame is not JSON: {error}") from error
            if not isinstance(message, dict):
                raise ProtocolError("a frame is not a JSON object")
            yield message
