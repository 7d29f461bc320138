"""gunicorn's master, which keeps one worker whatever it is told.

A second one would have a state of its own: vehicles that do not know of each other, on points that
are taken. gunicorn starts more on SIGTTIN, and a new one beside the old on SIGHUP and SIGUSR2.
"""

import sys
from typing import Any, cast

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

__all__ = ["Supervisor"]

_WHY = {
    "SIGHUP": "settings are read at start; restart the service to change them",
    "SIGUSR1": "there is no log file to open again; the log goes to stdout",
    "SIGUSR2": "one process holds the state; restart the service to renew it",
    "SIGTTIN": "one process holds the state; a service grows by containers",
    "SIGTTOU": "one process holds the state",
}


class Supervisor(Arbiter):
    """Starts the worker, starts another when it has ended, and stops it."""

    def __init__(self, app: Any) -> None:
        """Prepare; `run` does all of it."""
        super().__init__(app)
        # Asked now: one that was closed is none any more.
        self._has_terminal = sys.stdin is not None and sys.stdin.isatty()

    def start(self) -> None:
        """Listen; where that cannot be, name the settings that would mend it, and exit."""
        try:
            super().start()
        except SystemExit:
            host, port = cast("tuple[str, int]", self.address[0])  # the one that the server set
            cast("Logger", self.log).error(
                "cannot listen on %s port %s: stop what listens there, or set PORT (or BIND_HOST, "
                "where this machine has no such address)",
                host,
                port,
            )
            raise

    def handle_hup(self) -> None:
        """Stop as on SIGTERM where a terminal was closed; elsewhere it would mean a reload."""
        if self._has_terminal:
            self.handle_term()
        self._pass_over("SIGHUP")

    def handle_usr1(self) -> None:
        """Pass over the request to open logs again."""
        self._pass_over("SIGUSR1")

    def handle_usr2(self) -> None:
        """Pass over the request for another master."""
        self._pass_over("SIGUSR2")

    def handle_ttin(self) -> None:
        """Pass over the request for one worker more."""
        self._pass_over("SIGTTIN")

    def handle_ttou(self) -> None:
        """Pass over the request for one worker less."""
        self._pass_over("SIGTTOU")

    def handle_winch(self) -> None:
        """Pass over the request to stop the worker, which a terminal's change of size also is."""

    def _pass_over(self, name: str) -> None:
        cast("Logger", self.log).warning("%s is passed over: %s", name, _WHY[name])
