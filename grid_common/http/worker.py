"""The process that holds the state: gunicorn's worker, with one greenlet per connection."""

from __future__ import annotations

import importlib.metadata
import math
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from grid_common.http.connection import Connection
from grid_common.http.sockets import notice_a_vanished_peer

if TYPE_CHECKING:
    from types import FrameType

    from grid_common.http.application import Application

# After the drain a worker listens this much longer, so that callers whose request is on its way
# still learn that it is draining, seconds.
_LINGER_S = 0.2
# gunicorn kills a worker this long after the deadline of its drain, seconds.
MARGIN_S = 2
_HEARTBEAT_S = 1.0
# Otherwise each greenlet keeps the stack of where it was spawned: 1 KB for every connection.
gevent.config.track_greenlet_tree = False
# Signals that the worker ignores: its master handles them, or nobody does. By default some would
# end it with all requests in flight, and some would stop it.
_IGNORED = {
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
}
# Until the worker installs its own handlers it has those of gunicorn's master, which would swallow
# these signals, or none, and would be killed. So they are blocked across the fork until then.
HELD_BACK = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, *_IGNORED}


class DrainingWorker(GeventWorker):
    """A gevent worker that loses no request on SIGTERM."""

    def patch(self) -> None:
        """Patch the standard library; what other packages add to that is looked up once.

        gevent looks it up 25 times, and each time Python reads a file of every installed package:
        half of the CPU time that a worker takes to start.
        """
        metadata: Any = importlib.metadata
        look_up, installed = metadata.entry_points, metadata.entry_points()
        metadata.entry_points = lambda **wanted: installed.select(**wanted)
        try:
            super().patch()
        finally:
            metadata.entry_points = look_up

    def init_signals(self) -> None:
        """Handle signals from here on, including those that arrived since the fork."""
        self._stopping = Event()  # before installing the handler that sets it
        super().init_signals()
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)

    def run(self) -> None:
        """Serve until told to stop, then until the last request has ended."""
        # A greenlet that runs out of memory would leave others waiting: end the process instead.
        hub = gevent.get_hub()
        hub.SYSTEM_ERROR = (*hub.SYSTEM_ERROR, MemoryError)
        self._connections: set[Connection] = set()
        pool = Pool(self.worker_connections)
        self._app = cast("Application", self.wsgi)
        self._app.allow_connections(self.worker_connections)
        servers: list[StreamServer] = []
        for sock in self.sockets:
            # Responses are small and awaited: never delay one to fill a packet. Accepted
            # connections inherit this, and the next option.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            notice_a_vanished_peer(sock)
            sock.setblocking(False)
            server = StreamServer(sock, handle=self._serve, spawn=pool)
            server.start()
            servers.append(server)
        beat = gevent.spawn(self._beat, pool)
        self._stopping.wait()
        self._drain()
        self.alive = False
        if self._app.leaves_at_once:
            return
        for server in servers:
            server.close()
        # Idle connections end here. So do requests that outlast the drain, as after any disconnect.
        for connection in list(self._connections):
            connection.disconnect()
        pool.join(timeout=_LINGER_S)
        beat.kill()

    def _serve(self, client: socket.socket, address: tuple[Any, ...]) -> None:
        connection = Connection(client, address, self._app)
        self._connections.add(connection)
        try:
            connection.serve()
        finally:
            self._connections.discard(connection)

    def _drain(self) -> None:
        drain = self._app.drain
        drain.begin()
        if not drain.wait_idle(max(0, self.cfg.graceful_timeout - MARGIN_S - _LINGER_S)):
            self.log.warning("%d requests in flight at the end of the drain", drain.in_flight)
        gevent.sleep(_LINGER_S)

    def _beat(self, pool: Pool) -> None:
        """Notify gunicorn that the worker is alive, and disconnect overdue callers."""
        now, was_late = time.monotonic(), False
        while True:
            self.notify()
            before, now = now, time.monotonic()
            # After a freeze, read what arrived meanwhile before anyone counts as overdue.
            is_late = now - before > 2 * _HEARTBEAT_S
            if was_late or not is_late:
                self._disconnect_on_overdue(now, make_room=pool.full())
            was_late = is_late
            gevent.sleep(_HEARTBEAT_S)

    def _disconnect_on_overdue(self, now: float, *, make_room: bool) -> None:
        for connection in list(self._connections):
            if connection.due < now:
                connection.disconnect()
        if make_room:
            self._make_room()

    def _make_room(self) -> None:
        """Disconnect a quarter of the callers that have no request in progress, earliest due first.

        Otherwise a client could keep everyone out by opening many silent connections.
        """
        waiting = [one for one in self._connections if one.due < math.inf]
        for connection in sorted(waiting, key=lambda one: one.due)[: math.ceil(len(waiting) / 4)]:
            connection.disconnect()

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002 - gunicorn's signature
        """Begin to drain on SIGTERM."""
        self._stopping.set()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Leave at once on SIGINT or SIGQUIT, which disconnects all callers.

        Only once: on Ctrl-C the terminal signals all processes, and gunicorn's master then its
        worker again.
        """
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: None)  # SIG_IGN fails if one is already pending
        super().handle_quit(sig, frame)

    def handle_abort(self, sig: int, frame: object) -> None:  # noqa: ARG002 - gunicorn's signature
        """Stay alive if gunicorn takes this process for hung after both were frozen.

        A process that really hangs stays silent after this, and is killed.
        """
        self.notify()
