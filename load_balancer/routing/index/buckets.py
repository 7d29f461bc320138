"""Buckets of similar substations, with one lower bound for all of a bucket. Pure."""

from bisect import bisect_left, insort
from math import inf, log2
from typing import NamedTuple, TypeAlias

from load_balancer.routing.index.lower_bound import SupplyRange
from load_balancer.routing.substation import Substation

Tier: TypeAlias = tuple[float, float, float]  # power of a point, hours per second, limit
Energy: TypeAlias = tuple[float, int, Substation]  # least remaining energy, order of the substation

# Powers are similar if they are in the same one of this many parts of an octave.
_PARTS = 8
# Smaller and greater powers, which no substation has, count as these.
_MIN_KW, _MAX_KW = 1e-3, 1e12


class BucketKey(NamedTuple):
    """What the substations of a bucket have in common."""

    point_power_kw: float
    hours_per_s: float
    capacity: int
    load: int
    sessions: int
    limit: int  # part of an octave of the power limit
    each: int  # part of an octave of the power that each session could draw


class Bucket:
    """Similar substations, in the order of the energy that they still have to deliver.

    Its ranges of powers include those of substations that have left it.
    """

    def __init__(self, key: BucketKey) -> None:
        self.key = key
        self.score = (key.load + 1) / key.capacity
        self.waits = key.sessions >= key.capacity  # a vehicle waits there for the end of a session
        self.substations: list[Energy] = []
        self._limits_kw = self._each_kw = (inf, 0.0)

    def __len__(self) -> int:
        return len(self.substations)

    def add(self, energy: Energy, limit_kw: float, each_kw: float) -> None:
        """Add a substation."""
        insort(self.substations, energy)
        self._limits_kw = _extended(self._limits_kw, limit_kw)
        self._each_kw = _extended(self._each_kw, each_kw)

    def remove(self, energy: Energy) -> None:
        """Remove a substation."""
        del self.substations[bisect_left(self.substations, energy)]

    @property
    def tier(self) -> Tier:
        """The best that a vehicle could have at any of them."""
        key = self.key
        return key.point_power_kw, key.hours_per_s, min(self._limits_kw[1], key.point_power_kw)

    def supply_range(self, start: int) -> SupplyRange:
        """Return the ranges of the substations from this place on."""
        return SupplyRange(
            self.key.sessions, *self._each_kw, *self._limits_kw, self.substations[start][0]
        )


def part_of_octave(kw: float) -> int:
    """Return the number of the part of an octave that contains a power."""
    return int(_PARTS * log2(min(max(kw, _MIN_KW), _MAX_KW)))


def _extended(bounds: tuple[float, float], value: float) -> tuple[float, float]:
    return min(bounds[0], value), max(bounds[1], value)
