"""The server in front of every Flask app: gunicorn with one gevent worker.

One worker, because gauges and the balancer's state live in one process; a service grows by
containers. SIGTERM drains: the worker goes on listening, so that it can say that it drains,
finishes the vehicles it has, and then leaves.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.workers.ggevent import GeventWorker

from grid_common.logs import configure_logs
from grid_common.settings import ServiceSettings

if TYPE_CHECKING:
    from grid_common.drain import Drain
    from grid_common.web import ServiceApp

# A worker that drained listens this much longer, so that callers whose request is just on its way
# still read that it drains, seconds.
_LINGER_S = 0.2
_HEARTBEAT_S = 1.0
# How long a connection may stay without a (whole) request before it is closed, seconds.
KEEPALIVE_S = 75


class DrainingWorker(GeventWorker):
    """A gevent worker whose SIGTERM loses no vehicle."""

    def run(self) -> None:
        """Serve until told to stop, then until the last vehicle has left."""
        self._stopping = Event()
        self._clients: set[socket.socket] = set()
        servers: list[tuple[StreamServer, Pool]] = []
        for sock in self.sockets:
            # Answers are small and waited for: never hold one back to fill a packet (inherited by
            # accepted connections). Keep-alive probes find callers whose machine has vanished.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setblocking(False)
            pool = Pool(self.worker_connections)
            server = StreamServer(sock, handle=partial(self.handle, sock), spawn=pool)
            server.start()
            servers.append((server, pool))
        while not self._stopping.wait(_HEARTBEAT_S):
            self.notify()
        gevent.spawn(self._beat)
        self._drain()
        self.alive = False
        for server, _ in servers:
            server.close()
        for client in list(self._clients):
            # Idle connections end here; so do vehicles that outlasted the drain, whose points are
            # freed as by any hang-up.
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for _, pool in servers:
            pool.join(timeout=_LINGER_S)

    def handle(self, listener: socket.socket, client: socket.socket, addr: Any) -> None:
        """Serve one connection."""
        self._clients.add(client)
        try:
            super().handle(listener, client, addr)
        finally:
            self._clients.discard(client)

    @property
    def drain(self) -> Drain:
        """The app's count of vehicles in hand."""
        return cast("ServiceApp", self.wsgi).drain

    def _drain(self) -> None:
        drain = self.drain
        drain.begin()
        if not drain.wait_idle(max(0, self.cfg.graceful_timeout - _LINGER_S)):
            self.log.warning("%d vehicles still charging at the end of the drain", drain.in_hand)
        gevent.sleep(_LINGER_S)

    def _beat(self) -> None:
        while True:
            self.notify()
            gevent.sleep(_HEARTBEAT_S)

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002 - gunicorn's signature
        """Begin to drain on SIGTERM."""
        self._stopping.set()


def _close_while_draining(worker: DrainingWorker, request: Any) -> None:
    """Close each connection after its answer: kept alive, it would hold callers to this service."""
    if worker.drain.active:
        request.force_close()


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

    def load_config(self) -> None:
        """Tell gunicorn its settings."""
        settings = self._settings
        for name, value in {
            "bind": f"{settings.bind_host}:{settings.port}",
            "worker_class": "grid_common.server.DrainingWorker",
            "workers": 1,
            "worker_connections": settings.max_connections,
            "backlog": 4096,
            "keepalive": KEEPALIVE_S,
            "graceful_timeout": math.ceil(settings.drain_timeout),
            "timeout": 30,
            # No proxy stands before any service, so nobody may speak for another caller.
            "forwarded_allow_ips": "",
            # The heartbeat file belongs in memory: a slow disk must not look like a hung worker.
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
            "logger_class": _ThroughOurLog,
            "loglevel": "warning",
            "pre_request": _close_while_draining,
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the app, in the worker, once gevent has patched the standard library."""
        return self._create_app()
