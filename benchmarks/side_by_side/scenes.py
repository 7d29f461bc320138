"""The scenes: which sites, which vehicles, and what befalls the sites. Pure, drawn from a seed.

Vehicles take 1 to 2 s each. Times in seconds from the scene's beginning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from load_tester.scenarios import RateCurve, Spacing, arrivals
from load_tester.vehicle import Vehicle

SHORTEST_S, LONGEST_S = 1.0, 2.0
MEAN_S = (SHORTEST_S + LONGEST_S) / 2
# The substations' defaults: a point of 50 kW, at 360 times real time.
POINT_POWER_KW = 50.0
TIME_SCALE = 360.0
_LENGTH_S = 9.0
# Between two vehicles of a burst: so that they are in the same order for every rival. Who is first
# in line changes the mean time by more than what there is to measure.
_BURST_SPACING_S = 0.0025
KWH_PER_S = POINT_POWER_KW * TIME_SCALE / 3600

What = Literal["is killed", "starts", "freezes", "thaws"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that befalls a site (by its number, from 0) at a moment."""

    at: float
    what: What
    site: int


@dataclass(frozen=True, slots=True)
class Strangers:
    """Vehicles that drive straight to a site (by its number, from 0), past the balancer."""

    site: int
    vehicles: tuple[Vehicle, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A story that every rival is put through."""

    name: str
    story: str
    capacities: tuple[int, ...]
    vehicles: tuple[Vehicle, ...]
    ends_at: float  # no vehicle comes later, or (burst) the sites still have enough to do
    strangers: Strangers | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def site_names(self) -> list[str]:
        """The sites' names, in order."""
        return [site_name(number) for number in range(len(self.capacities))]


def site_name(number: int) -> str:
    """Name a site by its number, from 0."""
    return f"substation{number + 1}"


def held_s(vehicle: Vehicle) -> float:
    """Tell how long a vehicle charges once it is at a point, seconds."""
    return vehicle.kwh / KWH_PER_S


def scenes(*, quick: bool, seed: int = 1, every: bool = False) -> list[Scene]:
    """Draw the scenes, each from a randomness of its own.

    Args:
        quick: three of them, at half their length.
        seed: the same seed gives the same vehicles.
        every: all of them, even so.
    """
    drawn = {
        name: draw(Random(f"{name}/{seed}"), 0.5 if quick else 1.0)
        for name, draw in _SCENES.items()
    }
    return [drawn[name] for name in (_QUICK if quick and not every else _SCENES)]


def _come(random: Random, knots: Sequence[tuple[float, float]]) -> tuple[Vehicle, ...]:
    """Draw vehicles that come by chance after a rate curve (vehicles a second, over time)."""
    curve = RateCurve(knots)
    moments = arrivals(curve, round(curve.total), Spacing.POISSON, random)
    return tuple(_vehicle(random, number, at) for number, at in enumerate(moments, start=1))


def _vehicle(random: Random, number: int, at: float) -> Vehicle:
    return Vehicle(number, at, round(random.uniform(SHORTEST_S, LONGEST_S) * KWH_PER_S, 3))


def _steadily(random: Random, rate_per_s: float, length_s: float) -> tuple[Vehicle, ...]:
    return _come(random, [(0.0, rate_per_s), (length_s, rate_per_s)])


def _burst(random: Random, scale: float) -> Scene:
    count = round(120 * scale)
    return Scene(
        "burst",
        f"{count} vehicles within {count * _BURST_SPACING_S:g} s on 24 points.",
        (4, 8, 12),
        tuple(
            _vehicle(random, number, number * _BURST_SPACING_S) for number in range(1, count + 1)
        ),
        ends_at=0.75 * count * MEAN_S / 24,
    )


def _rush_hour(random: Random, scale: float) -> Scene:
    knots = [(0.0, 8.0), (2.0, 20.0), (4.0, 38.0), (6.0, 38.0), (7.0, 14.0), (_LENGTH_S, 8.0)]
    return Scene(
        "rush hour",
        "From a third of what the sites can take to half more than that, and back.",
        (12, 12, 12),
        _come(random, [(at * scale, rate) for at, rate in knots]),
        ends_at=_LENGTH_S * scale,
    )


def _unequal_sites(random: Random, scale: float) -> Scene:
    return Scene(
        "unequal sites",
        "Sites of 4, 4, 8 and 16 points, at 88% of what they can take.",
        (4, 4, 8, 16),
        _steadily(random, 0.88 * 32 / MEAN_S, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
    )


def _foreign_load(random: Random, scale: float) -> Scene:
    return Scene(
        "foreign load",
        "Besides the balancer's vehicles, 7.5 a second drive straight to the first site, which "
        "would keep 11 of its 16 points busy. All sites together are at 80% of what they can take.",
        (16, 16, 16),
        _steadily(random, 18.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        strangers=Strangers(0, _steadily(random, 7.5, _LENGTH_S * scale)),
    )


def _site_killed(random: Random, scale: float) -> Scene:
    return Scene(
        "site killed",
        "One of three sites is killed (SIGKILL) and stays away; the two others can just take all.",
        (16, 16, 16),
        _steadily(random, 18.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        faults=(Fault(3.5 * scale, "is killed", 1),),
    )


def _site_frozen(random: Random, scale: float) -> Scene:
    return Scene(
        "site frozen",
        "One of three sites freezes (SIGSTOP): its connections stand, nothing answers. It wakes "
        "when others have long taken over.",
        (16, 16, 16),
        _steadily(random, 18.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        faults=(Fault(3.0 * scale, "freezes", 1), Fault(8.0 * scale, "thaws", 1)),
    )


def _site_recovering(random: Random, scale: float) -> Scene:
    return Scene(
        "site recovering",
        "One of three sites is killed early and started again; without it there is not enough for "
        "all, so what counts is how soon it is used.",
        (16, 16, 16),
        _steadily(random, 24.0, _LENGTH_S * scale),
        ends_at=_LENGTH_S * scale,
        faults=(Fault(1.0, "is killed", 1), Fault(3.0, "starts", 1)),
    )


_SCENES: dict[str, Callable[[Random, float], Scene]] = {
    "burst": _burst,
    "rush hour": _rush_hour,
    "unequal sites": _unequal_sites,
    "foreign load": _foreign_load,
    "site killed": _site_killed,
    "site frozen": _site_frozen,
    "site recovering": _site_recovering,
}
_QUICK = ("burst", "foreign load", "site killed")
