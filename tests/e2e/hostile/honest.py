"""Honest vehicles during an attack: no losses, no long waits, no service that uses much memory."""

import math
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple, Self

from local_stack.grid import Grid
from local_stack.process import Process
from tests.support.fleet import Fleet
from tests.support.memory import Memory

SLOWEST_P99_S = 0.5
MAX_MB = 250


class Seen(NamedTuple):
    """What the vehicles and the services went through.

    Attributes:
        vehicles: how many were charged, which is all of them.
        p99_s: time from request to answer that 99 of 100 stayed below, seconds.
        peak_mb: most resident memory of each service, its processes together, MB.
        grown_mb: the same, less what it had before.
    """

    vehicles: int
    p99_s: float
    peak_mb: dict[str, float]
    grown_mb: dict[str, float]


class Vehicles:
    """Sends vehicles one after the other for as long as the block runs, and watches services.

    with Vehicles(grid.url, services_of(grid)) as vehicles:
        attack(grid.gateway.port)
    seen = vehicles.check()
    """

    def __init__(
        self, url: str, services: Mapping[str, Process] | None = None, *, rate: float = 10
    ) -> None:
        """Prepare.

        Args:
            url: where vehicles are sent.
            services: whose memory is watched, by the names that a table gives them.
            rate: vehicles a second. Each takes little energy: with the usual TIME_SCALE=3600 of
                these tests it charges for some 20 ms.
        """
        self.fleet = Fleet(url, kwh=1)
        self._services = dict(services or {})
        self._pause_s = 1 / rate
        self._end = threading.Event()
        self._sender = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Self:
        self._memory = {name: Memory(process) for name, process in self._services.items()}
        self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._sender.join()

    def check(self) -> Seen:
        """Every vehicle was charged, soon, and no service took much memory; return the figures."""
        self.fleet.wait()
        assert set(self.fleet.statuses()) == {200}, self.fleet.troubles()
        took_s = sorted(session.answered - session.sent for session in self.fleet.sessions)
        seen = Seen(
            vehicles=len(took_s),
            p99_s=took_s[math.ceil(0.99 * len(took_s)) - 1],
            peak_mb={name: memory.peak_mb for name, memory in self._memory.items()},
            grown_mb={name: memory.grown_mb for name, memory in self._memory.items()},
        )
        assert seen.p99_s < SLOWEST_P99_S, seen
        assert max(seen.peak_mb.values(), default=0) < MAX_MB, seen
        return seen

    def _send(self) -> None:
        due = time.monotonic()
        while not self._end.wait(max(0.0, due - time.monotonic())):
            self.fleet.send(1)
            due += self._pause_s


def services_of(grid: Grid) -> dict[str, Process]:
    """Name a grid's services as tables do; of the substations, the first."""
    return {
        "gateway": grid.gateway,
        "balancer": grid.balancer,
        "substation": grid.substations[0],
    }
