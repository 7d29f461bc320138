"""A scene: vehicles take every point, a fault is injected, more arrive.

Everybody is charged once.
"""

import threading
import time
from collections.abc import Callable

from benchmarks.harness.log_reconciliation import Reconciliation, reconcile
from tests.e2e.faults.reconciliation import differing_counters, told
from tests.e2e.faults.world import World, expect_full, expect_idle, expect_normal
from tests.support.deadline import eventually
from tests.support.fleet import Fleet

_POINTS = 24  # of all substations together
_LATER = 26  # vehicles that come while the fault lasts, and after it
_RATE = 10  # of those a second
# What a point delivers, at TIME_SCALE=360.
KWH_PER_S = 5.0
# What vehicles ask for, kWh. Those at the points when the fault is injected take long enough for
# none of them to be done just then: what cannot be promised is a part that is killed with an answer
# on its way through it (see docs/reliability.md).
_EARLY_KWH = 20
_KWH = (5, 10, 15)
_PATIENCE_S = 45
# What a vehicle takes within the time after which a substation that hears nothing of the balancer
# stops it, 2.8 s, and within which the balancer charges it elsewhere.
LEASE_KWH = 2.8 * KWH_PER_S
_BACK_WITHIN_S = 30


class Scene:
    """Plays faults in one grid, and records what became of the vehicles."""

    def __init__(
        self, world: World, name: str, record: Callable[[str, Reconciliation, float], None]
    ) -> None:
        self.world = world
        self._name = name
        self._record = record

    def play(
        self,
        title: str,
        fault: Callable[[], None],
        *,
        early_kwh: float = _EARLY_KWH,
        most_over_kwh: float = 0.0,
    ) -> None:
        """Inject the fault under load, and hold the grid to the scene's end.

        Nobody is lost, nobody is charged twice, and all counters agree.

        Args:
            title: what happens, for the table in docs/reliability.md.
            fault: is injected, holds, is undone, and returns.
            early_kwh: what those ask for that are there when the fault is injected.
            most_over_kwh: what each may get on top: of a substation that charges on unheard.
        """
        eventually(lambda: expect_idle(self.world), _PATIENCE_S)  # whatever came of the last scene
        before = self.world.counters()
        fleet = Fleet(
            self.world.url,
            patience_s=_PATIENCE_S,
            vehicle_id=f"{self._name}-{{}}".format,
            kwh=lambda number: early_kwh if number < _POINTS else _KWH[number % 3],
        )
        fleet.send(_POINTS)
        eventually(lambda: expect_full(self.world, _POINTS))
        arrivals = threading.Thread(target=fleet.send, args=(_LATER,), kwargs={"rate": _RATE})
        arrivals.start()
        fault()
        ended = time.monotonic()
        eventually(lambda: expect_normal(self.world), _BACK_WITHIN_S)
        back_s = time.monotonic() - ended
        arrivals.join()
        fleet.wait(_PATIENCE_S + 20)
        eventually(lambda: expect_idle(self.world))

        attempts = {
            substation: [
                attempt
                for attempt in self.world.attempts(substation)
                if attempt.vehicle_id.startswith(f"{self._name}-")
            ]
            for substation in self.world.substations
        }
        found = reconcile(
            [told(session) for session in fleet.sessions],
            attempts,
            excess_kwh=lambda *_: most_over_kwh,
        )
        self._record(title, found, back_s)
        after = self.world.counters()
        troubles = [
            *(*found.lost, *found.twice, *found.unlogged, *found.differing),
            *differing_counters(before, after, found.charged, attempts),
        ]
        assert not troubles, "\n".join(troubles)
