"""When vehicles arrive: a Poisson process with a given count. Pure: randomness is passed in.

That many times are drawn independently from the rate curve. Count and duration are then exact, and
arrivals cluster as in real traffic.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise


class Spacing(StrEnum):
    """How arrivals follow each other."""

    POISSON = "poisson"  # independent of each other, as in the field
    EVEN = "even"  # at equal intervals


@dataclass(frozen=True, slots=True)
class Streams:
    """Separate random numbers for arrivals and energies: a change to one keeps the other."""

    arrivals: random.Random
    energies: random.Random

    @classmethod
    def from_seed(cls, seed: int) -> "Streams":
        """Create both from one seed; the same seed gives the same vehicles."""
        return cls(
            random.Random(f"arrivals/{seed}"),  # noqa: S311 - a model of demand, not security
            random.Random(f"energies/{seed}"),  # noqa: S311 - likewise
        )


class RateCurve:
    """An arrival rate over time, vehicles per second, linear between its knots."""

    def __init__(self, knots: Sequence[tuple[float, float]]) -> None:
        self._knots = list(knots)
        self._counts = [0.0]  # expected vehicles up to each knot
        for (start, low), (end, high) in pairwise(self._knots):
            self._counts.append(self._counts[-1] + (end - start) * (low + high) / 2)

    @property
    def total(self) -> float:
        """Expected total number of vehicles."""
        return self._counts[-1]

    def moment(self, count: float) -> float:
        """Return when this many vehicles have arrived, seconds."""
        piece = min(bisect_right(self._counts, count), len(self._counts) - 1) - 1
        (start, low), (end, high) = self._knots[piece], self._knots[piece + 1]
        missing = count - self._counts[piece]
        if missing <= 0:
            return start
        # Solve low·t + growth·t²/2 = missing, in the form that is stable as growth nears 0.
        growth = (high - low) / (end - start)
        root = math.sqrt(max(0.0, low * low + 2 * growth * missing))
        return min(end, start + 2 * missing / (low + root))


def arrivals(curve: RateCurve, count: int, spacing: Spacing, rng: random.Random) -> list[float]:
    """Return `count` arrival times that follow a rate curve, in order."""
    if spacing is Spacing.EVEN:
        shares = [index / count for index in range(count)]
    else:
        shares = sorted(rng.random() for _ in range(count))
    return [round(curve.moment(share * curve.total), 6) for share in shares]
