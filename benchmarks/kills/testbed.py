"""The grid under test: its parts, the links between them, and its ledger."""

import os
from pathlib import Path

from benchmarks.harness.grid import LinkedGrid
from benchmarks.kills.plan import Way
from local_stack.postgresql import PostgreSQL, find_programs
from local_stack.process import Process

# Longer than any absence of a substation here, even if it dies again at its start on a busy
# machine.
_LAST_WORD_WAIT_S = 30.0
# Of a point: a vehicle with 9 kWh charges for a second.
KWH_PER_S = 9.0
_POLL_S = 0.25
# A balancer gives a substation up after two failed polls, and a lease may last one poll longer.
LEASE_KWH = (3 * _POLL_S + 1.0) * KWH_PER_S


class Database(Process):
    """The PostgreSQL server, as a part that can be killed and frozen."""

    def __init__(self, folder: Path) -> None:
        """Create a server with an empty database.

        Raises:
            RuntimeError: the programs are not installed.
        """
        programs = find_programs()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed: install it, or omit --ledger")
        self._server = PostgreSQL(programs, folder / "postgresql")
        self._server.start()
        self.ledger_url = self._server.new_database()
        super().__init__("postgresql", [], env={}, port=0, log=self._server.log_file)

    @property
    def running(self) -> bool:
        """Whether it is running."""
        return True

    @property
    def pid(self) -> int:
        """Process ID of the server."""
        return self._server.pid

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._server.start()

    def kill(self) -> None:
        """Kill it."""
        self._server.kill()

    def freeze(self) -> None:
        """Stop its execution."""
        self._server.freeze()

    def thaw(self) -> None:
        """Resume it."""
        self._server.thaw()

    def missing(self) -> str | None:
        """Return None, because `start` waits."""
        return None


class GridUnderTest(LinkedGrid):
    """A grid with a fault proxy on each link. As a context manager it starts and ends it."""

    def __init__(self, folder: Path, *, postgresql: bool) -> None:
        """Prepare everything on free loopback ports; logs, ledger and journals go to a directory.

        Raises:
            RuntimeError: PostgreSQL is requested but not installed.
        """
        self._database = Database(folder) if postgresql else None
        ledger = (
            self._database.ledger_url if self._database else f"sqlite:///{folder}/ledger.sqlite"
        )
        super().__init__(
            folder,
            KWH_PER_S,
            to_balancer=True,
            env={"MAX_WAIT": "600"},
            balancer_env={
                "POLL_INTERVAL": f"{_POLL_S:g}",
                "LAST_WORD_WAIT": f"{_LAST_WORD_WAIT_S:g}",
            },
            gateway_env={"LEDGER_URL": ledger, "RATE_LIMIT": ""},
        )
        if self._database:
            self.parts[self._database.name] = self._database

    @property
    def committing(self) -> list[str]:
        """The parts that commit to a disk."""
        keeper = self._database or self.grid.gateway
        return [keeper.name, *(part.name for part in self.grid.substations)]

    def cut(self, name: str, way: Way) -> None:
        """Cut the link to a part."""
        self.links[name].cut(there=way is not Way.BACK, back=way is not Way.THERE)

    @property
    def log_files(self) -> list[Path]:
        """The substations' logs, which record the end of each session."""
        return [part.log_file for part in self.grid.substations]

    def children(self, name: str) -> list[int]:
        """Return the process IDs of a part's workers: gunicorn's, or PostgreSQL's helpers."""
        pid = self.parts[name].pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(one) for one in text.split() if _alive(int(one))]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
