"""The grid under test: its parts, the links between them, and its ledger."""

from collections.abc import Iterable
from pathlib import Path

import psutil

from benchmarks.harness.grid import LinkedGrid
from benchmarks.harness.meter import family
from benchmarks.kills.plan import Way
from local_stack.postgresql import PostgreSQL
from local_stack.process import Process

Part = Process | PostgreSQL
# Longer than any absence of a substation here, even if it dies again at its start on a busy
# machine.
_LAST_WORD_WAIT_S = 30.0
# Of a point: a vehicle with 9 kWh charges for a second.
KWH_PER_S = 9.0
_POLL_S = 0.25
# A balancer gives a substation up after two failed polls, and a lease may last one poll longer.
LEASE_KWH = (3 * _POLL_S + 1.0) * KWH_PER_S


class GridUnderTest(LinkedGrid):
    """A grid with a fault proxy on each link. As a context manager it starts and ends it."""

    def __init__(self, folder: Path, server: PostgreSQL | None) -> None:
        """Prepare everything on free loopback ports; logs, ledger and journals go to a directory.

        The ledger is in the server, which runs already, or else in a file.
        """
        ledger = server.new_database() if server else f"sqlite:///{folder}/ledger.sqlite"
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
        database: dict[str, Part] = {"postgresql": server} if server else {}
        self.parts: dict[str, Part] = {**self.services, **database}
        # Those that commit to a disk.
        keepers = list(database) or [self.grid.gateway.name]
        self.committing = [*keepers, *(part.name for part in self.grid.substations)]

    def wait_until_ready(self, names: Iterable[str], within_s: float) -> None:
        """Wait until parts are ready; a database is as soon as it has been started."""
        for name in names:
            if service := self.services.get(name):
                service.wait_until(service.missing, within_s)

    def cut(self, name: str, way: Way) -> None:
        """Cut the link to a part."""
        self.links[name].cut(there=way is not Way.BACK, back=way is not Way.THERE)

    @property
    def log_files(self) -> list[Path]:
        """The substations' logs, which record the end of each session."""
        return [part.log_file for part in self.grid.substations]

    def children(self, name: str) -> list[int]:
        """Return the process IDs of a part's workers: gunicorn's, or PostgreSQL's helpers."""
        try:
            _, *children = family(self.parts[name])
        except psutil.NoSuchProcess:  # it has just died
            return []
        return [child.pid for child in children]
