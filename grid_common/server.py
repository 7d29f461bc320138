"""The server in front of every Flask app: gunicorn with one gevent worker.

One worker, because gauges and the balancer's state live in one process; a service grows by
containers. SIGTERM drains: the worker goes on listening, so that it can say that it drains,
finishes the vehicles it has, and then leaves.
"""

from __future__ import annotations

import atexit
import gc
import math
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.workers.ggevent import GeventWorker

from grid_common.http_connection import Connection
from grid_common.http_url import in_url
from grid_common.keepalive import notice_a_vanished_peer
from grid_common.logs import configure_logs
from grid_common.settings import ServiceSettings

if TYPE_CHECKING:
    from types import FrameType

    from grid_common.web import ServiceApp

# A worker that drained listens this much longer, so that callers whose request is just on its way
# still read that it drains, seconds.
_LINGER_S = 0.2
# gunicorn kills a worker this much later than its drain had to end, seconds.
_MARGIN_S = 2
_HEARTBEAT_S = 1.0
# What tells a worker to stop. Until it has handlers of its own it has those of gunicorn's master,
# which would swallow these and leave it serving: so they are held back from its fork until then.
_STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
# Files that a service has open beside those of its callers: its door, its log, its polls.
_OTHER_FILES = 100


class DrainingWorker(GeventWorker):
    """A gevent worker whose SIGTERM loses no vehicle."""

    def init_signals(self) -> None:
        """Take signals from here on, and those that came since the fork."""
        self._stopping = Event()  # before the handler that sets it
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)

    def run(self) -> None:
        """Serve until told to stop, then until the last vehicle has left."""
        # A greenlet that runs out of memory leaves others waiting: let it end the process instead.
        hub = gevent.get_hub()
        hub.SYSTEM_ERROR = (*hub.SYSTEM_ERROR, MemoryError)
        self._connections: set[Connection] = set()
        pool = Pool(self.worker_connections)
        servers: list[StreamServer] = []
        for sock in self.sockets:
            # Answers are small and waited for: never hold one back to fill a packet (inherited by
            # accepted connections, as the next is).
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
        for server in servers:
            server.close()
        # Idle connections end here; so do vehicles that outlasted the drain, whose points are freed
        # as by any hang-up.
        for connection in list(self._connections):
            connection.hang_up()
        pool.join(timeout=_LINGER_S)
        beat.kill()

    @property
    def app_served(self) -> ServiceApp:
        """The service's app."""
        return cast("ServiceApp", self.wsgi)

    def _serve(self, client: socket.socket, address: tuple[Any, ...]) -> None:
        app = self.app_served
        connection = Connection(
            client,
            address,
            app,
            body_limit=app.config["MAX_CONTENT_LENGTH"],
            # Kept alive, a connection would hold its caller to a service that drains.
            is_ending=lambda: app.drain.active,
            note_refused=app.malformed.note,
        )
        self._connections.add(connection)
        try:
            connection.serve()
        finally:
            self._connections.discard(connection)

    def _drain(self) -> None:
        drain = self.app_served.drain
        drain.begin()
        if not drain.wait_idle(max(0, self.cfg.graceful_timeout - _MARGIN_S - _LINGER_S)):
            self.log.warning("%d vehicles still charging at the end of the drain", drain.in_hand)
        gevent.sleep(_LINGER_S)

    def _beat(self, pool: Pool) -> None:
        """Tell gunicorn that all is well, and hang up on callers that are overdue."""
        now, was_late = time.monotonic(), False
        while True:
            self.notify()
            before, now = now, time.monotonic()
            # After a freeze, what came meanwhile is read before anyone counts as overdue.
            is_late = now - before > 2 * _HEARTBEAT_S
            if was_late or not is_late:
                self._hang_up_on_overdue(now, make_room=pool.full())
            was_late = is_late
            gevent.sleep(_HEARTBEAT_S)

    def _hang_up_on_overdue(self, now: float, *, make_room: bool) -> None:
        for connection in list(self._connections):
            if connection.due < now:
                connection.hang_up()
        if make_room:
            self._make_room()

    def _make_room(self) -> None:
        """Hang up on a quarter of the callers for whom nothing is being done, the first due first.

        Else whoever opens enough connections, and says nothing, keeps all vehicles out.
        """
        waiting = [one for one in self._connections if one.due < math.inf]
        for connection in sorted(waiting, key=lambda one: one.due)[: math.ceil(len(waiting) / 4)]:
            connection.hang_up()

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002 - gunicorn's signature
        """Begin to drain on SIGTERM."""
        self._stopping.set()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Leave at once on SIGINT or SIGQUIT: who charges here is hung up on.

        Once: of a Ctrl-C the terminal tells all processes, and gunicorn's master then its worker.
        """
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: None)  # SIG_IGN complains of one that is on its way
        super().handle_quit(sig, frame)

    def handle_abort(self, sig: int, frame: object) -> None:  # noqa: ARG002 - gunicorn's signature
        """Live on where gunicorn takes this process for hung, for it was frozen with it.

        One that is hung stays silent after this, and is killed.
        """
        self.notify()


class _ThroughOurLog(GunicornLogger):
    """Gunicorn's own messages, handed to the one log of the service."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Server(BaseApplication):
    """Gunicorn with the grid's configuration, which is the same in containers and without."""

    def __init__(
        self, service: str, settings: ServiceSettings, create_app: Callable[[], Any]
    ) -> None:
        """Prepare to serve; `run` does, until SIGTERM.

        Args:
            service: the name that the log uses.
            settings: where to listen, and the rest.
            create_app: builds the Flask app; called in the worker.
        """
        configure_logs(service, settings)
        self._settings = settings
        self._create_app = create_app
        super().__init__()

    def run(self) -> None:
        """Serve until SIGTERM."""
        os.register_at_fork(
            before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS),
            after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS),
        )
        gc.freeze()  # what is loaded stays; a worker that collects would take a copy of all of it
        atexit.register(gc.unfreeze)  # the interpreter takes everything apart in its own order
        super().run()

    def load_config(self) -> None:
        """Tell gunicorn its settings."""
        settings = self._settings
        for name, value in {
            "bind": f"{in_url(settings.bind_host)}:{settings.port}",
            "worker_class": "grid_common.server.DrainingWorker",
            "workers": 1,
            "worker_connections": _allowed_connections(settings.max_connections),
            "backlog": 4096,
            "graceful_timeout": math.ceil(settings.drain_timeout) + _MARGIN_S,
            "timeout": 30,
            # The heartbeat file belongs in memory: a slow disk must not look like a hung worker.
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
            "logger_class": _ThroughOurLog,
            "loglevel": "warning",
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the app, in the worker, once gevent has patched the standard library."""
        app = self._create_app()
        _collect_rarely()
        return app


def _collect_rarely() -> None:
    """Keep the garbage collector from stopping the service to look at all that it holds.

    With thousands of vehicles in hand a full collection takes up to half a second, and by default
    one comes with each quarter more of them. There is next to nothing for it to find: a charge
    leaves no cycle behind, and those of werkzeug's router, where a path has variables, die young.
    """
    gc.collect()
    gc.freeze()  # what the app is made of stays for good
    gc.set_threshold(5_000, 10, 100)


def _allowed_connections(wanted: int) -> int:
    """Have as many files open as connections need, where that is allowed; return how many fit.

    A vehicle takes two: to its caller, and to the next hop. A service that accepts callers until it
    has no file left can send no vehicle on.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(1, min(wanted, (files - _OTHER_FILES) // 2))
