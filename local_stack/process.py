"""One process of the grid: start, wait, stop, kill or freeze it like a container."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local_stack.guardian import Guardian, guarded

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"
_EVERY_INTERFACE = {"": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - not bound here
_LOG_TAIL = 20
_CHECK_INTERVAL_S = 0.05
_guardian = Guardian()

Hurry = Callable[[], bool]
"""Returns whether to stop waiting."""


def never() -> bool:
    """Return False: wait for as long as it takes."""
    return False


class StartError(RuntimeError):
    """A process did not start; the message ends with the last lines of its log, if any."""


class StartInterrupted(Exception):
    """The caller does not want to wait any longer for a process to start."""


class Process:
    """A program in its own session: signals reach all of its processes, and Ctrl-C does not.

    It ends with the process that started it, however that one ends.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        port: int,
        log: Path,
        host: str = LOOPBACK,
        ready_path: str = "/readyz",
    ) -> None:
        """Prepare it; `ready_path` answers 200 once it is ready."""
        self.name = name
        self.host = host
        self.port = port
        self.log_file = log
        self._ready_path = ready_path
        self._command = list(command)
        self._env = dict(env)
        self._popen: subprocess.Popen[bytes] | None = None
        # None once all of it is gone: the ID may be reused then.
        self._group: int | None = None
        self._log_begins = 0  # offset of this run's lines in its log, bytes

    @property
    def url(self) -> str:
        """Its URL, as seen from this machine."""
        host = self._reachable_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def _reachable_host(self) -> str:
        return _EVERY_INTERFACE.get(self.host, self.host)

    @property
    def pid(self) -> int:
        """Process ID of the program (gunicorn's master)."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it; `wait_until` waits until it is ready.

        Raises:
            StartError: its log cannot be written, or the program cannot be run.
        """
        try:
            with self.log_file.open("ab") as log:
                self._log_begins = log.tell()
                self._popen = subprocess.Popen(  # noqa: S603 - the grid's own programs
                    guarded(self._command),
                    cwd=ROOT,
                    env=self._env,
                    stdin=_guardian.pipe(),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._group = self._popen.pid
        except OSError as error:
            raise StartError(f"{self.name} cannot be started: {error}") from None

    @property
    def ending(self) -> str:
        """How it ended: its exit status, or the signal that killed it."""
        status = self._running().poll()
        if status is None:
            return "runs"
        if status >= 0:
            return f"ended with exit status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:  # a real-time signal has no name
            return f"was killed by signal {-status}"

    def wait_until(
        self, ready: Callable[[], str | None], timeout_s: float, hurry: Hurry = never
    ) -> None:
        """Wait until `ready` returns None; until then it returns what is missing.

        Raises:
            StartError: the process ended, or the timeout expired.
            StartInterrupted: `hurry` returned True.
        """
        deadline = time.monotonic() + timeout_s
        while (missing := ready()) is not None:
            if hurry():
                raise StartInterrupted
            if not self.running:
                raise StartError(f"{self.name} ended at its start:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{self.name} is not ready after {timeout_s:g} s: {missing}\n{self.log_tail()}"
                )
            time.sleep(_CHECK_INTERVAL_S)

    def get(self, path: str, timeout_s: float = 2) -> bytes:
        """Return the body of `GET path`, without the environment's proxy.

        Raises:
            OSError: there is no response in time, or not with 200.
        """
        connection = http.client.HTTPConnection(self._reachable_host, self.port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"{response.status} {body[:200]!r}")
        return body

    def answers(self, path: str) -> str | None:
        """Return None if `GET path` answers 200, otherwise what it does instead."""
        try:
            self.get(path)
        except OSError as error:
            return f"GET {path}: {error}"
        return None

    def missing(self) -> str | None:
        """Return None if it is ready, otherwise what is missing."""
        return self.answers(self._ready_path)

    def stop(self, timeout_s: float = 90, hurry: Hurry = never) -> int:
        """Send SIGTERM, as `docker stop` does: it drains, then ends. Return its exit status.

        It is killed if `hurry` returns True, or after `timeout_s` seconds.

        Raises:
            TimeoutExpired: it had to be killed after `timeout_s`.
        """
        popen = self._running()
        popen.terminate()
        deadline = time.monotonic() + timeout_s
        while popen.poll() is None and not hurry():
            if time.monotonic() > deadline:
                self.kill()
                raise subprocess.TimeoutExpired(self._command, timeout_s)
            with suppress(subprocess.TimeoutExpired):
                popen.wait(_CHECK_INTERVAL_S)
        self.kill()
        return popen.wait()

    def kill(self) -> None:
        """Send SIGKILL to all of it, including what its program left behind when it ended."""
        self._signal(signal.SIGKILL)
        if self._popen is not None and self._group is not None:
            self._popen.wait()
            _guardian.release(self._group)
            self._group = None

    def freeze(self) -> None:
        """Send SIGSTOP to all of it: connections stay open, nothing responds."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Send SIGCONT to all of it."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it gracefully and start it again; `wait_until` waits until it is ready."""
        if self.running:
            self.stop()
        self.start()

    def log_tail(self) -> str:
        """Return the last lines that it logged since its start, or why they cannot be read."""
        try:
            return "\n".join(self.log_lines()[-_LOG_TAIL:])
        except OSError as error:  # the log was removed
            return f"({error})"

    def log_lines(self) -> list[str]:
        """Return the lines that it logged since its start.

        Raises:
            OSError: the log cannot be read.
        """
        with self.log_file.open("rb") as log:
            log.seek(self._log_begins)
            return log.read().decode(errors="replace").splitlines()

    def _signal(self, number: signal.Signals) -> None:
        if self._group is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._group, number)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._popen


def service(
    name: str,
    module: str,
    *,
    env: Mapping[str, str],
    port: int,
    log: Path,
    host: str = LOOPBACK,
) -> Process:
    """Prepare a service of the grid; `env` is added to this process' environment."""
    return Process(
        name,
        [sys.executable, "-m", module],
        env={
            **os.environ,
            "LOG_FORMAT": "json",
            **env,
            "BIND_HOST": host,
            "PORT": str(port),
        },
        port=port,
        log=log,
        host=host,
    )
