"""Percentiles, and results for each time window of a run. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from load_tester.vehicle import Charge, Outcome

_NICE = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Spread:
    """Statistics of values such as times in seconds; computed exactly, without buckets."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        """Summarize the known values; None if there are none."""
        ordered = sorted(value for value in values if value is not None)
        if not ordered:
            return None
        p50, p90, p99 = (percentile(ordered, percent) for percent in (50, 90, 99))
        return cls(len(ordered), sum(ordered) / len(ordered), p50, p90, p99, ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all do not exceed (nearest rank)."""
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(0, rank - 1)]


def round_width(duration: float, most: int) -> float:
    """Return the smallest round window, seconds, of which at most `most` cover a duration."""
    return next((float(w) for w in _NICE if duration / w <= most), duration / most)


@dataclass(frozen=True, slots=True)
class Window:
    """The results of the vehicles that were due in a time window."""

    start: float
    end: float
    due: int
    charged: int
    lost: int
    time_to_charge: Spread | None
    delay: Spread | None


def window_of(charges: Sequence[Charge], start: float, end: float) -> Window:
    """Summarize vehicles that were all due from `start` to `end`."""
    charged = [charge for charge in charges if charge.outcome is Outcome.CHARGED]
    return Window(
        start,
        end,
        len(charges),
        len(charged),
        sum(charge.outcome.lost for charge in charges),
        Spread.of(charge.time_to_charge for charge in charged),
        Spread.of(charge.delay for charge in charged),
    )


def windows(charges: Sequence[Charge], most: int = 24) -> list[Window]:
    """Divide a run into at most `most` windows of a round width, by when vehicles were due."""
    if not charges:
        return []
    last = max(charge.due for charge in charges)
    width = round_width(last + 1e-9, most)
    cells: list[list[Charge]] = [[] for _ in range(int(last / width) + 1)]
    for charge in charges:
        cells[int(charge.due / width)].append(charge)
    return [window_of(cell, index * width, (index + 1) * width) for index, cell in enumerate(cells)]


def worst_windows(cut: Sequence[Window], most: int = 5) -> list[Window]:
    """Return the windows that lost most vehicles, then those with the longest delay."""

    def badness(window: Window) -> tuple[int, float]:
        spread = window.delay or window.time_to_charge
        return (window.lost, spread.p99 if spread else 0.0)

    busy = [window for window in cut if window.due]
    return sorted(busy, key=badness, reverse=True)[:most]
