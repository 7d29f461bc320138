"""The server of every Flask app: gunicorn with one gevent worker.

One worker, because gauges and the balancer's state live in one process; a service scales with
containers. On SIGTERM the worker drains: it keeps listening to report that it drains, finishes its
vehicles, and then exits.
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

from grid_common.http.application import Application
from grid_common.http.supervisor import Supervisor
from grid_common.http.url import in_url
from grid_common.http.worker import HELD_BACK, MARGIN_S
from grid_common.logs import configure_logs
from grid_common.open_files import TooFewFiles, make_room
from grid_common.settings import ServiceSettings, in_use_by_old_name, misspelt


class _ThroughOurLog(GunicornLogger):
    """Sends gunicorn's own messages to the service's log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Server(BaseApplication):
    """gunicorn with the grid's configuration, the same with and without containers."""

    def __init__(
        self, service: str, settings: ServiceSettings, create_app: Callable[[], Application]
    ) -> None:
        """Prepare to serve; `run` serves until SIGTERM. `create_app` is called in the worker.

        Exits with status 2 if the limit on open files is too low.
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
        gc.freeze()  # loaded modules stay; a collection in the worker would copy all their pages
        atexit.register(gc.unfreeze)  # the interpreter shuts down in its own order
        Supervisor(self).run()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        settings = self._settings
        for name, value in {
            "bind": f"{in_url(settings.bind_host)}:{settings.port}",
            "worker_class": "grid_common.http.worker.DrainingWorker",
            "workers": 1,
            "worker_connections": self._connections,
            "backlog": 4096,
            "graceful_timeout": math.ceil(settings.drain_timeout) + MARGIN_S,
            "timeout": 30,
            # The heartbeat file belongs in memory: a slow disk must not make a worker look hung.
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108 - not for files that others could plant
            "logger_class": _ThroughOurLog,
            "loglevel": "warning",
            "control_socket_disable": True,
            "worker_exit": _at_exit,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the app in the worker, after gevent has patched the standard library."""
        app = self._create_app()
        _collect_rarely()
        return app


def _at_exit(_master: Any, worker: Any) -> None:
    """Run the app's exit functions, unless the app failed to start."""
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
    """Run the garbage collector rarely, because a collection pauses the service.

    With thousands of vehicles in flight a full collection takes up to half a second, and by default
    one runs each time their number grows by a quarter. It would find next to nothing: a charge
    leaves no reference cycle, and those of werkzeug's router, for paths with variables, are
    collected young.
    """
    gc.collect()
    gc.freeze()  # the app's own objects stay for good
    gc.set_threshold(5_000, 10, 100)
