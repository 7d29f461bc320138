"""Predicts when a vehicle would be charged at a substation, from the substation's gauges. Pure.

Gauges do not show single sessions. The n sessions there are assumed to have their remaining energy
R spread evenly over 0 to 2R/n, and to be able to draw an equal part of the committed power each.
The prediction steps from the end of one session to the next. Power is shared as substations do by
default (`first-come`): earlier sessions keep theirs, and a new one gets what is left, but at least
half of an equal share.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from load_balancer.routing.demand import ChargingStage

_GUARANTEED = 0.5  # of an equal share
# Maximum number of steps: each takes time, and a page may report a million sessions.
MAX_ENDS = 256


class Supply(NamedTuple):
    """The power and energy at a substation now."""

    sessions: int
    committed_kw: float  # that its sessions could draw
    remaining_kwh: float  # that its sessions still have to get
    point_power_kw: float
    limit_kw: float
    hours_per_s: float  # hours of charging in a second of the balancer's clock


class Prediction(NamedTuple):
    """The predicted times of a session, seconds of the balancer's clock; infinite without power."""

    start_s: float  # from now until a point is free for it
    charging_s: float
    slows_s: float = 0.0  # that the sessions there lose by it in total

    @property
    def finish_s(self) -> float:
        """From now until it is charged."""
        return self.start_s + self.charging_s


def predict(supply: Supply, stages: Sequence[ChargingStage], *, after_ends: int = 0) -> Prediction:
    """Predict the session of a vehicle that plugs in next.

    If more than 256 sessions end before it is charged, its power stays the same from then on. If
    that many have to end before a point is free, it never gets one.

    Args:
        supply: the power and energy there.
        stages: how the vehicle draws its energy at a point there.
        after_ends: number of sessions that have to end before a point is free for it. All points
            but the last go to vehicles before it in the queue.
    """
    if not after_ends and supply.limit_kw - supply.committed_kw >= supply.point_power_kw:
        return Prediction(0.0, alone_s(supply, stages))  # no session is limited
    if after_ends > MAX_ENDS:
        return Prediction(inf, inf)
    sessions = supply.sessions
    each_kw = min(supply.committed_kw / sessions, supply.point_power_kw) if sessions else 0.0
    # Energy of each session from one end to the next; half of it until the first end.
    apart_kwh = 2 * supply.remaining_kwh / (sessions * sessions) if sessions else 0.0
    to_next_kwh = apart_kwh / 2
    start = 0.0
    if after_ends and sessions:
        ends: list[float] = []
        for left in range(sessions, max(0, sessions - after_ends), -1):
            start += hours_of(to_next_kwh, min(each_kw, supply.limit_kw / left))
            ends.append(start)
            to_next_kwh = apart_kwh
        # Vehicles before it in the queue are assumed to charge as long as it would alone.
        while len(ends) < after_ends:
            start = max(start, ends[-sessions] + _alone(supply, stages))
            ends.append(start)
        sessions -= 1
    charging, slows = _beside(sessions, each_kw, to_next_kwh, apart_kwh, supply.limit_kw, stages)
    an_hour_s = 1 / supply.hours_per_s
    return Prediction(start * an_hour_s, charging * an_hour_s, slows * an_hour_s)


def alone_s(supply: Supply, stages: Sequence[ChargingStage]) -> float:
    """Return the time that a vehicle would take there alone, its minimum, seconds."""
    return _alone(supply, stages) / supply.hours_per_s


def _alone(supply: Supply, stages: Sequence[ChargingStage]) -> float:
    hours = 0.0
    for kwh, cap_kw in stages:
        hours += hours_of(kwh, min(cap_kw, supply.limit_kw))
    return hours


def _beside(
    others: int,
    each_kw: float,
    to_next_kwh: float,
    apart_kwh: float,
    limit_kw: float,
    stages: Sequence[ChargingStage],
) -> tuple[float, float]:
    """Return the hours that a new session takes beside others, and the hours that they lose by it.

    They lose what it draws beyond the power that they leave unused.
    """
    hours = taken_kwh = 0.0
    last = others - MAX_ENDS
    for left_kwh, cap_kw in stages:
        while (room_kw := limit_kw - others * each_kw) < cap_kw and others:
            own_kw = max(room_kw, guaranteed_kw(others, each_kw, limit_kw, cap_kw))
            other_kw = min(each_kw, (limit_kw - own_kw) / others)
            span = hours_of(to_next_kwh, other_kw)
            theirs = 1 - max(0.0, room_kw) / own_kw if own_kw else 0.0
            if own_kw * span >= left_kwh:
                cap_kw = own_kw
                taken_kwh += theirs * left_kwh
                to_next_kwh -= other_kw * left_kwh / own_kw
                break
            if span == inf:
                return inf, 0.0
            if others == last:
                cap_kw = own_kw
                taken_kwh += theirs * left_kwh
                break
            hours += span
            taken_kwh += theirs * own_kw * span
            left_kwh -= own_kw * span
            to_next_kwh = apart_kwh
            others -= 1
        hours += hours_of(left_kwh, min(cap_kw, limit_kw))
    return hours, taken_kwh / each_kw if taken_kwh else 0.0


def guaranteed_kw(others: int, each_kw: float, limit_kw: float, cap_kw: float) -> float:
    """Return the power that a new session gets whatever the others draw."""
    equal_kw = limit_kw / (others + 1)
    if each_kw > equal_kw > cap_kw:  # the others share the rest
        equal_kw = (limit_kw - cap_kw) / others
    return min(cap_kw, _GUARANTEED * equal_kw)


def hours_of(kwh: float, kw: float) -> float:
    """Return the time to deliver an amount of energy; infinite without power."""
    return kwh / kw if kw > 0 else inf if kwh > 0 else 0.0
