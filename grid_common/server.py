"""The server in front of every Flask app: gunicorn with one gevent worker.

One worker, because gauges and the balancer's state live in one process; a service grows by
containers. SIGTERM drains: the worker goes on listening, so that it can say that it drains,
finishes the vehicles it has, and then leaves.
"""

import atexit
import gc
import math
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger as GunicornLogger

from grid_common.http.supervisor import Supervisor
from grid_common.http.url import in_url
from grid_common.http.worker import HELD_BACK, MARGIN_S
from grid_common.logs import configure_logs
from grid_common.open_files import TooFewFiles, make_room
from grid_common.settings import ServiceSettings, in_use_by_old_name, misspelt


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

        Exits with status 2 where too few files may be open.
        """
        try:
            self._connections = make_room(
                least=settings.least_connections, wanted=settings.max_connections
            )
        except TooFewFiles as error:
            sys.stderr.write(f"{service}: {error}\n")
            sys.exit(2)
        log = configure_logs(service, settings)
        for name, meant in misspelt(type(settings), os.environ).items():
            log.warning("setting not known", name=name, did_you_mean=meant)
        for old, now in in_use_by_old_name(type(settings), os.environ).items():
            log.warning("setting renamed", name=old, use=now)
        self._settings = settings
        self._create_app = create_app
        super().__init__()

    def run(self) -> None:
        """Serve until SIGTERM."""
        os.register_at_fork(
            before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK),
            after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK),
        )
        gc.freeze()  # what is loaded stays; a worker that collects would take a copy of all of it
        atexit.register(gc.unfreeze)  # the interpreter takes everything apart in its own order
        Supervisor(self).run()

    def load_config(self) -> None:
        """Tell gunicorn its settings."""
        settings = self._settings
        for name, value in {
            "bind": f"{in_url(settings.bind_host)}:{settings.port}",
            "worker_class": "grid_common.http.worker.DrainingWorker",
            "workers": 1,
            "worker_connections": self._connections,
            "backlog": 4096,
            "graceful_timeout": math.ceil(settings.drain_timeout) + MARGIN_S,
            "timeout": 30,
            # The heartbeat file belongs in memory: a slow disk must not look like a hung worker.
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
            "logger_class": _ThroughOurLog,
            "loglevel": "warning",
            "control_socket_disable": True,
            "worker_exit": _at_exit,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the app, in the worker, once gevent has patched the standard library."""
        app = self._create_app()
        _collect_rarely()
        return app


def _at_exit(_master: Any, worker: Any) -> None:
    """Have the app do what is to be done at its end, unless it did not come to be."""
    app = getattr(worker, "wsgi", None)
    if app is None:
        return
    for last in app.at_exit:
        last()
    ending = sys.exc_info()[1]
    if app.leaves_at_once and isinstance(ending, SystemExit) and not ending.code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _collect_rarely() -> None:
    """Keep the garbage collector from stopping the service to look at all that it holds.

    With thousands of vehicles in flight a full collection takes up to half a second, and by default
    one comes with each quarter more of them. There is next to nothing for it to find: a charge
    leaves no cycle behind, and those of werkzeug's router, where a path has variables, die young.
    """
    gc.collect()
    gc.freeze()  # what the app is made of stays for good
    gc.set_threshold(5_000, 10, 100)
