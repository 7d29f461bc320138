"""How fast vehicles were charged, compared with charging alone. Pure.

A vehicle alone draws the smaller of its own and its point's maximum power. From a state of charge
of 80% the power that a battery takes falls linearly, to a tenth when it is full (ACN-Sim's
two-stage battery).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from load_tester.latency import Spread
from load_tester.vehicle import Charge, Outcome, Vehicle

_TAPER_FROM = 0.8
_POWER_WHEN_FULL = 0.1


class Point(NamedTuple):
    """A kind of charging point: its power, and its charging speed relative to real time."""

    power_kw: float
    time_scale: float


@dataclass(frozen=True, slots=True)
class PowerReport:
    """Energy and power of charged vehicles. A spread is None if nothing is known."""

    kwh: float  # total
    energy_kwh: Spread | None
    mean_power_kw: Spread | None
    peak_power_kw: Spread | None
    slowdown: Spread | None  # time to charge over the time alone at the fastest point
    points: Sequence[Point]  # the kinds of points it was computed for


def report_power(charged: Sequence[Charge], points: Sequence[Point]) -> PowerReport | None:
    """Summarize charged vehicles; None if there are none."""
    if not charged:
        return None
    energies = [charge.vehicle.kwh for charge in charged]
    return PowerReport(
        sum(energies),
        Spread.of(energies),
        Spread.of(charge.mean_power_kw for charge in charged),
        Spread.of(charge.peak_power_kw for charge in charged),
        Spread.of(slowdown(charge, points) for charge in charged),
        points,
    )


def known_points(
    reported: Sequence[Point], power_kw: float | None, time_scale: float | None
) -> list[Point]:
    """Return the kinds of points that may be the fastest, from the substations and the options.

    If all have the same time scale, that is only the most powerful kind.
    """
    scales = {point.time_scale for point in reported} if time_scale is None else {time_scale}
    points = []
    for scale in sorted(scales):
        # An option applies to all substations, whatever their pages say.
        alike = [point.power_kw for point in reported if time_scale or point.time_scale == scale]
        powers = alike if power_kw is None else [power_kw]
        if powers:
            points.append(Point(max(powers), scale))
    return points


def slowdown(charge: Charge, points: Sequence[Point]) -> float | None:
    """Return the time to charge over the time alone at the fastest point; None if unknown."""
    if not points or charge.outcome is not Outcome.CHARGED:
        return None
    return charge.time_to_charge / min(alone_s(charge.vehicle, point) for point in points)


def alone_s(vehicle: Vehicle, point: Point) -> float:
    """Return how long a vehicle takes alone at a point, seconds of the clock."""
    reported_kw = vehicle.max_power_kw
    full_kw = point.power_kw if reported_kw is None else reported_kw
    most_kw = min(full_kw, point.power_kw)
    if vehicle.battery_kwh is None or vehicle.soc is None:
        hours = vehicle.kwh / most_kw
    else:
        until = min(1.0, vehicle.soc + vehicle.kwh / vehicle.battery_kwh)
        hours = _hours(full_kw, most_kw, vehicle.battery_kwh, vehicle.soc, until)
    return hours * 3600 / point.time_scale


def _hours(full_kw: float, most_kw: float, battery_kwh: float, soc: float, until: float) -> float:
    """Return the hours to charge between two states, limited by the battery and by `most_kw`."""
    slope_kw = full_kw * (1 - _POWER_WHEN_FULL) / (1 - _TAPER_FROM)  # per state of charge
    # If the point limits the power, the taper starts at a higher state of charge.
    bend = _TAPER_FROM + (full_kw - most_kw) / slope_kw
    constant = max(0.0, min(until, bend) - soc) * battery_kwh / most_kw
    begins = max(soc, bend)
    if until <= begins:
        return constant
    # Power falls linearly over the state of charge, and thus exponentially over time.
    first_kw, last_kw = (full_kw - (state - _TAPER_FROM) * slope_kw for state in (begins, until))
    return constant + battery_kwh / slope_kw * math.log(first_kw / last_kw)
