"""gunicorn's master process, restricted to exactly one worker.

A second worker would have a state of its own, which contradicts that of the first. gunicorn
starts more on SIGTTIN, and a new one next to the old on SIGHUP and SIGUSR2.
"""

import sys
from typing import Any, cast

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

_WHY = {
    "SIGHUP": "settings are read at start; restart the service to change them",
    "SIGUSR1": "there is no log file to reopen; the log goes to stdout",
    "SIGUSR2": "one process holds the state; restart the service to replace it",
    "SIGTTIN": "one process holds the state; scale with more containers",
    "SIGTTOU": "one process holds the state",
}


class Supervisor(Arbiter):
    """Starts the worker, replaces it if it ends, and stops it."""

    def __init__(self, app: Any) -> None:
        """Prepare; `run` does the rest."""
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
        self._pass_over("SIGHUP")

    def handle_usr1(self) -> None:
        """Ignore the request to reopen logs."""
        self._pass_over("SIGUSR1")

    def handle_usr2(self) -> None:
        """Ignore the request for another master."""
        self._pass_over("SIGUSR2")

    def handle_ttin(self) -> None:
        """Ignore the request for one more worker."""
        self._pass_over("SIGTTIN")

    def handle_ttou(self) -> None:
        """Ignore the request for one worker fewer."""
        self._pass_over("SIGTTOU")

    def handle_winch(self) -> None:
        """Ignore the request to stop the worker: resizing a terminal sends SIGWINCH, too."""

    def _pass_over(self, name: str) -> None:
        cast("Logger", self.log).warning("%s ignored: %s", name, _WHY[name])
