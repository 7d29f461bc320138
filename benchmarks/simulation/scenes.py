"""The scenes, in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from benchmarks.simulation.demand import POINT_POWER_KW, TIME_SCALE, Arrival, Draw, burst, poisson
from load_balancer.routing.outcome import Outcome
from load_balancer.settings import Settings

# Default minimum and maximum time that a vehicle charges, seconds.
_HELD_S = (1, 3)
MAX_WAIT_S = float(Settings.model_fields["max_wait"].default)
# The original word for substations in scenes, which seeds their draws.
_FIRST_WORD = "site"


class SubstationSpec(NamedTuple):
    """A substation of a scene."""

    name: str
    capacity: int
    host: str | None = None  # the name that resolves to it; its own if None
    listed: bool = True  # whether the name resolves to it from the start
    point_power_kw: float = POINT_POWER_KW
    power_limit_kw: float | None = None  # None: the sum of all points
    # to a vehicle with a free point: ACCEPTED comes at once, CHARGED at the end, REJECTED is a 4xx
    response: Outcome = Outcome.CHARGED

    @property
    def limit_kw(self) -> float:
        """Maximum power of the substation."""
        return self.power_limit_kw or self.capacity * self.point_power_kw


class Event(NamedTuple):
    """An event of a substation, or of names (`substation` is empty), at a time, seconds."""

    at: float
    what: str
    substation: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A scene that every contender plays. Times in seconds from its start."""

    name: str
    story: str
    substations: tuple[SubstationSpec, ...]
    arrivals: Draw
    ends_at: float  # no vehicle arrives later; vehicles in progress are finished
    bypass_vehicles: Draw = lambda _random: ()  # bypass the balancers
    events: tuple[Event, ...] = ()
    balancers: int = 1
    in_step: bool = False  # whether all balancers poll at the same times
    poll_interval_s: float = 0.5
    time_scale: float = TIME_SCALE
    max_wait_s: float = MAX_WAIT_S
    measured_from: float = 20.0
    afterwards_s: float = 120.0  # how long it continues for vehicles in progress
    draws_as: str = ""  # the scene whose vehicles it shares; its own if empty

    def random(self, use: str, seed: int) -> Random:
        """Return random numbers for one use, so that every contender gets the same vehicles.

        The seed is a string: unlike a tuple's hash it is the same in each process. It contains the
        scene's original name, so that figures stay comparable with older ones.
        """
        first_name = (self.draws_as or self.name).replace("substation", _FIRST_WORD)
        return Random(f"{first_name}/{use}/{seed}")

    @property
    def has_a_return(self) -> bool:
        """Whether a substation returns, which is unknown until the next probe."""
        return any(event.what in ("starts", "thaws") for event in self.events)

    @property
    def has_equal_substations(self) -> bool:
        """Whether the gap between the substations' loads is meaningful."""
        return len({substation.capacity for substation in self.substations}) == 1


def substations_of(*capacities: int) -> tuple[SubstationSpec, ...]:
    """Create substations that differ only in their number of points."""
    return tuple(
        SubstationSpec(f"substation{number}", capacity)
        for number, capacity in enumerate(capacities, start=1)
    )


def _steady(rate_per_s: float, seconds: float, held_s: tuple[float, float] = _HELD_S) -> Draw:
    return lambda random: poisson(random, rate_per_s, seconds, held_s=held_s)


def _rush_hour(random: Random) -> Sequence[Arrival]:
    return [
        *poisson(random, 6, 60, held_s=_HELD_S),
        *poisson(random, 20, 180, since=60, held_s=_HELD_S),
        *poisson(random, 6, 300, since=180, held_s=_HELD_S),
    ]


def _restarts(substation: str, at: float) -> tuple[Event, Event]:
    return Event(at, "drains", substation), Event(at + 10, "starts", substation)


_BURST = Scene(
    name="burst",
    story="300 vehicles at once on 24 points, held 1-3 s.",
    substations=substations_of(4, 8, 12),
    arrivals=lambda random: burst(random, 300, 1, held_s=_HELD_S),
    measured_from=0,
    ends_at=30,
)
_STEADY = Scene(
    name="steady",
    story="8 vehicles a second on 24 points, held 1-3 s: two thirds of what they take.",
    substations=substations_of(4, 8, 12),
    arrivals=_steady(8, 150),
    ends_at=150,
)
UNEQUAL = Scene(
    name="unequal substations",
    story="Capacities 1:1:2:4 (32 points); 7 vehicles a second, held 1-7 s: 88% of what they take.",
    substations=substations_of(4, 4, 8, 16),
    arrivals=_steady(7, 300, (1, 7)),
    ends_at=300,
)
STALE = Scene(
    name="stale gauge",
    story="Five equal substations, never full; 10 vehicles a second, held 1-7 s; gauges polled "
    "every 5 s.",
    substations=substations_of(100, 100, 100, 100, 100),
    arrivals=_steady(10, 300, (1, 7)),
    poll_interval_s=5,
    ends_at=300,
)
_STALE_TWO = replace(
    STALE,
    name="stale gauge, two balancers",
    story="The same through two balancers, which poll out of step.",
    balancers=2,
)
_STALE_TWO_IN_STEP = replace(
    _STALE_TWO,
    name="stale gauge, two balancers in step",
    story="The same through two balancers, which poll at the same moments.",
    in_step=True,
)
STALE_THREE = replace(
    STALE,
    name="stale gauge, three balancers",
    story="The same through three balancers, which poll out of step.",
    balancers=3,
)
STALE_IN_STEP = replace(
    STALE_THREE,
    name="stale gauge, three balancers in step",
    story="The same, and all three poll at the same moments.",
    in_step=True,
)
_THREE_ALIKE = replace(_STEADY, substations=substations_of(12, 12, 12))
_KILLED = replace(
    _THREE_ALIKE,
    name="substation killed",
    story="One of three substations is killed at 40 s and starts again at 80 s.",
    events=(Event(40, "is killed", "substation2"), Event(80, "starts", "substation2")),
)

SCENES: tuple[Scene, ...] = (
    _BURST,
    _STEADY,
    Scene(
        name="rush hour",
        story="For 120 s two thirds more than 24 points take; a vehicle waits 60 s at most.",
        substations=substations_of(8, 8, 8),
        arrivals=_rush_hour,
        ends_at=300,
    ),
    UNEQUAL,
    STALE,
    _STALE_TWO,
    _STALE_TWO_IN_STEP,
    STALE_THREE,
    STALE_IN_STEP,
    replace(
        _THREE_ALIKE,
        name="three balancers, nearly full",
        story="Three balancers, gauges polled every 0.5 s, 36 points in use for 83%.",
        arrivals=_steady(15, 150),
        balancers=3,
    ),
    replace(
        _BURST,
        name="burst through three balancers",
        story="300 vehicles at once on 24 points, through three balancers.",
        balancers=3,
    ),
    Scene(
        name="one of three balancers busy",
        story="Three balancers; every 20 s 24 vehicles for 24 points, all through the first.",
        substations=substations_of(8, 8, 8),
        arrivals=lambda random: [
            arrival._replace(selector=0)
            for moment in range(1, 121, 20)
            for arrival in burst(random, 24, moment, held_s=(9, 10))
        ],
        balancers=3,
        measured_from=0,
        ends_at=130,
    ),
    _KILLED,
    replace(
        _KILLED,
        name="substation killed, the others full",
        story="The same with 13 vehicles a second, more than the two substations that are left can "
        "take: vehicles wait for the third, whose return the next probe finds.",
        arrivals=_steady(13, 150),
    ),
    replace(
        _THREE_ALIKE,
        name="substation frozen",
        story="One of three substations freezes at 40 s and wakes at 80 s.",
        events=(Event(40, "freezes", "substation2"), Event(80, "thaws", "substation2")),
    ),
    replace(
        _THREE_ALIKE,
        name="rolling restart",
        story="Each of three substations in turn drains, exits when it is empty, and starts again.",
        events=(
            *_restarts("substation1", 30),
            *_restarts("substation2", 60),
            *_restarts("substation3", 90),
        ),
    ),
    replace(
        _THREE_ALIKE,
        name="foreign load",
        story="A third of all vehicles comes past the balancer: 83% of 36 points together.",
        arrivals=_steady(10, 150),
        bypass_vehicles=_steady(5, 150),
    ),
    Scene(
        name="DNS change",
        story="Two substations; at 40 s two more behind the second's name; from 70 s to 90 s names "
        "are not found; at 110 s one of the new substations vanishes.",
        substations=(
            *substations_of(12, 12),
            SubstationSpec("substation2 b", 12, "substation2", listed=False),
            SubstationSpec("substation2 c", 12, "substation2", listed=False),
        ),
        arrivals=_steady(10, 150),
        events=(
            Event(40, "appears", "substation2 b"),
            Event(40, "appears", "substation2 c"),
            Event(70, "names fail"),
            Event(90, "names work"),
            Event(110, "vanishes", "substation2 b"),
        ),
        ends_at=150,
    ),
)
