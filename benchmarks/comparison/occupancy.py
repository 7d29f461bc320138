"""How full each substation was over time, from its log. Pure; times in seconds of the run."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf


@dataclass(frozen=True, slots=True)
class Away:
    """A period in which a substation could not be used, or its log is incomplete."""

    since: float
    until: float


class Occupancy:
    """The occupied points of one substation over a run."""

    def __init__(
        self, capacity: int, stays: Iterable[tuple[float, float]], away: Sequence[Away] = ()
    ) -> None:
        """Add up the stays (start and end of each) at a substation."""
        self.capacity = capacity
        self._away = tuple(away)
        changes: list[tuple[float, int]] = []
        for began, ended in stays:
            changes += [(began, 1), (ended, -1)]
        changes.sort()
        self._moments = [-inf]
        self._loads = [0]
        for at, change in changes:
            load = self._loads[-1] + change
            if at == self._moments[-1]:
                self._loads[-1] = load
            else:
                self._moments.append(at)
                self._loads.append(load)

    @property
    def moments(self) -> Sequence[float]:
        """The times at which something changed."""
        return self._moments[1:] + [at for one in self._away for at in (one.since, one.until)]

    def load(self, at: float) -> int:
        """Return the number of vehicles there at a time."""
        return self._loads[bisect_right(self._moments, at) - 1]

    def is_usable(self, at: float) -> bool:
        """Return whether a vehicle could have been sent there at a time."""
        return not any(one.since <= at < one.until for one in self._away)

    def was_free(self, at: float, for_s: float) -> bool:
        """Return whether a point of a usable substation had been free for some time."""
        since = at - for_s
        if any(one.since <= at and since < one.until for one in self._away):
            return False
        first = bisect_right(self._moments, since) - 1
        last = bisect_right(self._moments, at) - 1
        return max(self._loads[first : last + 1]) < self.capacity


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Difference between the fullest and the emptiest usable substation, as shares of their points.

    `worst` is the maximum over intervals of a tenth of a second, each taken at its mean:
    differences of a millisecond, as while a burst is distributed, do not count.
    """

    mean: float
    worst: float


_WINDOW_S = 0.1


def imbalance(substations: Sequence[Occupancy], until: float) -> Imbalance:
    """Compute the imbalance from 0 to a time, weighted by how long each state lasted."""
    count = max(1, round(until / _WINDOW_S))
    windows = [0.0] * count
    edges = {index * until / count for index in range(count + 1)}
    moments = sorted(
        edges | {at for substation in substations for at in substation.moments if 0 < at < until}
    )
    for since, to in pairwise(moments):
        windows[min(count - 1, int(since / until * count + 1e-9))] += (to - since) * _spread(
            substations, since
        )
    return Imbalance(sum(windows) / until, max(windows) * count / until)


def _spread(substations: Sequence[Occupancy], at: float) -> float:
    shares = [
        substation.load(at) / substation.capacity
        for substation in substations
        if substation.is_usable(at)
    ]
    return max(shares) - min(shares) if shares else 0.0
