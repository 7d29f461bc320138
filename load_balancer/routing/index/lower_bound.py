"""A lower bound of what a vehicle costs at any of several similar substations. Pure.

Like `prediction`, it steps from the end of one session to the next. The limits of the substations,
and the powers of their sessions, are known as ranges. In each step the vehicle gets its energy at
the lowest possible cost per kWh, and as little of it as possible before the next session ends.
With fewer sessions beside it a kWh never costs more, so the sum is a lower bound.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from load_balancer.routing.demand import ChargingStage
from load_balancer.routing.prediction import MAX_ENDS, guaranteed_kw, hours_of


class SupplyRange(NamedTuple):
    """Similar substations with the same number of sessions, and the ranges of their powers."""

    sessions: int
    min_each_kw: float  # power that each session could draw
    max_each_kw: float
    min_limit_kw: float
    max_limit_kw: float
    min_kwh: float  # that the sessions of one substation still have to get


def min_start_hours(supply: SupplyRange) -> float:
    """Return the least time until a point is free where all are taken."""
    return hours_of(
        supply.min_kwh / (supply.sessions * supply.sessions),
        min(supply.max_each_kw, supply.max_limit_kw / supply.sessions),
    )


def min_cost_hours(
    supply: SupplyRange, stages: Sequence[ChargingStage], factor: float, *, waits: bool
) -> float:
    """Return the least cost of a vehicle from now on: its own time, and the time that others lose.

    Args:
        supply: the substations.
        stages: how the vehicle draws its energy at a point there.
        factor: the weight of an hour at the point.
        waits: whether at least one session has to end first.
    """
    others = supply.sessions
    apart_kwh = 2 * supply.min_kwh / (others * others)
    to_next_kwh = apart_kwh / 2
    cost = 0.0
    if waits:
        cost = min_start_hours(supply)
        others -= 1
        to_next_kwh = apart_kwh
    fewest = max(0, others - MAX_ENDS)
    for left_kwh, cap_kw in stages:
        while others > fewest:
            room_kw = supply.max_limit_kw - others * supply.min_each_kw
            if room_kw >= cap_kw:
                break
            max_own_kw = max(
                room_kw, guaranteed_kw(others, supply.max_each_kw, supply.max_limit_kw, cap_kw)
            )
            if max_own_kw <= 0:
                return inf
            own_kw = max(
                min(cap_kw, supply.min_limit_kw - others * supply.max_each_kw),
                guaranteed_kw(others, supply.max_each_kw, supply.min_limit_kw, cap_kw),
            )
            other_kw = min(supply.max_each_kw, (supply.max_limit_kw - own_kw) / others)
            until_next_kwh = own_kw * hours_of(to_next_kwh, other_kw) if own_kw > 0 else 0.0
            kwh = min(left_kwh, until_next_kwh)
            cost += kwh * factor / max_own_kw
            if own_kw > max(0.0, room_kw):
                theirs = 1 - max(0.0, room_kw) / own_kw
                cost += kwh * theirs / supply.max_each_kw
            left_kwh -= kwh
            if left_kwh <= 0 < until_next_kwh:
                to_next_kwh -= to_next_kwh * kwh / until_next_kwh
                break
            others -= 1
            to_next_kwh = apart_kwh
        cost += factor * hours_of(left_kwh, min(cap_kw, supply.max_limit_kw))
    return cost
