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
class Scene:
    """A scene that every contender plays."""

    name: str
    story: str
    substations: tuple[SubstationSpec, ...]
    vehicles: tuple[Vehicle, ...]
    ends_at: float  # no vehicle arrives later, or (burst) the substations still have enough to do
    bypass_vehicles: tuple[Vehicle, ...] = ()  # go directly to the first substation
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
    return [
        _SCENES[name](name, Random(f"{_DRAWN_AS.get(name, name)}/{seed}"), 0.5 if quick else 1.0)
        for name in (_QUICK if quick and not every else _SCENES)
    ]


# Draws a scene of a name with random numbers, at a scale of its length.
_Draw = Callable[[str, Random, float], Scene]
_Knots = Sequence[tuple[float, float]]  # of a curve: seconds, and vehicles per second


def _at_rate(
    story: str,
    points: Sequence[int],
    knots: _Knots,
    *,
    bypass: _Knots = (),
    faults: Callable[[float], tuple[Event, ...]] = lambda _scale: (),
) -> _Draw:
    """Return a scene whose vehicles arrive at random, at the rates of a curve.

    Args:
        story: what happens.
        points: the points of each substation.
        knots: the curve at full length.
        bypass: the curve of those that go directly to the first substation.
        faults: the faults of substations, at a scale of the scene's length.
    """

    def draw(name: str, random: Random, scale: float) -> Scene:
        return Scene(
            name,
            story,
            substations_of(*points),
            _come(random, knots, scale),
            ends_at=_LENGTH_S * scale,
            bypass_vehicles=_come(random, bypass, scale) if bypass else (),
            faults=faults(scale),
        )

    return draw


def _steadily(rate_per_s: float) -> _Knots:
    return [(0.0, rate_per_s), (_LENGTH_S, rate_per_s)]


def _come(random: Random, knots: _Knots, scale: float) -> tuple[Vehicle, ...]:
    curve = RateCurve([(at * scale, rate) for at, rate in knots])
    moments = arrivals(curve, round(curve.total), Spacing.POISSON, random)
    return tuple(_vehicle(random, number, at) for number, at in enumerate(moments, start=1))


def _vehicle(random: Random, number: int, at: float) -> Vehicle:
    return Vehicle(number, at, round(random.uniform(MIN_S, MAX_S) * KWH_PER_S, 3))


def _burst(name: str, random: Random, scale: float) -> Scene:
    count = round(120 * scale)
    return Scene(
        name,
        f"{count} vehicles within {count * _BURST_SPACING_S:g} s on 24 points.",
        substations_of(4, 8, 12),
        tuple(
            _vehicle(random, number, number * _BURST_SPACING_S) for number in range(1, count + 1)
        ),
        ends_at=0.75 * count * MEAN_S / 24,
    )


def _unlike_substations(name: str, random: Random, scale: float) -> Scene:
    hours = _POWER_LENGTH_H * scale
    # As in the simulated scenes, where a second is another part of the substations' hour.
    drawn = steady(_POWER_LOAD * CARRIED[UNLIKE], hours)(random)
    hour_s = 3600 / _POWER_TIME_SCALE
    return Scene(
        name,
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


_SCENES: dict[str, _Draw] = {
    "burst": _burst,
    "rush hour": _at_rate(
        "From a third of what the substations can take to half more than that, and back.",
        (12, 12, 12),
        [(0.0, 8.0), (2.0, 20.0), (4.0, 38.0), (6.0, 38.0), (7.0, 14.0), (_LENGTH_S, 8.0)],
    ),
    "unequal substations": _at_rate(
        "Substations of 4, 4, 8 and 16 points, at 88% of what they can take.",
        (4, 4, 8, 16),
        _steadily(0.88 * 32 / MEAN_S),
    ),
    "foreign load": _at_rate(
        "Besides the balancer's vehicles, 7.5 a second drive straight to the first substation, "
        "which would keep 11 of its 16 points busy. All substations together are at 80% of what "
        "they can take.",
        (16, 16, 16),
        _steadily(18.0),
        bypass=_steadily(7.5),
    ),
    "substation killed": _at_rate(
        "One of three substations is killed (SIGKILL) and stays away; the two others can just take "
        "all.",
        (16, 16, 16),
        _steadily(18.0),
        faults=lambda scale: (Event(3.5 * scale, "is killed", "substation2"),),
    ),
    "substation frozen": _at_rate(
        "One of three substations freezes (SIGSTOP): its connections stand, nothing answers. It "
        "wakes when others have long taken over.",
        (16, 16, 16),
        _steadily(18.0),
        faults=lambda scale: (
            Event(3.0 * scale, "freezes", "substation2"),
            Event(8.0 * scale, "thaws", "substation2"),
        ),
    ),
    "substation recovering": _at_rate(
        "One of three substations is killed early and started again; without it there is not "
        "enough for all, so what counts is how soon it is used.",
        (16, 16, 16),
        _steadily(24.0),
        faults=lambda _scale: (
            Event(1.0, "is killed", "substation2"),
            Event(3.0, "starts", "substation2"),
        ),
    ),
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
