"""The figures of a run: results of the vehicles, and how evenly the substations were used."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from load_tester.latency import percentile

if TYPE_CHECKING:
    from benchmarks.simulation.contender import Contender
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.substation import SimulatedSubstation

# A point counts as free only after the balancers can have learned of it, seconds.
_LEARNED_AFTER_S = 0.01


class Figures(NamedTuple):
    """The figures of one contender in one scene. Times in seconds, loads in vehicles."""

    vehicles: int
    lost: int  # got an error, or no response
    refused: int
    avoidable: int  # refused although a substation had had a free point for some time
    charged_twice: int
    mean_s: float  # time from arrival to the response that the vehicle is charged
    p50_s: float
    p99_s: float
    mean_gap: float  # between the most and the least loaded substation, over time
    worst_gap: int
    mean_spread: float  # the same with each load as a share of its substation's capacity
    worst_idle_s: float  # longest time that a point was free while a vehicle waited
    over_capacity: int  # maximum number of vehicles at a substation beyond its capacity
    full_answers: int
    failovers: int


class Recorder:
    """Records the grid's state whenever something changes."""

    def __init__(
        self, substations: Sequence[SimulatedSubstation], balancers: Sequence[Contender]
    ) -> None:
        self._substations = substations
        self._balancers = balancers
        self._measures = False
        self._looked_at = self._began_at = 0.0
        self._gap = self._worst_gap = 0
        self._gap_time = 0.0
        self._spread = self._spread_time = 0.0
        self._measured_s = 0.0
        self._free_since: dict[int, float] = {}
        self._idle_since: dict[int, float] = {}  # points free while a vehicle waits
        self._worst_idle_s = 0.0
        self._over_capacity = 0
        self._avoidable = 0

    def begin(self, now: float) -> None:
        """Start to measure gaps and idle points."""
        self._began_at = self._looked_at = now
        self._measures = True
        self.look(now)

    def end(self, now: float) -> None:
        """Stop measuring them."""
        self.look(now)
        self._worst_idle_s = max(
            (self._worst_idle_s, *(now - since for since in self._idle_since.values()))
        )
        self._measures = False
        self._measured_s = now - self._began_at

    def saw_refusal(self, now: float) -> None:
        """Record a refusal, and whether it was avoidable."""
        self._avoidable += any(
            now - since > _LEARNED_AFTER_S for since in self._free_since.values()
        )

    def look(self, now: float) -> None:
        """Record the state after a change."""
        loads, shares = [], []
        some_wait = self._measures and any(balancer.waiting for balancer in self._balancers)
        for number, substation in enumerate(self._substations):
            load, capacity = substation.load, substation.capacity
            usable = substation.is_usable
            if usable:
                loads.append(load)
                shares.append(load / capacity)
            if load - capacity > self._over_capacity:
                self._over_capacity = load - capacity
            is_free = usable and load < capacity
            if is_free or number in self._free_since:
                self._look_for_a_free_point(number, is_free, some_wait, now)
        if self._measures:
            self._gap_time += self._gap * (now - self._looked_at)
            self._spread_time += self._spread * (now - self._looked_at)
            self._looked_at = now
            self._gap = max(loads) - min(loads) if loads else 0
            self._spread = max(shares) - min(shares) if loads else 0.0
            self._worst_gap = max(self._worst_gap, self._gap)

    def _look_for_a_free_point(
        self, number: int, is_free: bool, some_wait: bool, now: float
    ) -> None:
        if not is_free:
            self._free_since.pop(number, None)
        elif number not in self._free_since:
            self._free_since[number] = now
        if is_free and some_wait:
            self._idle_since.setdefault(number, now)
        elif number in self._idle_since:
            self._worst_idle_s = max(self._worst_idle_s, now - self._idle_since.pop(number))

    def figures(self, vehicles: Sequence[Vehicle]) -> Figures:
        """Return the run's figures."""
        times = sorted(
            vehicle.charged_at - vehicle.arrival.at
            for vehicle in vehicles
            if vehicle.charged_at is not None
        )
        refused = sum(vehicle.refused for vehicle in vehicles)
        accepted = sum(vehicle.accepted for vehicle in vehicles)
        return Figures(
            vehicles=len(vehicles),
            lost=len(vehicles) - len(times) - refused - accepted,
            refused=refused,
            avoidable=self._avoidable,
            charged_twice=sum(vehicle.charges > 1 for vehicle in vehicles),
            mean_s=fmean(times) if times else nan,
            p50_s=percentile(times, 50) if times else nan,
            p99_s=percentile(times, 99) if times else nan,
            mean_gap=self._gap_time / self._measured_s if self._measured_s else nan,
            worst_gap=self._worst_gap,
            mean_spread=self._spread_time / self._measured_s if self._measured_s else nan,
            worst_idle_s=self._worst_idle_s,
            over_capacity=self._over_capacity,
            full_answers=sum(balancer.full_answers for balancer in self._balancers),
            failovers=sum(balancer.failovers for balancer in self._balancers),
        )
