"""The power scenes, in the order of the report. Loads are relative to what least-loaded can do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf

from benchmarks.simulation.demand import Draw
from benchmarks.simulation.power.demand import (
    HOUR_S,
    in_turn,
    misreports,
    sends_only_energy,
    steady,
)
from benchmarks.simulation.scenes import Event, Scene, SubstationSpec

# Vehicles that arrive between these hours of a scene are measured. Before, the substations fill up;
# after, as many more arrive, so that the last ones are not better off.
MEASURED_H = (15.0, 75.0)
_ENDS_H = 80.0

UNLIKE = (
    SubstationSpec("hub", 12, point_power_kw=50, power_limit_kw=300),
    SubstationSpec("motorway", 4, point_power_kw=350, power_limit_kw=700),
    SubstationSpec("workplace", 24, point_power_kw=11, power_limit_kw=150),
)
EQUAL = tuple(
    SubstationSpec(f"substation{number}", 8, point_power_kw=50, power_limit_kw=200)
    for number in range(1, 5)
)
UNLIMITED = tuple(substation._replace(power_limit_kw=None) for substation in EQUAL)

# Vehicles per hour that least-loaded charges there while the queue never ends, as in the report.
CARRIED = {UNLIKE: 19.7, EQUAL: 24.8, UNLIMITED: 34.3}


# Nobody is refused, and all vehicles are charged in the end.
_scene = partial(
    Scene,
    max_wait_s=86_400.0,
    measured_from=MEASURED_H[0] * HOUR_S,
    ends_at=_ENDS_H * HOUR_S,
    afterwards_s=inf,
)


def _at_load(name: str, substations: tuple[SubstationSpec, ...], load: float, story: str) -> Scene:
    return _scene(
        name=f"{name}, {load:.0%}",
        story=story,
        substations=substations,
        arrivals=_load(substations, load),
    )


def _load(substations: tuple[SubstationSpec, ...], load: float, until_h: float = _ENDS_H) -> Draw:
    return steady(load * CARRIED[substations], until_h)


def _event(hour: float, what: str, substation: str) -> Event:
    return Event(hour * HOUR_S, what, substation)


_RUSH_H = (30.0, 34.0)
_UNLIKE_STORY = (
    "A hub (12 x 50 kW, limit 300), a motorway (4 x 350, limit 700), a workplace (24 x 11, limit "
    "150)."
)
_EQUAL_STORY = "Four alike substations of 8 x 50 kW, each with a limit of half of that."

UNLIKE_60, UNLIKE_80, UNLIKE_95, UNLIKE_124 = (
    _at_load("unlike substations", UNLIKE, load, _UNLIKE_STORY) for load in (0.6, 0.8, 0.95, 1.24)
)
EQUAL_80, EQUAL_95 = (
    _at_load("equal substations with a limit", EQUAL, load, _EQUAL_STORY) for load in (0.8, 0.95)
)
UNLIMITED_95 = _at_load(
    "equal substations without a limit",
    UNLIMITED,
    0.95,
    "The same substations without limits.",
)
RUSH_HOUR = _scene(
    name="rush hour",
    story="Unlike substations at 50%, and for four hours at 150%.",
    substations=UNLIKE,
    arrivals=in_turn(
        _load(UNLIKE, 0.5, _RUSH_H[0]),
        steady(1.5 * CARRIED[UNLIKE], _RUSH_H[1], since=_RUSH_H[0]),
        steady(0.5 * CARRIED[UNLIKE], _ENDS_H, since=_RUSH_H[1]),
    ),
)
FRESH = _scene(
    name="foreign load, fresh gauges",
    story="Unlike substations at 80%; 30% of the vehicles come past the balancer, each to a "
    "substation at random, and drive on where that is full. Gauges are polled every 18 s of the "
    "substations' time.",
    substations=UNLIKE,
    arrivals=_load(UNLIKE, 0.56),
    bypass_vehicles=_load(UNLIKE, 0.24),
    poll_interval_s=0.05,
    draws_as="foreign load",
)
STALE = replace(
    FRESH,
    name="foreign load, stale gauges",
    story="The same vehicles; gauges are polled every 30 minutes of the substations' time.",
    poll_interval_s=5.0,
)
MISREPORTS = replace(
    UNLIKE_95,
    name="misreports",
    story="Unlike substations at 95%; 30% of the vehicles tell half to one and a half of the "
    "energy that they take, 10% leave before they have it.",
    arrivals=misreports(UNLIKE_95.arrivals, wrong=0.3, leaves=0.1),
)
UNREPORTED = replace(
    UNLIKE_80,
    name="nobody tells its maximum",
    story="Unlike substations at 80%; vehicles tell their energy alone.",
    arrivals=sends_only_energy(UNLIKE_80.arrivals),
    draws_as=UNLIKE_80.name,
)
CUT = replace(
    UNLIKE_80,
    name="a limit is cut",
    story="Unlike substations at 80%; for ten hours the motorway may draw half of its limit.",
    events=(
        _event(30, "has its limit halved", "motorway"),
        _event(40, "has its limit back", "motorway"),
    ),
    draws_as=UNLIKE_80.name,
)
KILLED = replace(
    UNLIKE_80,
    name="a substation is killed",
    story="Unlike substations at 80%; the motorway is killed, and starts again four hours later.",
    events=(_event(30, "is killed", "motorway"), _event(34, "starts", "motorway")),
    draws_as=UNLIKE_80.name,
)
SATURATED, SATURATED_EQUAL, SATURATED_UNLIMITED = (
    _scene(
        name=f"{name}, a line that never ends",
        story="Twice as many vehicles as any choice can have charged: how many are, in an hour.",
        substations=substations,
        arrivals=steady(2 * most, _ENDS_H),
        afterwards_s=0.0,
    )
    for name, substations, most in (
        ("unlike substations", UNLIKE, 31.0),
        ("equal substations with a limit", EQUAL, 25.0),
        ("equal substations without a limit", UNLIMITED, 40.0),
    )
)

SATURATIONS = (SATURATED, SATURATED_EQUAL, SATURATED_UNLIMITED)
SCENES = (
    *(UNLIKE_60, UNLIKE_80, UNLIKE_95, UNLIKE_124),
    *(EQUAL_80, EQUAL_95, UNLIMITED_95),
    *(RUSH_HOUR, FRESH, STALE, MISREPORTS, UNREPORTED, CUT, KILLED),
    *SATURATIONS,
)
