"""The grid under test: its parts, the links between them, and its ledger."""

import math
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from benchmarks.harness.reckoning import Attempt
from benchmarks.kills.plan import Way
from local_stack.fault_proxy import FaultProxy
from local_stack.grid import DEFAULT_POINTS, Grid, Ports
from local_stack.postgresql import PostgreSQL, find_programs
from local_stack.process import Process

# Longer than any absence of a substation here, even if it dies again at its start on a busy
# machine.
_LAST_WORD_WAIT_S = 30.0
POINT_POWER_KW = 50.0
# A vehicle with 9 kWh charges for a second.
TIME_SCALE = 648.0
_POLL_S = 0.25
# A balancer gives a substation up after two failed polls, and a lease may last one poll longer.
LEASE_KWH = (3 * _POLL_S + 1.0) * POINT_POWER_KW * TIME_SCALE / 3600


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


class GridUnderTest:
    """A grid with a fault proxy on each link. As a context manager it starts and ends it."""

    def __init__(self, folder: Path, *, postgresql: bool) -> None:
        """Prepare everything on free loopback ports; logs, ledger and journals go to a directory.

        Raises:
            RuntimeError: PostgreSQL is requested but not installed.
        """
        count = len(DEFAULT_POINTS)
        ports, fronts = Ports.free(count), Ports.free(count)
        self._folder = folder
        self._database = Database(folder) if postgresql else None
        ledger = (
            self._database.ledger_url if self._database else f"sqlite:///{folder}/ledger.sqlite"
        )
        names = [f"substation{number}" for number in range(1, count + 1)]
        self._routes = {
            "load_balancer": (fronts.balancer, ports.balancer),
            **dict(
                zip(names, zip(fronts.substations, ports.substations, strict=True), strict=True)
            ),
        }
        urls = zip(names, fronts.substations, strict=True)
        self.grid = Grid(
            folder / "grid",
            ports=ports,
            env={"MAX_WAIT": "600"},
            substation_env={
                "POINT_POWER_KW": f"{POINT_POWER_KW:g}",
                "TIME_SCALE": f"{TIME_SCALE:g}",
            },
            balancer_env={
                "SUBSTATIONS": ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in urls),
                "POLL_INTERVAL": f"{_POLL_S:g}",
                "LAST_WORD_WAIT": f"{_LAST_WORD_WAIT_S:g}",
            },
            gateway_env={
                "BALANCER_URL": f"http://127.0.0.1:{fronts.balancer}",
                "LEDGER_URL": ledger,
                "RATE_LIMIT": "",
            },
        )
        self.parts: Mapping[str, Process] = {
            part.name: part
            for part in [*self.grid.services, *([self._database] if self._database else [])]
        }
        self.links: dict[str, FaultProxy] = {}
        self._opened = ExitStack()

    @property
    def committing(self) -> list[str]:
        """The parts that commit to a disk."""
        keeper = self._database.name if self._database else self.grid.gateway.name
        return [keeper, *(part.name for part in self.grid.substations)]

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            if self._database:
                opened.callback(self._database.kill)
            for name, (front, port) in self._routes.items():
                self.links[name] = opened.enter_context(FaultProxy(front, port))
            opened.callback(self.grid.kill)
            self.grid.start()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def cut(self, name: str, way: Way) -> None:
        """Cut the link to a part."""
        self.links[name].cut(there=way is not Way.BACK, back=way is not Way.THERE)

    def ledger(self) -> list[dict[str, Any]]:
        """Read all sessions from the gateway, page by page."""
        return list(self.grid.sessions(self.grid.gateway))

    def registers(self) -> dict[str, dict[str, Attempt]]:
        """Read the energy that each substation's registers have for each session."""
        return {
            part.name: {
                row["session_id"]: Attempt(
                    row["energy_kwh"], row["began_at"], row["ended_at"] or math.inf
                )
                for row in self.grid.sessions(part)
            }
            for part in self.grid.substations
        }

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
