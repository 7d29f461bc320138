"""A PostgreSQL server of one's own, where the programs are installed."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

# It will not run as root.
_USER = "nobody"
_START_TIMEOUT_S = 60


def find_programs() -> Path | None:
    """Find the folder of the newest server that is installed, None where there is none."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


class PostgreSQL:
    """A server that listens on a socket in a folder of its own."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # sockets take short names
        self._user = _USER if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        self._data = self._folder / "data"
        self._databases = 0
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "ledger")

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        options = f"-c listen_addresses='' -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-o", options, "-l", log, "start")

    def stop(self, how: str = "fast") -> None:
        """Stop it; `immediate` is as good as a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-m", how, "stop")

    def kill(self) -> None:
        """End it at once: the server and its helpers, which then take themselves for crashed."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Have it do nothing; what it was told stays told."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop it and take its folder away."""
        self.thaw()
        subprocess.run(  # noqa: S603 - PostgreSQL's own program
            [self._programs / "pg_ctl", "-D", self._data, "-m", "immediate", "stop"],
            user=self._user,
            capture_output=True,
            check=False,
            cwd="/",
        )
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        self._databases += 1
        name = f"ledger{self._databases}"
        with psycopg.connect(host=str(self._folder), user="ledger", dbname="postgres") as one:
            one.autocommit = True
            one.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://ledger@/{name}?host={self._folder}"

    @property
    def pid(self) -> int:
        """Process id of the server.

        Raises:
            FileNotFoundError: it does not run.
        """
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _signal(self, number: int) -> None:
        try:
            pid = self.pid
        except FileNotFoundError:
            return
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in [str(pid), *children]:
            with suppress(ProcessLookupError):
                os.kill(int(one), number)

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
            raise RuntimeError((self._folder / f"{program}.out").read_text())
