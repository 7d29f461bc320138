"""The demand scenarios: when vehicles arrive, and what they ask for. Pure: randomness is passed in.

Arrivals are a Poisson process with a given count: that many times, drawn independently from the
rate curve. Count and duration are then exact, and arrivals cluster as in real traffic.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from load_tester.demand import Demand
from load_tester.vehicle import Plan, Stage, Vehicle


class Spacing(StrEnum):
    """How arrivals follow each other."""

    POISSON = "poisson"  # independent of each other, as in the field
    EVEN = "even"  # at equal intervals


@dataclass(frozen=True, slots=True)
class Streams:
    """Separate random numbers for arrivals and energies: a change to one keeps the other."""

    arrivals: random.Random
    energies: random.Random

    @classmethod
    def from_seed(cls, seed: int) -> "Streams":
        """Create both from one seed; the same seed gives the same vehicles."""
        return cls(
            random.Random(f"arrivals/{seed}"),  # noqa: S311 - a model of demand, not security
            random.Random(f"energies/{seed}"),  # noqa: S311 - likewise
        )


class RateCurve:
    """An arrival rate over time, vehicles per second, linear between its knots."""

    def __init__(self, knots: Sequence[tuple[float, float]]) -> None:
        self._knots = list(knots)
        self._counts = [0.0]  # expected vehicles up to each knot
        for (start, low), (end, high) in pairwise(self._knots):
            self._counts.append(self._counts[-1] + (end - start) * (low + high) / 2)

    @property
    def total(self) -> float:
        """Expected total number of vehicles."""
        return self._counts[-1]

    def moment(self, count: float) -> float:
        """Return when this many vehicles have arrived, seconds."""
        piece = min(bisect_right(self._counts, count), len(self._counts) - 1) - 1
        (start, low), (end, high) = self._knots[piece], self._knots[piece + 1]
        missing = count - self._counts[piece]
        if missing <= 0:
            return start
        # Solve low·t + growth·t²/2 = missing, in the form that is stable as growth nears 0.
        growth = (high - low) / (end - start)
        root = math.sqrt(max(0.0, low * low + 2 * growth * missing))
        return min(end, start + 2 * missing / (low + root))


def arrivals(curve: RateCurve, count: int, spacing: Spacing, rng: random.Random) -> list[float]:
    """Return `count` arrival times that follow a rate curve, in order."""
    if spacing is Spacing.EVEN:
        shares = [index / count for index in range(count)]
    else:
        shares = sorted(rng.random() for _ in range(count))
    return [round(curve.moment(share * curve.total), 6) for share in shares]


def _vehicles(moments: Sequence[float], demand: Demand, streams: Streams) -> tuple[Vehicle, ...]:
    return tuple(
        Vehicle(number, moment, *demand.draw(streams.energies))
        for number, moment in enumerate(moments, start=1)
    )


def plan_steady(
    scenario: str,
    *,
    vehicles: int,
    rate: float,
    spacing: Spacing,
    demand: Demand,
    streams: Streams,
) -> Plan:
    """Plan a constant rate: `steady`, and `soak` for a long time."""
    duration = vehicles / rate
    curve = RateCurve([(0.0, rate), (duration, rate)])
    moments = arrivals(curve, vehicles, spacing, streams.arrivals)
    summary = (
        f"{vehicles:,} vehicles at {rate:g} a second for {_seconds(duration)}, {demand.describe()}"
    )
    return Plan(scenario, summary, _vehicles(moments, demand, streams))


def plan_rush_hour(
    *, vehicles: int, rate: float, spacing: Spacing, demand: Demand, streams: Streams
) -> Plan:
    """Plan a rate that climbs from 0 to `rate`, holds and falls again, a third of the time each."""
    duration = 1.5 * vehicles / rate
    third = duration / 3
    curve = RateCurve([(0.0, 0.0), (third, rate), (2 * third, rate), (duration, 0.0)])
    moments = arrivals(curve, vehicles, spacing, streams.arrivals)
    summary = (
        f"{vehicles:,} vehicles in {_seconds(duration)}, climbing to {rate:g} a second and "
        f"falling again, {demand.describe()}"
    )
    return Plan("rush-hour", summary, _vehicles(moments, demand, streams))


def plan_spike(
    *,
    vehicles: int,
    rate: float,
    share: float,
    spacing: Spacing,
    demand: Demand,
    streams: Streams,
) -> Plan:
    """Plan steady arrivals with `share` of all vehicles at once in the middle."""
    at_once = round(vehicles * share)
    steady = vehicles - at_once
    duration = steady / rate
    moments = []
    if steady:
        curve = RateCurve([(0.0, rate), (duration, rate)])
        moments = arrivals(curve, steady, spacing, streams.arrivals)
    moments = sorted([*moments, *[round(duration / 2, 6)] * at_once])
    around = f", {steady:,} around them at {rate:g} a second" if steady else ""
    summary = f"{at_once:,} vehicles at once{around}, {demand.describe()}"
    return Plan("spike", summary, _vehicles(moments, demand, streams))


def plan_stress(
    *,
    rate: float,
    factor: float,
    step: float,
    most: float,
    spacing: Spacing,
    demand: Demand,
    streams: Streams,
) -> Plan:
    """Plan steps of `step` seconds, each `factor` times the rate of the last, up to `most`."""
    stages: list[Stage] = []
    moments: list[float] = []
    while rate <= most * (1 + 1e-9):
        start = len(stages) * step
        count = max(1, round(rate * step))
        curve = RateCurve([(0.0, rate), (step, rate)])
        moments.extend(start + at for at in arrivals(curve, count, spacing, streams.arrivals))
        stages.append(Stage(f"{rate:.3g}/s", start, start + step, rate))
        rate *= factor
    summary = (
        f"from {stages[0].rate:g} to at most {stages[-1].rate:.3g} vehicles a second in "
        f"{len(stages)} steps of {_seconds(step)}, {demand.describe()}"
    )
    return Plan("stress", summary, _vehicles(moments, demand, streams), stages=tuple(stages))


def plan_callers(*, vehicles: int, concurrency: int, demand: Demand, streams: Streams) -> Plan:
    """Plan a closed loop: each caller sends its next vehicle when its last one is done."""
    summary = f"{vehicles:,} vehicles from {concurrency:,} callers, {demand.describe()}"
    notes = (
        "closed loop: a caller waits for its answer before it sends again, so a slow grid is "
        "asked for less; use --rate to see its queue",
    )
    planned = _vehicles([0.0] * vehicles, demand, streams)
    return Plan("callers", summary, planned, notes, concurrency=concurrency)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.3g} s"
