"""Estimates how fast a measurement grows, robust against steps and outliers. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

# Quantile of the normal distribution for 95%.
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Slope:
    """A growth with its 95% confidence interval, in units of y over x."""

    estimate: float
    low: float
    high: float


def theil_sen(points: Sequence[tuple[float, float]]) -> Slope:
    """Estimate a slope: the median of the slopes of all pairs of points, with Sen's interval.

    Raises:
        ValueError: fewer than three points.
    """
    if len(points) < 3:
        raise ValueError("a slope with an interval takes at least three points")
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
    count = len(points)
    spread = _Z * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, math.floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return Slope(statistics.median(slopes), slopes[low], slopes[high])


def binned(points: Sequence[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """Return the median of each bin, because neighbouring samples are correlated."""
    bins: dict[int, list[float]] = {}
    for x, y in points:
        bins.setdefault(math.floor(x / width), []).append(y)
    return [((number + 0.5) * width, statistics.median(ys)) for number, ys in sorted(bins.items())]
