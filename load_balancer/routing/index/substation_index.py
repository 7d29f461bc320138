"""Many substations, kept in the order in which policies look at them. Pure.

Changed substations are put where they belong before the next choice. So a choice takes one step for
each substation that has changed, and for each that is near the best.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush, heapreplace
from itertools import chain, islice
from typing import Any, NamedTuple

from load_balancer.routing.health import HealthCheck
from load_balancer.routing.index.finish_index import FinishIndex
from load_balancer.routing.index.finish_search import Rank
from load_balancer.routing.policy import Candidate, Option, Policy, Request
from load_balancer.routing.substation import Substation
from load_balancer.routing.view import MAX_LISTED, Explanation, candidate_of

# How long the place of a substation is valid while its energy falls, in intervals between polls.
_VALID_INTERVALS = 1.5


class _Entry(NamedTuple):
    """The places of a substation: pairs of a sorted list and the key there."""

    places: tuple[tuple[list[Any], Any], ...]
    capacity: int = 0  # if it is available
    has_unknown_power: bool = False  # and a free point


_NOWHERE = _Entry(())


class SubstationIndex:
    """A view of many substations that is updated as they change."""

    def __init__(
        self, substations: Mapping[str, Substation], policy: Policy, health_check: HealthCheck
    ) -> None:
        """Create an index without substations.

        Args:
            substations: all substations, by address.
            policy: the policy that chooses among them.
            health_check: for how long a gauge is trusted.
        """
        self.health_check = health_check
        self.capacity = 0  # of all available substations
        self._substations = substations
        self._policy = policy
        self._now = float("-inf")
        self._entries: dict[Substation, _Entry] = {}
        self._open: list[Rank] = []
        # of equal loads, the first substation comes last
        self._open_by_load: list[tuple[int, int, Substation]] = []
        self._full: list[tuple[int, Substation]] = []
        self._unavailable: list[tuple[int, Substation]] = []
        self._with_unknown_power = 0
        # each substation once, with the time of one of its readings
        self._readings: list[tuple[float, int, Substation]] = []
        self._has_reading: set[Substation] = set()
        self._finishes = FinishIndex()

    def at(self, now: float, changed: Iterable[Substation]) -> "SubstationIndex":
        """Bring the index up to date.

        Args:
            now: the time.
            changed: the substations that were added, changed or removed since the last update.
        """
        self._now = now
        for substation in changed:
            self._put(substation)
        trust_s = self.health_check.trust_s
        while self._readings and now - self._readings[0][0] > trust_s:
            _, order, substation = self._readings[0]
            if now - substation.read_at > trust_s:
                heappop(self._readings)
                self._has_reading.discard(substation)
                self._put(substation)
            else:
                heapreplace(self._readings, (substation.read_at, order, substation))
        for substation in self._finishes.expired(now):
            self._put(substation)
        return self

    def _put(self, substation: Substation) -> None:
        """Put a substation where it belongs now."""
        before = self._entries.get(substation, _NOWHERE)
        is_known = self._substations.get(substation.address) is substation
        entry = self._entry(substation) if is_known else _NOWHERE
        if not entry.capacity:
            self._finishes.remove(substation)
        if entry == before:  # most polls find nothing new
            return
        for ordered, key in before.places:
            del ordered[bisect_left(ordered, key)]
        for ordered, key in entry.places:
            insort(ordered, key)
        self.capacity += entry.capacity - before.capacity
        self._with_unknown_power += entry.has_unknown_power - before.has_unknown_power
        if is_known:
            self._entries[substation] = entry
        else:
            del self._entries[substation]

    def _entry(self, substation: Substation) -> _Entry:
        order, capacity = substation.order, substation.capacity
        if substation.unavailable_reason(self._now) is not None:
            return _Entry(((self._unavailable, (order, substation)),))
        if substation not in self._has_reading:
            self._has_reading.add(substation)
            heappush(self._readings, (substation.read_at, order, substation))
        is_full = substation.known_load >= capacity
        if is_full and not capacity:
            return _Entry(((self._full, (order, substation)),))
        load = substation.load
        rank = (load + 1) / capacity, substation.last_chosen, order, substation
        if self._policy.predicts:
            valid_s = _VALID_INTERVALS * self.health_check.interval_s
            self._finishes.put(rank, self._now + valid_s)
        if is_full:
            return _Entry(((self._full, (order, substation)),), capacity)
        places = (self._open, rank), (self._open_by_load, (load, -order, substation))
        return _Entry(places, capacity, self._policy.predicts and substation.energy is None)

    # The view

    def has_point(self, rejected_by: Collection[str] = ()) -> bool:
        """Return whether any substation has a free point."""
        return len(self._open) > self._open_among(rejected_by)

    def options(
        self, request: Request, rejected_by: Collection[str], reserved: Mapping[str, int]
    ) -> list[Option]:
        """Return the options that may be among the best two, in the order of the substations."""

        def option_of(substation: Substation) -> Option | None:
            return None if substation.address in rejected_by else self._option(substation, reserved)

        if self._policy.predicts:
            options = self._finishes.options(request, option_of)
            if self._with_unknown_power:  # one of those may be the least loaded
                options.append(self._option(next(self._best(rejected_by)), reserved))
        elif self._policy.takes_least:
            options = [self._option(next(self._best(rejected_by)), reserved)]
        else:
            options = [self._option(substation, reserved) for substation in self._best(rejected_by)]
        found = {one.candidate.address: one for one in options}
        return sorted(found.values(), key=self._order)

    def explain(self, chosen: Candidate, rejected_by: Collection[str]) -> Explanation:
        """Return the substations among which one was chosen: of many the best and the fullest."""
        listed = {
            self._substations[chosen.address],
            next(_allowed(reversed(self._open), rejected_by)),
            next(_allowed(reversed(self._open_by_load), rejected_by)),
        }
        for substation in self._best(rejected_by):
            if len(listed) == MAX_LISTED:
                break
            listed.add(substation)
        candidates = sorted(listed, key=_order_of)
        ineligible = list(islice(chain(self._unavailable, self._full), MAX_LISTED))
        if len(self._unavailable) + len(self._full) == len(ineligible):
            ineligible.sort()
        return Explanation(
            tuple([self._candidate(substation) for substation in candidates]),
            tuple(
                [
                    (substation.name, substation.ineligible_reason(self._now) or "")
                    for _, substation in ineligible
                ]
            ),
            len(self._open) - self._open_among(rejected_by) - len(candidates),
            len(self._unavailable) + len(self._full) - len(ineligible),
        )

    def _best(self, rejected_by: Collection[str]) -> Iterator[Substation]:
        """Return the substations with a free point, the least loaded first."""
        return _allowed(self._open, rejected_by)

    def _open_among(self, addresses: Collection[str]) -> int:
        if not addresses:  # the usual case
            return 0
        substations = (self._substations.get(address) for address in addresses)
        return sum(
            substation is not None and self._is_open(substation) for substation in substations
        )

    def _is_open(self, substation: Substation) -> bool:
        entry = self._entries.get(substation)
        return entry is not None and len(entry.places) > 1

    def _option(self, substation: Substation, reserved: Mapping[str, int]) -> Option:
        known_load, supply = substation.known_load, None
        if self._policy.predicts and substation.energy is not None:
            supply = substation.energy.supply(known_load, self._now)
        free = substation.capacity - known_load - reserved.get(substation.address, 0)
        return Option(self._candidate(substation), free, supply)

    def _candidate(self, substation: Substation) -> Candidate:
        return candidate_of(substation, substation.capacity, self._now)

    def _order(self, option: Option) -> int:
        return self._substations[option.candidate.address].order


def _order_of(substation: Substation) -> int:
    return substation.order


def _allowed(
    ordered: Iterable[tuple[Any, ...]], rejected_by: Collection[str]
) -> Iterator[Substation]:
    """Return the substations of a list, without those that rejected the vehicle."""
    substations = (place[-1] for place in ordered)
    if not rejected_by:
        return substations
    return (substation for substation in substations if substation.address not in rejected_by)
