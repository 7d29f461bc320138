"""A private PostgreSQL server, if the programs are installed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from local_stack.process import StartError

# It refuses to run as root.
_USER = "nobody"
_START_TIMEOUT_S = 60
_DEATH_TIMEOUT_S = 10.0
_CHECK_INTERVAL_S = 0.02
_LOG_TAIL = 20
# States of proc(5): dead (Z: not reaped by its parent yet).
_ENDED = ("Z", "X", None)
_STILL = ("T", *_ENDED)


def find_programs() -> Path | None:
    """Return the directory of the newest installed server's programs, or None."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


class PostgreSQL:
    """A server that listens on a socket in its own directory."""

    def __init__(self, programs: Path, folder: Path | None = None) -> None:
        """Create a server from the directory of its programs.

        Its data, log and socket are in `folder`, which needs a short path; None: a temporary one.
        """
        self._programs = programs
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        else:
            folder.mkdir()
        self._folder = folder
        self.log_file = folder / "log"
        self._user = _USER if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        self._data = self._folder / "data"
        self._databases = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "ledger")

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        with self.log_file.open("ab") as log:
            self._server = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
                [
                    *(self._programs / "postgres", "-D", self._data),
                    *("-c", "listen_addresses=", "-k", self._folder),
                    # After a crash: one call instead of one for each of a thousand files.
                    *("-c", "recovery_init_sync_method=syncfs"),
                ],
                user=self._user,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start:\n{self.log_tail()}")
            time.sleep(_CHECK_INTERVAL_S)

    def stop(self, how: str = "fast") -> None:
        """Stop it; `immediate` is equivalent to a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-m", how, "stop")
        if self._server is not None:
            self._server.wait(_START_TIMEOUT_S)

    def kill(self) -> None:
        """Kill the server and its helpers, and wait until they are gone.

        Before that, a new server would take the data for that of a running one.
        """
        server = self._server
        if server is None or server.poll() is not None:
            return
        server.send_signal(signal.SIGSTOP)  # so that it starts no more helpers
        _wait_for(lambda: _state(server.pid) in _STILL)
        helpers = self._helpers()
        for pid in (server.pid, *helpers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait()
        _wait_for(lambda: all(_state(pid) in _ENDED for pid in helpers))

    def freeze(self) -> None:
        """Stop its execution; whatever it has confirmed stays confirmed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop it, and delete its directory."""
        self.kill()
        shutil.rmtree(self._folder)

    def log_tail(self) -> str:
        """Return the last lines of its log."""
        text = self.log_file.read_text(errors="replace")
        return "\n".join(text.splitlines()[-_LOG_TAIL:])

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        self._databases += 1
        name = f"ledger{self._databases}"
        with psycopg.connect(host=str(self._folder), user="ledger", dbname="postgres") as one:
            one.autocommit = True
            one.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://ledger@/{name}?host={self._folder}"

    @property
    def pid(self) -> int:
        """Process ID of the server.

        Raises:
            RuntimeError: it was never started.
        """
        if self._server is None:
            raise RuntimeError("PostgreSQL was never started")
        return self._server.pid

    def _helpers(self) -> list[int]:
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in text.split()]

    def _answers(self) -> bool:
        try:
            psycopg.connect(host=str(self._folder), user="ledger", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal(self, number: int) -> None:
        if self._server is None or self._server.poll() is not None:
            return
        for pid in (self.pid, *self._helpers()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _run(self, program: str, *arguments: str) -> None:
        # Its output goes to a file: the server would keep a pipe open.
        with (self._folder / f"{program}.out").open("wb") as out:
            done = subprocess.run(  # noqa: S603 - likewise
                [self._programs / program, *arguments],
                user=self._user,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
                cwd="/",
                timeout=_START_TIMEOUT_S,
            )
        if done.returncode != 0:
            raise StartError((self._folder / f"{program}.out").read_text())


def _state(pid: int) -> str | None:
    """Return a process' state as a letter of proc(5), or None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat.rpartition(")")[2].split()[0]


def _wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEATH_TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not die within {_DEATH_TIMEOUT_S:g} s of its kill")
        time.sleep(_CHECK_INTERVAL_S / 10)
