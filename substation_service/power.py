"""How the sessions of a substation share its power limit. Pure: powers in, powers out.

Each function takes the limit and the sessions' caps, the maximum that each can draw now, in the
order of plug-in, all in kW. It returns the power of each in the same order. Their sum never exceeds
the limit, not even by a rounding error.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from math import fsum, inf

Allocation = Callable[[Sequence[float], float], list[float]]

# The share of an equal split that `first_come` guarantees.
_GUARANTEED = 0.5
# Scales a sum that exceeds the limit by rounding errors to just below it.
_JUST_BELOW = 1 - 2**-50


class Sharing(StrEnum):
    """The ways to share a limit."""

    FIRST_COME = "first-come"
    EQUAL = "equal"


def equal(caps: Sequence[float], limit: float) -> list[float]:
    """Share max-min fairly: nobody can get more except from someone who has no more."""
    level = _level(caps, limit)
    return _within(limit, [min(cap, level) for cap in caps])


def first_come(caps: Sequence[float], limit: float) -> list[float]:
    """Guarantee each half of its equal share, or its cap; the rest goes in order of arrival.

    A newcomer then hardly slows earlier vehicles, and nobody starves.
    """
    guaranteed = _GUARANTEED * _level(caps, limit)
    powers = [min(cap, guaranteed) for cap in caps]
    left = limit - fsum(powers)
    for index, cap in enumerate(caps):
        if left <= 0:
            break
        power = min(cap, powers[index] + left)
        left -= power - powers[index]
        powers[index] = power
    return _within(limit, powers)


ALLOCATIONS: dict[Sharing, Allocation] = {
    Sharing.FIRST_COME: first_come,
    Sharing.EQUAL: equal,
}


def _level(caps: Sequence[float], limit: float) -> float:
    """Return the highest power that anybody gets if all are as equal as their caps allow."""
    left, sharers = limit, len(caps)
    for cap in sorted(caps):
        if cap * sharers >= left:
            return max(0.0, left / sharers)
        left -= cap
        sharers -= 1
    return inf


def _within(limit: float, powers: list[float]) -> list[float]:
    total = fsum(powers)
    if total <= limit:
        return powers
    scale = limit / total * _JUST_BELOW
    scaled = [power * scale for power in powers]
    # Denormal numbers (1e-320 kW) cannot be scaled.
    return scaled if fsum(scaled) <= limit else [0.0] * len(powers)
