"""Estimates how fast a measurement grows, robust against steps and outliers. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import theilslopes  # type: ignore[import-untyped] # scipy has no types


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
    found = theilslopes([y for _, y in points], [x for x, _ in points], alpha=0.95)
    return Slope(float(found.slope), float(found.low_slope), float(found.high_slope))


def binned(points: Sequence[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """Return the median of each bin, because neighbouring samples are correlated."""
    bins: dict[int, list[float]] = {}
    for x, y in points:
        bins.setdefault(math.floor(x / width), []).append(y)
    return [((number + 0.5) * width, statistics.median(ys)) for number, ys in sorted(bins.items())]
