"""The scenes: substations, vehicles, and faults of the substations.

Pure, drawn from a seed. Times in seconds from the start of the scene. Vehicles take 1 to 2 s each,
except if substations share power: that scene has the vehicles of the simulated scenes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.simulation.demand import POINT_POWER_KW, TIME_SCALE, Arrival
from benchmarks.simulation.power.demand import HOUR_S, steady
from benchmarks.simulation.power.scenes import CARRIED, UNLIKE
from benchmarks.simulation.scenes import Event, SubstationSpec, substations_of
from load_balancer.routing.prediction import Supply, alone_s
from load_tester.arrivals import RateCurve, Spacing, arrivals
from load_tester.vehicle import Vehicle

MIN_S, MAX_S = 1.0, 2.0
MEAN_S = (MIN_S + MAX_S) / 2
# A vehicle that has no response by then disconnects and counts as lost, seconds.
PATIENCE_S = 25.0
_LENGTH_S = 9.0
# Time between two vehicles of a burst, so that every contender gets them in the same order. The
# order in the queue changes the mean time by more than the differences to be measured.
_BURST_SPACING_S = 0.0025
KWH_PER_S = POINT_POWER_KW * TIME_SCALE / 3600
# If power is shared, an hour of the substations takes a second: hops and polls then cost little in
# comparison, and the scene is short (docs/benchmark.md).
_POWER_TIME_SCALE = 3600.0
_POWER_LENGTH_H = 30.0
_POWER_LOAD = 0.9


@dataclass(frozen=True, slots=True)
class BypassTraffic:
    """Vehicles that go directly to a substation (by its number, from 0), bypassing the balancer."""

    substation: int
    vehicles: tuple[Vehicle, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene that every contender plays."""

    name: str
    story: str
    substations: tuple[SubstationSpec, ...]
    vehicles: tuple[Vehicle, ...]
    ends_at: float  # no vehicle arrives later, or (burst) the substations still have enough to do
    bypass_vehicles: BypassTraffic | None = None
    faults: tuple[Event, ...] = ()
    time_scale: float = TIME_SCALE
    longest_s: float = MAX_S  # no charge takes longer
    patience_s: float = PATIENCE_S

    @property
    def capacities(self) -> tuple[int, ...]:
        """Number of points of each substation, in order."""
        return tuple(substation.capacity for substation in self.substations)

    @property
    def shares_power(self) -> bool:
        """Whether the substations give less than the sum of their points."""
        return any(substation.power_limit_kw is not None for substation in self.substations)


def held_s(vehicle: Vehicle) -> float:
    """Return how long a vehicle charges at a point that shares no power, seconds."""
    return vehicle.kwh / KWH_PER_S


def scenes(*, quick: bool, seed: int = 1, every: bool = False) -> list[Scene]:
    """Draw the scenes, each with its own random numbers.

    Args:
        quick: only three of them, at half their length.
        seed: the same seed gives the same vehicles.
        every: all of them, even if quick.
    """
    drawn = {
        name: draw(Random(f"{_DRAWN_AS.get(name, name)}/{seed}"), 0.5 if quick else 1.0)
        for name, draw in _SCENES.items()
    }
    return [drawn[name] for name in (_QUICK if quick and not every else _SCENES)]


def _come(random: Random, knots: Sequence[tuple[float, float]]) -> tuple[Vehicle, ...]:
    """Draw random arrivals that follow a rate curve (vehicles per second, over time)."""
    curve = RateCurve(knots)
    moments = arrivals(curve, round(curve.total), Spacing.POISSON, random)
    return tuple(_vehicle(random, number, at) for number, at in enumerate(moments, start=1))


def _vehicle(random: Random, number: int, at: float) -> Vehicle:
    return Vehicle(number, at, round(random.uniform(MIN_S, MAX_S) * KWH_PER_S, 3))


def _steadily(random: Random, rate_per_s: float, length_s: float) -> tuple[Vehicle, ...]:
    return _come(random, [(0.0, rate_per_s), (length_s, rate_per_s)])


def _burst(random: Random, scale: float) -> Scene:
    count = round(120 * scale)
    return Scene(
        "burst",
        f"{count} vehicles within {count * _BURST_SPACING_S:g} s on 24 points.",
        substations_of(4, 8, 12),
        tuple(
            _vehicle(random, number, number * _BURST_SPACING_S) for number in range(1, count + 1)
        ),
        ends_at=0.75 * count * MEAN_S / 24,
    )


def _rush_hour(random: Random, scale: float) -> Scene:
    knots = [(0.0, 8.0), (2.0, 20.0), (4.0, 38.0), (6.0, 38.0), (7.0, 14.0), (_LENGTH_S, 8.0)]
    return Scene(
        "rush hour",
        "From a third of what the substations can take to half more than that, and back.",
        substations_of(12, 12, 12),
        _come(random, [(at * scale, rate) for at, rate in knots]),
        ends_at=_LENGTH_S * scale,
    )


def _unequal_substations(random: Random, scale: float) -> Scene:
    return Scene(
        "unequal substations",
        "Substations of 4, 4, 8 and 16 points, at 88% of what they can take.",
        substations_of(4, 4, 8, 16),
        _steadily(random, 0.88 * 32 / MEAN_S, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
    )


def _foreign_load(random: Random, scale: float) -> Scene:
    return Scene(
        "foreign load",
        "Besides the balancer's vehicles, 7.5 a second drive straight to the first substation, "
        "which would keep 11 of its 16 points busy. All substations together are at 80% of what "
        "they can take.",
        substations_of(16, 16, 16),
        _steadily(random, 18.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        bypass_vehicles=BypassTraffic(0, _steadily(random, 7.5, _LENGTH_S * scale)),
    )


def _substation_killed(random: Random, scale: float) -> Scene:
    return Scene(
        "substation killed",
        "One of three substations is killed (SIGKILL) and stays away; the two others can just take "
        "all.",
        substations_of(16, 16, 16),
        _steadily(random, 18.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        faults=(Event(3.5 * scale, "is killed", "substation2"),),
    )


def _substation_frozen(random: Random, scale: float) -> Scene:
    return Scene(
        "substation frozen",
        "One of three substations freezes (SIGSTOP): its connections stand, nothing answers. It "
        "wakes when others have long taken over.",
        substations_of(16, 16, 16),
        _steadily(random, 18.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        faults=(
            Event(3.0 * scale, "freezes", "substation2"),
            Event(8.0 * scale, "thaws", "substation2"),
        ),
    )


def _substation_recovering(random: Random, scale: float) -> Scene:
    return Scene(
        "substation recovering",
        "One of three substations is killed early and started again; without it there is not "
        "enough for all, so what counts is how soon it is used.",
        substations_of(16, 16, 16),
        _steadily(random, 24.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        faults=(Event(1.0, "is killed", "substation2"), Event(3.0, "starts", "substation2")),
    )


def _unlike_substations(_random: Random, scale: float) -> Scene:
    hours = _POWER_LENGTH_H * scale
    # As in the simulated scenes, where a second is another part of the substations' hour.
    drawn = steady(_POWER_LOAD * CARRIED[UNLIKE], hours)(_random)
    hour_s = 3600 / _POWER_TIME_SCALE
    return Scene(
        "unlike substations",
        "A hub (12 x 50 kW, limit 300 kW), a motorway (4 x 350, limit 700) and a workplace "
        "(24 x 11, limit 150) share their power among vehicles that can draw 11 to 250 kW, at "
        f"{_POWER_LOAD:.0%} of what least-loaded carries. An hour takes {hour_s:g} s.",
        UNLIKE,
        tuple(
            Vehicle(number, one.at / HOUR_S * hour_s, *one.demand)
            for number, one in enumerate(drawn, start=1)
        ),
        ends_at=hours * hour_s,
        time_scale=_POWER_TIME_SCALE,
        longest_s=max(_longest_s(one, substation) for one in drawn for substation in UNLIKE),
        patience_s=90.0,
    )


def _longest_s(vehicle: Arrival, substation: SubstationSpec) -> float:
    """Return the maximum charging time: a vehicle always gets half of an equal share."""
    supply = Supply(
        0, 0.0, 0.0, substation.point_power_kw, substation.limit_kw, _POWER_TIME_SCALE / 3600
    )
    least_kw = min(substation.point_power_kw, substation.limit_kw / substation.capacity / 2)
    return alone_s(supply, vehicle.demand.stages(substation.point_power_kw)) * (
        substation.point_power_kw / least_kw
    )


_SCENES: dict[str, Callable[[Random, float], Scene]] = {
    "burst": _burst,
    "rush hour": _rush_hour,
    "unequal substations": _unequal_substations,
    "foreign load": _foreign_load,
    "substation killed": _substation_killed,
    "substation frozen": _substation_frozen,
    "substation recovering": _substation_recovering,
    "unlike substations": _unlike_substations,
}
# The original names of scenes. They seed the draws, so that runs stay comparable.
_DRAWN_AS = {
    "unequal substations": "unequal sites",
    "substation killed": "site killed",
    "substation frozen": "site frozen",
    "substation recovering": "site recovering",
}
_QUICK = ("burst", "foreign load", "substation killed")
