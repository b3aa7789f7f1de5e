"""The supervisor: starts the processes of one experiment, waits for them, tells who asks, and writes the journal.

One thread that sleeps until something happens: a client speaks, a child ends, a stop ladder's next rung is due. It is
started by `smartsim.engine.supervisor.client` with a listening socket as its standard input, imports nothing but a few
modules of the standard library, and outlives its clients: it ends when its last job has ended and no client is
connected.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress

from smartsim.engine.supervisor import processes, runtime_dir
from smartsim.engine.supervisor.connection import Connection
from smartsim.engine.supervisor.journal import journal_path
from smartsim.engine.supervisor.ladder import Ladder
from smartsim.engine.supervisor.ledger import Ledger
from smartsim.engine.supervisor.protocol import VERSION, ProtocolError
from smartsim.engine.supervisor.spawn import Spawner, SpawnError
from smartsim.status import State

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost the supervisor 3 ms at every start
if TYPE_CHECKING:
    from typing import Any

SLICE = 0.005
"""Seconds of starting processes after which exits and other clients are looked after."""
LONGEST_GRACE = 1e6
"""Seconds that a client may ask for between TERM and KILL."""
TERMINATION_GRACE = 5.0
"""Seconds between TERM and KILL of the jobs when the supervisor itself is told to terminate."""
LOCK_PAUSE = 0.05
"""Seconds after which the end is tried again when a driver was just about to connect."""


class Job:
    """One process, running or ended."""

    __slots__ = ("at", "exited", "id", "pid", "stopped")

    def __init__(self, identifier: str, pid: int, at: float) -> None:
        self.id = identifier
        self.pid = pid
        self.at = at
        self.stopped = False
        self.exited: dict[str, Any] | None = None


class Launch:
    """What one launch request still has to start."""

    def __init__(self, client: Connection, request: int, spawner: Spawner) -> None:
        self.client = client
        self.request = request
        self.spawner = spawner
        self.commands: deque[dict[str, Any]] = deque()
        self.complete = False
        self.answers: list[dict[str, Any]] = []


class Stop:
    """A stop request on its way."""

    def __init__(self, client: Connection | None, request: int, ids: list[str], leaders: dict[str, int]) -> None:
        self.client = client
        self.request = request
        self.ids = ids
        self.leaders = leaders
        self.ladder: Ladder
        self.final = False


class Server:
    """The supervisor of one experiment.

    Args:
        listener: the socket that clients connect to.
        folder: the private folder that the socket lies in.
        experiment: folder of the experiment.
    """

    def __init__(self, listener: socket.socket, folder: str, experiment: str) -> None:
        self._listener = listener
        self._folder = folder
        self._experiment = experiment
        self._host = os.uname().nodename
        self._ledger = Ledger(journal_path(experiment))
        self._jobs: dict[str, Job] = {}
        self._running: dict[int, Job] = {}
        self._launches: list[Launch] = []
        self._stops: list[Stop] = []
        self._exits: list[dict[str, Any]] = []
        self._clients: set[Connection] = set()
        self._again_at: float | None = None
        self._adopts: bool | None = None
        self._reason = ""
        self._over = False
        self._selector = selectors.DefaultSelector()
        self._signals, wake = socket.socketpair()
        self._signals.setblocking(False)
        wake.setblocking(False)
        self._wake = wake
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._selector.register(self._signals, selectors.EVENT_READ, None)

    # --- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until there is nothing left to do, then remove the folder."""
        me = {
            "pid": os.getpid(),
            "create_time": processes.create_time(os.getpid()),
            "boot": processes.boot_id(),
            "socket": os.path.join(self._folder, runtime_dir.SOCKET),
            "host": self._host,
        }
        self._ledger.add("supervisor", me)
        self._ledger.flush()
        while not self._finished():
            for key, mask in self._selector.select(self._timeout()):
                self._ready(key.fileobj, mask, key.data)
            self._start_some()
            self._climb()
            self._flush()
            if self._jobs and self._adopts is None:
                # Now, because what it needs to import would have delayed the first job.
                self._adopts = adopt_orphans()

    def _timeout(self) -> float | None:
        """Return how long to sleep at most: for ever unless something is due."""
        if any(launch.commands for launch in self._launches):
            return 0.0
        due = [stop.ladder.due for stop in self._stops if stop.ladder.due is not None]
        due += [at for at in (self._ledger.due, self._again_at) if at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _ready(self, source: Any, mask: int, client: Connection | None) -> None:
        if client is not None:
            self._serve(client, mask)
        elif source is self._listener:
            self._accept()
        else:
            self._notice_signals()

    def _notice_signals(self) -> None:
        numbers = b""
        with suppress(BlockingIOError):
            numbers = self._signals.recv(65536)
        if signal.SIGTERM in numbers and not self._reason:
            self._reason = "it was told to terminate"
            self._begin_stop(None, 0, None, TERMINATION_GRACE, final=True)
        self._reap()

    # --- clients ----------------------------------------------------------------------------------------------------

    def _accept(self) -> bool:
        """Take every client that has connected; say whether there was one."""
        accepted = False
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return accepted
            client = Connection(sock)
            if not client.same_user():
                client.close()
                continue
            accepted = True
            self._clients.add(client)
            self._selector.register(sock, selectors.EVENT_READ, client)

    def _serve(self, client: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and not client.send():
            self._drop(client)
        if not mask & selectors.EVENT_READ:
            return
        try:
            for message in client.receive():
                if client.finish:
                    return
                self._answer(client, message)
        except (ProtocolError, KeyError, TypeError, ValueError, AttributeError) as error:
            # Whatever it is, it is not a client of ours: the connection is of no use, everything else goes on.
            self._refuse(client, f"it does not understand what the driver said: {error!r}")
        if client.gone and client in self._clients:
            self._drop(client)

    def _answer(self, client: Connection, message: dict[str, Any]) -> None:
        op = message["op"]
        if op == "hello":
            self._welcome(client, message)
        elif not client.welcome:
            raise ProtocolError("the first message must be hello")
        elif op == "launch":
            spawner = Spawner(message["env"], self._experiment)
            self._launches.append(Launch(client, int(message["req"]), spawner))
        elif op == "spawn":
            self._enqueue(client, message)
        elif op == "stop":
            ids = message["ids"]
            self._begin_stop(client, int(message["req"]), None if ids is None else list(ids), float(message["grace"]))
        elif op == "jobs":
            jobs = [{"id": job.id, "pid": job.pid, "at": job.at, "exited": job.exited} for job in self._jobs.values()]
            client.queue({"event": "jobs", "req": int(message["req"]), "jobs": jobs})
        elif op == "shutdown":
            self._reason = self._reason or "it was told to shut down"
            self._begin_stop(client, int(message["req"]), None, float(message["grace"]), final=True)
        elif op == "detach":
            self._detach(client)
        else:
            raise ProtocolError(f"unknown op {op!r}")

    def _welcome(self, client: Connection, message: dict[str, Any]) -> None:
        if message["version"] != VERSION:
            reason = f"it speaks version {VERSION} of the protocol, the driver version {message['version']}"
        elif message["experiment"] != self._experiment:
            reason = f"it serves the experiment in {self._experiment}"
        else:
            client.welcome = True
            client.queue({"event": "welcome", "version": VERSION, "pid": os.getpid()})
            return
        self._refuse(client, reason)

    def _refuse(self, client: Connection, reason: str) -> None:
        client.queue({"event": "refused", "reason": reason})
        client.finish = True

    def _detach(self, client: Connection) -> None:
        self._forget_launches(client)
        client.parting = True
        client.queue({"event": "bye", "ends": self._idle()})

    def _drop(self, client: Connection) -> None:
        self._clients.discard(client)
        self._forget_launches(client)
        for stop in self._stops:
            if stop.client is client:
                stop.client = None
        self._selector.unregister(client.sock)
        client.close()

    def _forget_launches(self, client: Connection) -> None:
        self._launches = [launch for launch in self._launches if launch.client is not client]

    # --- starting ---------------------------------------------------------------------------------------------------

    def _enqueue(self, client: Connection, message: dict[str, Any]) -> None:
        request = int(message["req"])
        for launch in self._launches:
            if launch.client is client and launch.request == request:
                commands = message["commands"]
                if not all(isinstance(command["id"], str) for command in commands):
                    raise ProtocolError("the id of a command must be text")
                launch.commands.extend(commands)
                launch.complete = bool(message["last"])
                return
        raise ProtocolError(f"there is no launch request {request}")

    def _start_some(self) -> None:
        """Start processes for a moment."""
        if not self._launches:
            return
        end = time.monotonic() + SLICE
        started: list[tuple[Job, dict[str, Any]]] = []
        # One signal for all that end meanwhile.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        for launch in self._launches:
            while launch.commands and time.monotonic() < end:
                launch.answers.append(self._start(launch, launch.commands.popleft(), started))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.chdir("/")
        ended = self._ended()
        gone = {job for job, _, _ in ended}
        for job, fields in started:
            # Not earlier: while a process is being loaded, its entry in /proc keeps whoever reads it waiting.
            fields["create_time"] = None if job in gone else processes.create_time(job.pid)
            self._ledger.add("job", fields, job.at)
        for end_of_job in ended:
            self._exit(*end_of_job)

    def _start(
        self, launch: Launch, command: dict[str, Any], started: list[tuple[Job, dict[str, Any]]]
    ) -> dict[str, Any]:
        identifier = ""
        try:
            identifier, argv = command["id"], list(command["argv"])
            cwd, stdout, stderr = command["cwd"], command["stdout"], command["stderr"]
            meta = dict(command["meta"])
            if identifier in self._jobs:
                raise SpawnError(f"a job {identifier!r} has been started before")
            if self._reason:
                raise SpawnError(f"the supervisor ends: {self._reason}")
            pid = launch.spawner.spawn(identifier, argv, command["env"], cwd, stdout, stderr)
        except SpawnError as error:
            return {"id": identifier, "at": time.time(), "error": str(error)}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return {"id": identifier, "at": time.time(), "error": f"the command is malformed: {error!r}"}
        job = Job(identifier, pid, time.time())
        self._jobs[identifier] = self._running[pid] = job
        fields = {
            **meta,
            "id": identifier,
            "native_id": str(pid),
            "pid": pid,
            "supervisor": os.getpid(),
            "host": self._host,
            "argv": argv,
            "cwd": cwd,
            "stdout": stdout,
            "stderr": stderr,
        }
        started.append((job, fields))
        return {"id": identifier, "at": job.at, "pid": pid}

    # --- ends -------------------------------------------------------------------------------------------------------

    def _ended(self) -> list[tuple[Job, int, Any]]:
        """Wait for every child that has ended; return the jobs among them with exit code and resource usage."""
        found: list[tuple[Job, int, Any]] = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            job = self._running.pop(pid, None)
            if job is not None:
                found.append((job, os.waitstatus_to_exitcode(status), usage))

    def _reap(self) -> None:
        """Take note of every child that has ended."""
        for job, returncode, usage in self._ended():
            self._exit(job, returncode, usage)

    def _exit(self, job: Job, returncode: int, usage: Any) -> None:
        at = time.time()
        if returncode < 0:
            reason = f"ended by {processes.signal_name(-returncode)}"
        else:
            reason = f"exit code {returncode}" if returncode else ""
        state = State.COMPLETED if returncode == 0 else State.FAILED
        if job.stopped:
            state, reason = State.CANCELLED, "stopped"
        scale = 1 if sys.platform == "linux" else 1024  # macOS counts bytes
        resources = {"maxrss_kb": usage.ru_maxrss // scale, "utime": usage.ru_utime, "stime": usage.ru_stime}
        job.exited = {
            "id": job.id,
            "returncode": returncode,
            "at": at,
            "reason": reason,
            "usage": resources,
            "stopped": job.stopped,
        }
        self._exits.append(job.exited)
        fields = {"id": job.id, "state": state.value, "returncode": returncode, "reason": reason, "usage": resources}
        self._ledger.add("state", fields, at)
        for stop in self._stops:
            stop.leaders.pop(job.id, None)

    def _begin_stop(
        self, client: Connection | None, request: int, ids: list[str] | None, grace: float, *, final: bool = False
    ) -> None:
        self._cancel(None if ids is None else set(ids))
        # A child that has ended already, without having been waited for, was not stopped by this.
        self._reap()
        chosen = [job for job in map(self._jobs.get, self._jobs if ids is None else ids) if job is not None]
        running = {job.id: job.pid for job in chosen if job.exited is None}
        stop = Stop(client, request, [job.id for job in chosen], running)
        others = set(self._running).difference(running.values())
        members = processes.Membership(
            {pid: job for job, pid in running.items()},
            None if ids is None else set(stop.ids),
            others,
            self._experiment,
            adopter=os.getpid() if ids is None and self._adopts else None,
        )
        # max first: it turns a NaN into 0
        stop.ladder = Ladder(running, members.scan, min(max(0.0, grace), LONGEST_GRACE), self._note_rung)
        stop.final = final
        for job in chosen:
            job.stopped = job.stopped or job.exited is None
        self._stops.append(stop)
        stop.ladder.start(time.monotonic())

    def _cancel(self, ids: set[str] | None) -> None:
        """Give up starting what is queued but to be stopped."""
        for launch in self._launches:
            kept: deque[dict[str, Any]] = deque()
            for command in launch.commands:
                identifier = command.get("id")
                if ids is None or identifier in ids:
                    error = "it was stopped before it was started"
                    launch.answers.append({"id": identifier, "at": time.time(), "error": error})
                else:
                    kept.append(command)
            launch.commands = kept

    def _note_rung(self, job: str, action: str, pids: list[int]) -> None:
        self._ledger.add("rung", {"id": job, "action": action, "pids": pids})

    def _climb(self) -> None:
        now = time.monotonic()
        ended = [stop for stop in self._stops if stop.ladder.climb(now)]
        if ended:
            self._flush()  # the ends themselves are told before the answer
        for stop in ended:
            self._stops.remove(stop)
            self._end_stop(stop)

    def _end_stop(self, stop: Stop) -> None:
        exits = [job.exited for job in map(self._jobs.get, stop.ids) if job is not None and job.exited is not None]
        if stop.client is not None:
            stop.client.queue({"event": "stopped", "req": stop.request, "jobs": exits, "stuck": stop.ladder.stuck})
        if stop.final:
            self._over = True
            for client in self._clients:
                client.parting = True
                client.queue({"event": "bye", "ends": True, "reason": self._reason})

    # --- telling ----------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Write the journal, then tell the clients, so that nobody knows more than the journal."""
        self._ledger.flush()
        for launch in self._launches:
            if launch.answers:
                launch.client.queue({"event": "started", "req": launch.request, "jobs": launch.answers})
                launch.answers = []
        self._launches = [launch for launch in self._launches if launch.commands or not launch.complete]
        if self._exits:
            for client in self._clients:
                if client.welcome:
                    client.queue({"event": "exited", "jobs": self._exits})
            self._exits = []
        ends = self._over or self._idle()
        for client in list(self._clients):
            # Who takes leave of a supervisor that ends sees the connection closed by the end, when all is removed.
            if not client.send() or (client.parting and not client.waiting and not ends):
                self._drop(client)
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waiting else 0)
            if self._selector.get_key(client.sock).events != events:
                self._selector.modify(client.sock, events, client)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _busy(self) -> bool:
        """Say whether there is a reason to live beside the clients."""
        return bool(self._running or self._launches or self._stops or self._ledger.unsettled)

    def _idle(self) -> bool:
        """Say whether nobody needs the supervisor any more."""
        return not self._busy() and all(client.parting for client in self._clients)

    def _finished(self) -> bool:
        """Say whether the supervisor has ended; it has then removed its folder."""
        self._again_at = None
        if any(client.waiting for client in self._clients) or not (self._over or self._idle()):
            return False
        try:
            lock = runtime_dir.Lock(self._folder, create=False, wait=False)
        except BlockingIOError:
            # A driver is about to connect; when it has, or has failed to, this is asked again.
            self._again_at = time.monotonic() + LOCK_PAUSE
            return False
        except runtime_dir.RuntimeDirError:
            self.record_end(self._reason or "nothing left to do")
            return True
        try:
            if self._accept() and not self._over:
                return False
            self.record_end(self._reason or "nothing left to do")
            runtime_dir.remove(self._folder)
            self._listener.close()
            return True
        finally:
            lock.release()

    def record_end(self, reason: str) -> None:
        """Record that and why the supervisor ends."""
        self._ledger.add("supervisor-end", {"pid": os.getpid(), "host": self._host, "reason": reason})
        self._ledger.flush()


def adopt_orphans() -> bool:
    """Become the parent of grandchildren whose parent ends, so that they can be found; say whether that works."""
    if sys.platform != "linux":
        return False
    try:
        import ctypes

        set_child_subreaper = 36
        return bool(ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def main(arguments: list[str]) -> None:
    """Run the supervisor.

    Args:
        arguments: the socket's folder and the experiment's folder. Standard input is the listening socket.
    """
    folder, experiment = arguments
    inherited = [int(name) for name in os.listdir("/dev/fd")]
    for fd in inherited:
        if fd > 2:
            # What a driver leaves open for its children is not meant for us: it would hold pipes and locks open.
            with suppress(OSError):
                os.close(fd)
    listener = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    os.chdir("/")
    server = Server(listener, folder, experiment)
    try:
        server.run()
    except Exception as error:
        server.record_end(f"fault of the supervisor: {error!r}")
        raise
    # Nothing is left to be cleaned up, and a client may be waiting for our end.
    os._exit(0)
