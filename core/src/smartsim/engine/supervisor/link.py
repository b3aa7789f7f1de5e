"""The thread that talks to the supervisor.

All of the socket is this thread's alone. Others hand it requests through a queue and wake it by a byte, and wait for
the answer on a lock that belongs to the request. So a signal handler may make a request while the thread that it
interrupted waits in one, and an interrupted call never leaves half a frame behind.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import queue
import selectors
import socket
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from smartsim.engine.supervisor import boot, protocol
from smartsim.error import LauncherError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

CHUNK = 128
"""Commands that are under way to the supervisor at a time."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Bytes of commands after which a frame is closed."""

_READ = 256 * 1024
_FATE_PATIENCE = 0.3
_LOGGER = logging.getLogger(__name__)
_FORKED = "this process was forked from the one that talks to the supervisor: make an Experiment of its own"
_CLOSED = "the connection to the supervisor is closed"
_STOPPED = "it was stopped before it was started"


class Launchable(Protocol):
    """What a launch needs to know of a command."""

    @property
    def id(self) -> str:
        """Name of the job."""

    def message(self) -> dict[str, Any]:
        """Return the command's JSON form."""


class Request:
    """One question to the supervisor and the wait for its answer."""

    def __init__(self, **message: Any) -> None:
        self.number = 0
        self.answer: dict[str, Any] = {}
        self._message = message
        self._error: str | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def frames(self) -> list[bytes]:
        """Return what can be sent now."""
        return [protocol.encode({**self._message, "req": self.number})]

    def asks(self) -> tuple[str, Collection[str] | None]:
        """Return what is asked for and of which jobs (None: all)."""
        return self._message["op"], self._message.get("ids")

    def take(self, message: dict[str, Any]) -> bool:
        """Take an answer; say whether it is the last one."""
        self.answer = message
        return True

    def finish(self, error: str | None = None) -> None:
        """Let the waiting thread go on."""
        self._error = error
        self._done.release()

    def wait(self) -> dict[str, Any]:
        """Wait for the answer.

        Raises:
            LauncherError: there will be none.
        """
        self._done.acquire()
        if self._error is not None:
            raise LauncherError(self._error)
        return self.answer


class LaunchRequest(Request):
    """A launch: its commands are sent in chunks, the next when the supervisor has dealt with the one before."""

    def __init__(self, commands: Sequence[Launchable], environ: dict[str, str]) -> None:
        super().__init__(op="launch", env=environ)
        self.results: dict[str, dict[str, Any]] = {}
        self._commands = commands
        self._sent = -1
        self._under_way = 0
        self._cancelled: set[str] = set()
        self._cancel_all = False

    def frames(self) -> list[bytes]:
        """Return what can be sent now: the opening, and commands when few are under way."""
        opening = super().frames() if self._sent < 0 else []
        self._sent = max(self._sent, 0)
        if self._under_way > CHUNK // 2 or (self._sent == len(self._commands) and not opening):
            return opening
        return [*opening, self._chunk()]

    def _chunk(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._sent < len(self._commands) and len(parts) < CHUNK and size < CHUNK_BYTES:
            command = self._commands[self._sent]
            self._sent += 1
            part = self._encoded(command)
            if part is not None:
                parts.append(part)
                size += len(part)
        self._under_way += len(parts)
        last = b"true" if self._sent == len(self._commands) else b"false"
        head = b'{"op":"spawn","req":%d,"last":%s,"commands":[' % (self.number, last)
        return protocol.frame(head + b",".join(parts) + b"]}")

    def _encoded(self, command: Launchable) -> bytes | None:
        """Return the JSON text of a command, None when it is not to be or cannot be sent."""
        error = _STOPPED
        if not self._cancel_all and command.id not in self._cancelled:
            try:
                text = json.dumps(command.message(), separators=(",", ":")).encode("ascii")
            except (TypeError, ValueError) as reason:
                error = f"the command cannot be described in JSON: {reason}"
            else:
                if len(text) + CHUNK_BYTES < protocol.MAX_FRAME:
                    return text
                error = "its arguments and environment are too long"
        self.results[command.id] = {"id": command.id, "at": time.time(), "error": error}
        return None

    def cancel(self, ids: Collection[str] | None) -> None:
        """Do not send these commands (None: any) if they have not been sent."""
        self._cancel_all = self._cancel_all or ids is None
        self._cancelled.update(ids or ())

    def take(self, message: dict[str, Any]) -> bool:
        """Take the outcome of some commands; say whether that is all."""
        for result in message["jobs"]:
            self.results[result["id"]] = result
        self._under_way -= len(message["jobs"])
        return self.complete

    @property
    def complete(self) -> bool:
        """Whether the outcome of every command is known and the supervisor knows that no more will come."""
        return len(self.results) == len(self._commands) == self._sent


class Link:
    """The connection and its thread.

    Args:
        line: the connection.
        experiment: real path of the experiment's folder.
        on_exit: is called on the thread with the ``exited`` jobs as the supervisor sent them.
        on_lost: is called on the thread, once, when the supervisor is gone though nobody here told it to end.
    """

    def __init__(
        self,
        line: boot.Line,
        experiment: str,
        on_exit: Callable[[list[dict[str, Any]]], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.pid = line.pid
        self.lost = ""
        """Why there is no supervisor any more; empty while there is one."""
        self.refused = False
        """Whether the supervisor does not want to talk to this driver."""
        self._sock = line.sock
        self._sock.setblocking(False)
        self._folder = line.folder
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._numbers = itertools.count(1)
        self._queue: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._pending: dict[int, Request] = {}
        self._decoder = protocol.Decoder()
        self._out = bytearray(protocol.encode({"op": "hello", "version": protocol.VERSION, "experiment": experiment}))
        self.greeting = Request(op="hello")
        self._greeted = False
        self._leaving = False
        self._detached = False
        self._bye: bool | None = None
        self._give_up = False
        self._over = threading.Event()
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.setblocking(False)
        self._wake_there.setblocking(False)
        self._selector = selectors.PollSelector()
        self._selector.register(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        self._selector.register(self._wake_here, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="smartsim-supervisor", daemon=True)
        _links.add(self)
        self._thread.start()

    # --- any thread -------------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Hand a request over; its `wait` returns or raises in any case."""
        if threading.get_ident() == self._thread.ident:
            raise LauncherError(
                "the supervisor cannot be asked from within on_exit or on_lost: hand over to another thread"
            )
        if self._over.is_set():
            request.finish(self.lost or _CLOSED)
            return
        request.number = next(self._numbers)
        self._queue.put(request)
        self._wake()
        if self._over.is_set():
            # It ended between the two questions and may not have seen the request.
            self._refuse()

    def close(self, patience: float) -> None:
        """Take leave and end the thread. The supervisor ends when it has no jobs; then that is waited for. Idempotent.

        Args:
            patience: seconds to wait for a supervisor that does not answer.
        """
        if threading.get_ident() == self._thread.ident:
            raise LauncherError("the supervisor's client cannot be closed from within on_exit or on_lost")
        self._leaving = True
        self._wake()
        self._thread.join(patience)
        if self._thread.is_alive():
            self._give_up = True
            self._wake()
            self._thread.join()
        for resource in (self._selector, self._wake_here, self._wake_there):
            resource.close()
        _links.discard(self)

    def forked(self) -> None:
        """In a forked process: drop the copies of the parent's descriptors, which would make it look alive."""
        self.lost = _FORKED
        self._over.set()
        for resource in (self._sock, self._selector, self._wake_here, self._wake_there):
            with suppress(OSError):
                resource.close()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it will wake up anyway; closed: nobody is there to be woken
            self._wake_there.send(b"\0")

    def _refuse(self) -> None:
        """Answer what is in the queue when nobody else will."""
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait().finish(self.lost or _CLOSED)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        reason = ""
        try:
            while not self._give_up and self._turn():
                pass
        except (OSError, protocol.ProtocolError, KeyError, TypeError, ValueError) as error:
            reason = f"it sent something unexpected: {error!r}"
        self._sock.close()
        self._end(reason)

    def _turn(self) -> bool:
        """Sleep until something happens, then deal with it; False when the supervisor is gone."""
        for key, _ in self._selector.select():
            if key.fileobj is self._wake_here:
                with suppress(BlockingIOError):
                    self._wake_here.recv(4096)
            elif not self._receive():
                return False
        self._collect()
        self._send()
        return True

    def _receive(self) -> bool:
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for message in self._decoder.feed(data):
            self._take(message)
        return bool(data)

    def _take(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "exited":
            self._call(self._on_exit, message["jobs"])
        elif event == "welcome":
            self.pid = message["pid"]
            self._greeted = True
            self.greeting.finish()
        elif event == "refused":
            self.refused = True
            self.lost = f"the supervisor refused this driver: {message['reason']}"
        elif event == "bye":
            self._bye = message["ends"]
            if not self._leaving:
                self.lost = f"the supervisor has ended: {message['reason']}"
        else:
            request = self._pending[message["req"]]
            if request.take(message):
                del self._pending[request.number]
                request.finish()

    def _call(self, callback: Callable[[Any], None], argument: Any) -> None:
        try:
            callback(argument)
        except Exception:  # a fault of whoever listens must not cost the others their news
            _LOGGER.exception("an observer of jobs failed")

    def _collect(self) -> None:
        """Take the requests that were handed over."""
        with suppress(queue.Empty):
            while True:
                request = self._queue.get_nowait()
                self._give_way(request)
                self._pending[request.number] = request
                if not isinstance(request, LaunchRequest):
                    self._out += b"".join(request.frames())

    def _give_way(self, request: Request) -> None:
        """Let a request to stop overtake the launches that have not been sent."""
        op, ids = request.asks()
        if op in {"stop", "shutdown"}:
            for launch in self._launches():
                launch.cancel(ids)
        if op == "shutdown":
            self._leaving = self._detached = True

    def _launches(self) -> list[LaunchRequest]:
        return [request for request in self._pending.values() if isinstance(request, LaunchRequest)]

    def _send(self) -> None:
        for launch in self._launches():
            for frame in launch.frames():
                self._out += frame
            if launch.complete:
                del self._pending[launch.number]
                launch.finish()
        if self._leaving and not self._detached:
            self._detached = True
            self._out += protocol.encode({"op": "detach"})
        while self._out:
            try:
                sent = self._sock.send(self._out)
            except BlockingIOError:
                break
            except OSError:
                # Its last words may still be there to be read.
                self._out.clear()
                break
            del self._out[:sent]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if self._selector.get_key(self._sock).events != events:
            self._selector.modify(self._sock, events)

    def _end(self, fault: str) -> None:
        """Take note that there is no connection any more, for whatever reason."""
        if self._bye:
            boot.reap(self.pid, wait=True)
        elif self._bye is None and not self.lost:
            self.lost = f"the supervisor (process {self.pid}) {fault or self._fate()}"
        self._over.set()
        error = self.lost or _CLOSED
        if not self._greeted:
            self.greeting.finish(error)
        for request in self._pending.values():
            request.finish(error)
        self._pending.clear()
        self._refuse()
        if self.lost and not self._leaving:
            self._call(self._on_lost, self.lost)

    def _fate(self) -> str:
        """Find out what became of a supervisor that is not there any more, and tidy up after it."""
        if self._give_up:
            return "does not answer"
        end = time.monotonic() + _FATE_PATIENCE
        words = boot.reap(self.pid)
        while not words and boot.started(self.pid) and time.monotonic() < end:
            time.sleep(0.005)
            words = boot.reap(self.pid)
        words = ": ".join(filter(None, (words or "is gone", boot.last_words(self._folder))))
        boot.clean(self._folder)
        return words


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _forked() -> None:
    for link in list(_links):
        link.forked()


os.register_at_fork(after_in_child=_forked)
