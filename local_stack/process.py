"""One process of the grid: started, waited for, and stopped, killed or frozen like a container."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LOG_TAIL = 20


class StartError(RuntimeError):
    """A process did not come up; the message ends with the last lines of its log, if it has one."""


class Process:
    """A program in a session of its own, so that signals reach it whole and Ctrl-C does not."""

    def __init__(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], port: int, log: Path
    ) -> None:
        self.name = name
        self.port = port
        self.log_file = log
        self._command = list(command)
        self._env = dict(env)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the program (gunicorn's master)."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it; `wait_until` tells when it can be used.

        Raises:
            StartError: its log cannot be written, or the program cannot be run.
        """
        try:
            with self.log_file.open("ab") as log:
                self._popen = subprocess.Popen(  # noqa: S603 - the grid's own programs
                    self._command,
                    cwd=ROOT,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"{self.name} cannot be started: {error}") from None

    def wait_until(self, ready: Callable[[], str | None], timeout_s: float) -> None:
        """Wait until `ready` returns None; what it returns otherwise says what is missing.

        Raises:
            StartError: the process ended, or the time is over.
        """
        deadline = time.monotonic() + timeout_s
        while (missing := ready()) is not None:
            if not self.running:
                raise StartError(f"{self.name} ended at its start:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{self.name} is not ready after {timeout_s:g} s: {missing}\n{self.log_tail()}"
                )
            time.sleep(0.05)

    def answers(self, path: str) -> str | None:
        """Return None when `GET path` answers 200, or what it does instead."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            return f"GET {path}: {error}"
        finally:
            connection.close()
        return None if response.status == 200 else f"GET {path}: {response.status} {body[:200]!r}"

    def stop(self, timeout_s: float = 90) -> int:
        """SIGTERM, as `docker stop`: it drains, then ends. Returns its exit status."""
        popen = self._running()
        popen.terminate()
        try:
            return popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._signal(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()

    def freeze(self) -> None:
        """SIGSTOP to all of it: connections stand, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to all of it."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it gracefully and start it again; `wait_until` tells when it can be used."""
        if self.running:
            self.stop()
        self.start()

    def log_tail(self) -> str:
        """Return the last lines that it logged."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL:])

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._popen


def service(name: str, module: str, *, env: Mapping[str, str], port: int, log: Path) -> Process:
    """Prepare a service of the grid on loopback; `env` comes on top of this process' own."""
    return Process(
        name,
        [sys.executable, "-m", module],
        env={
            **os.environ,
            "LOG_FORMAT": "json",
            **env,
            "BIND_HOST": "127.0.0.1",
            "PORT": str(port),
        },
        port=port,
        log=log,
    )
