"""gunicorn's master process, restricted to exactly one worker.

A second worker would have a state of its own, which contradicts that of the first. gunicorn
starts more on SIGTTIN, and a new one next to the old on SIGHUP and SIGUSR2.
"""

import sys
from collections.abc import Callable
from typing import Any, cast

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger


def _ignored(name: str, why: str) -> Callable[[Arbiter], None]:
    """Return a handler that only logs its signal."""

    def handle(arbiter: Arbiter) -> None:
        cast("Logger", arbiter.log).warning("%s ignored: %s", name, why)

    return handle


_ignore_hup = _ignored("SIGHUP", "settings are read at start; restart the service to change them")


class Supervisor(Arbiter):
    """Starts the worker, replaces it if it ends, and stops it."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        # Checked now: a terminal that was closed is not recognized as one.
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()

    def start(self) -> None:
        """Listen. On failure, log the settings that would fix it, and exit."""
        try:
            super().start()
        except SystemExit:
            host, port = cast("tuple[str, int]", self.address[0])  # the one that the server set
            cast("Logger", self.log).error(
                "cannot listen on %s port %s: stop the process that uses the port, or set PORT (or "
                "BIND_HOST, if this machine does not have that address)",
                host,
                port,
            )
            raise

    def handle_hup(self) -> None:
        """Stop as on SIGTERM if a terminal was closed; otherwise ignore the request to reload."""
        if self._has_terminal:
            self.handle_term()
        _ignore_hup(self)

    handle_usr1 = _ignored("SIGUSR1", "there is no log file to reopen; the log goes to stdout")
    handle_usr2 = _ignored(
        "SIGUSR2", "one process holds the state; restart the service to replace it"
    )
    handle_ttin = _ignored("SIGTTIN", "one process holds the state; scale with more containers")
    handle_ttou = _ignored("SIGTTOU", "one process holds the state")

    def handle_winch(self) -> None:
        """Ignore the request to stop the worker: resizing a terminal sends SIGWINCH, too."""
