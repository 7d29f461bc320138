"""The least that a vehicle can cost at any of some substations that are much alike. Pure.

`prediction` follows the others there from one end to the next. So does this, for substations whose
limits, and whose others' powers, lie between two values: what a kWh costs beside so many others is
taken at its least, and so is the energy that it gets before the next of them ends. Fewer others
never make a kWh dearer, so the sum is below the cost at each of them.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from load_balancer.routing.demand import ChargingStage
from load_balancer.routing.prediction import MAX_ENDS, guaranteed_kw


class Alike(NamedTuple):
    """Substations that are much alike, with as many sessions each."""

    sessions: int
    least_each_kw: float  # what a session could draw
    most_each_kw: float
    least_limit_kw: float
    most_limit_kw: float
    least_kwh: float  # what the sessions of one still have to get, all together


def least_start_hours(alike: Alike) -> float:
    """Return how long it takes at the least until a point is free where all are taken."""
    return _hours(
        alike.least_kwh / (alike.sessions * alike.sessions),
        min(alike.most_each_kw, alike.most_limit_kw / alike.sessions),
    )


def least_cost_hours(
    alike: Alike, stages: Sequence[ChargingStage], factor: float, *, waits: bool
) -> float:
    """Return the least that a vehicle costs, from now on: its own time, and what others lose by it.

    Args:
        alike: the substations.
        stages: how the vehicle draws its energy at a point there.
        factor: what an hour at the point counts for.
        waits: whether the others have to end first, one of them at least.
    """
    others = alike.sessions
    apart_kwh = 2 * alike.least_kwh / (others * others)
    to_next_kwh = apart_kwh / 2
    cost = 0.0
    if waits:
        cost = least_start_hours(alike)
        others -= 1
        to_next_kwh = apart_kwh
    fewest = max(0, others - MAX_ENDS)
    for left_kwh, cap_kw in stages:
        while others > fewest:
            room_kw = alike.most_limit_kw - others * alike.least_each_kw
            if room_kw >= cap_kw:
                break
            most_own_kw = max(
                room_kw, guaranteed_kw(others, alike.most_each_kw, alike.most_limit_kw, cap_kw)
            )
            if most_own_kw <= 0:
                return inf
            own_kw = max(
                min(cap_kw, alike.least_limit_kw - others * alike.most_each_kw),
                guaranteed_kw(others, alike.most_each_kw, alike.least_limit_kw, cap_kw),
            )
            other_kw = min(alike.most_each_kw, (alike.most_limit_kw - own_kw) / others)
            until_next_kwh = own_kw * _hours(to_next_kwh, other_kw) if own_kw > 0 else 0.0
            kwh = min(left_kwh, until_next_kwh)
            cost += kwh * factor / most_own_kw
            if own_kw > max(0.0, room_kw):
                theirs = 1 - max(0.0, room_kw) / own_kw
                cost += kwh * theirs / alike.most_each_kw
            left_kwh -= kwh
            if left_kwh <= 0 < until_next_kwh:
                to_next_kwh -= to_next_kwh * kwh / until_next_kwh
                break
            others -= 1
            to_next_kwh = apart_kwh
        cost += factor * _hours(left_kwh, min(cap_kw, alike.most_limit_kw))
    return cost


def _hours(kwh: float, kw: float) -> float:
    return kwh / kw if kw > 0 else inf if kwh > 0 else 0.0
