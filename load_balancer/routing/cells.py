"""Substations that are much alike, so that one bound holds for all of them. Pure."""

from bisect import bisect_left, insort
from math import inf, log2
from typing import NamedTuple, TypeAlias

from load_balancer.routing.bound import Alike
from load_balancer.routing.substation import Substation

Tier: TypeAlias = tuple[float, float, float]  # power of a point, hours in a second, limit
Energy: TypeAlias = tuple[float, int, Substation]  # the least that is left, order

# So many powers to an octave are told apart, between a watt and more than any substation has.
_PARTS = 8
_LEAST_KW, _MAX_KW = 1e-3, 1e12


class Kind(NamedTuple):
    """What the substations of a cell have in common."""

    point_power_kw: float
    hours_per_s: float
    capacity: int
    load: int
    sessions: int
    limit: int  # which part of an octave
    each: int  # which part of an octave each session could draw


class Cell:
    """Substations of a kind, in the order of the energy that they have left to deliver.

    Its bounds are those of all that it had since it was empty.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.score = (kind.load + 1) / kind.capacity
        self.waits = kind.sessions >= kind.capacity  # until one ends
        self.substations: list[Energy] = []
        self._limits_kw = self._each_kw = (inf, 0.0)

    def __len__(self) -> int:
        return len(self.substations)

    def add(self, energy: Energy, limit_kw: float, each_kw: float) -> None:
        """Put one in."""
        insort(self.substations, energy)
        self._limits_kw = _with(self._limits_kw, limit_kw)
        self._each_kw = _with(self._each_kw, each_kw)

    def remove(self, energy: Energy) -> None:
        """Take one out."""
        del self.substations[bisect_left(self.substations, energy)]

    @property
    def tier(self) -> Tier:
        """What a vehicle could have at best at any of them."""
        kind = self.kind
        return kind.point_power_kw, kind.hours_per_s, min(self._limits_kw[1], kind.point_power_kw)

    def alike(self, place: int) -> Alike:
        """Describe those from this place on."""
        return Alike(
            self.kind.sessions, *self._each_kw, *self._limits_kw, self.substations[place][0]
        )


def part_of_octave(kw: float) -> int:
    """Number the part of an octave where a power is."""
    return int(_PARTS * log2(min(max(kw, _LEAST_KW), _MAX_KW)))


def _with(bounds: tuple[float, float], value: float) -> tuple[float, float]:
    return min(bounds[0], value), max(bounds[1], value)
