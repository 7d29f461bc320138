"""A lower bound of the mean time to charge, which no choice can beat.

Each vehicle takes at least as long at a substation as it would alone there, and the substations
together cannot deliver more than their limits nor charge more vehicles than they have points. A
linear program finds the best distribution of the vehicles, in fractions if need be, under these
conditions.
"""

from collections.abc import Sequence

from scipy.optimize import linprog  # type: ignore[import-untyped] # scipy has no types
from scipy.sparse import lil_array  # type: ignore[import-untyped] # scipy has no types

from benchmarks.harness.errors import CannotMeasure
from benchmarks.simulation.demand import Arrival
from benchmarks.simulation.power.demand import HOUR_S, MINUTE_S
from benchmarks.simulation.power.scenes import MEASURED_H
from benchmarks.simulation.scenes import Scene, SubstationSpec
from load_balancer.routing.prediction import Supply, alone_s


def bound_min(scene: Scene, seed: int) -> float:
    """Return the lower bound for a scene's measured vehicles, minutes."""
    since, until = (hour * HOUR_S for hour in MEASURED_H)
    arrivals = scene.arrivals(scene.random("arrivals", seed))
    vehicles = [one for one in arrivals if since <= one.at < until]
    # Some are charged after the last arrival; a day is more than enough for them.
    span_s = until - since + 24 * HOUR_S
    return lower_bound_s(vehicles, scene.substations, scene.time_scale, span_s) / MINUTE_S


def lower_bound_s(
    vehicles: Sequence[Arrival],
    substations: Sequence[SubstationSpec],
    time_scale: float,
    span_s: float,
) -> float:
    """Return the lower bound of the vehicles' mean time, seconds.

    Args:
        vehicles: the vehicles to charge.
        substations: the substations.
        time_scale: charging speed relative to the clock.
        span_s: the time that the substations have for them.
    """
    alone = [
        [_alone_s(vehicle, substation, time_scale) for substation in substations]
        for vehicle in vehicles
    ]
    many, choices = len(vehicles), len(substations)
    limits = lil_array((2 * choices, many * choices))
    bounds = []
    for column, substation in enumerate(substations):
        for row, vehicle in enumerate(vehicles):
            limits[2 * column, row * choices + column] = vehicle.demand.kwh
            limits[2 * column + 1, row * choices + column] = alone[row][column]
        bounds += [substation.limit_kw * span_s * time_scale / 3600, substation.capacity * span_s]
    whole = lil_array((many, many * choices))
    for row in range(many):
        for column in range(choices):
            whole[row, row * choices + column] = 1
    solution = linprog(
        [seconds for row in alone for seconds in row],
        A_ub=limits.tocsr(),
        b_ub=bounds,
        A_eq=whole.tocsr(),
        b_eq=[1.0] * many,
        method="highs",
    )
    if solution.status != 0:
        raise CannotMeasure(f"the linear program of a bound: {solution.message}")
    return float(solution.fun) / many


def _alone_s(vehicle: Arrival, substation: SubstationSpec, time_scale: float) -> float:
    supply = Supply(0, 0.0, 0.0, substation.point_power_kw, substation.limit_kw, time_scale / 3600)
    return alone_s(supply, vehicle.demand.stages(substation.point_power_kw))
