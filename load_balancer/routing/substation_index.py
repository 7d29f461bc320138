"""Many substations, kept in the order in which policies look at them. Pure.

What changes is noted, and put where it belongs when a vehicle is placed next. So a choice takes as
long as those do that are near the best, and a step for each that has changed.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush, heapreplace
from itertools import chain, islice
from typing import Any, NamedTuple

from load_balancer.routing.finish_index import FinishIndex
from load_balancer.routing.finish_search import Rank
from load_balancer.routing.policy import Candidate, Option, Policy, Request
from load_balancer.routing.shortlist import MAX_LISTED
from load_balancer.routing.substation import HealthCheck, Substation
from load_balancer.routing.view import Explanation, candidate_of

# While its energy falls a substation stands where it was put for so many intervals between polls.
_VALID_INTERVALS = 1.5


class _Entry(NamedTuple):
    """Where a substation stands: in which lists, as what."""

    places: tuple[tuple[list[Any], Any], ...]
    capacity: int = 0  # if it is well
    is_silent: bool = False  # it is open, and does not publish its power


_NOWHERE = _Entry(())


class SubstationIndex:
    """A view of many substations, which goes along with them."""

    def __init__(
        self, substations: Mapping[str, Substation], policy: Policy, health_check: HealthCheck
    ) -> None:
        """Begin without any.

        Args:
            substations: all that there are, by address.
            policy: for whose choices they are kept in order.
            health_check: how long a gauge is believed.
        """
        self.capacity = 0  # of those that are well
        self._substations = substations
        self._policy = policy
        self._trust_s = 0.0
        self._now = float("-inf")
        self._entries: dict[Substation, _Entry] = {}
        self._open: list[Rank] = []
        # of equals the first is the last
        self._open_by_load: list[tuple[int, int, Substation]] = []
        self._full: list[tuple[int, Substation]] = []
        self._unwell: list[tuple[int, Substation]] = []
        self._silent = 0
        # each substation once, by a time of its reading
        self._ages: list[tuple[float, int, Substation]] = []
        self._aging: set[Substation] = set()
        self._finishes = FinishIndex()
        self.health_check = health_check

    @property
    def health_check(self) -> HealthCheck:
        """How long a gauge is believed."""
        return self._health_check

    @health_check.setter
    def health_check(self, health_check: HealthCheck) -> None:
        self._health_check = health_check
        self._trust_s = health_check.trust_s
        self._finishes.valid_s = _VALID_INTERVALS * health_check.interval_s

    def at(self, now: float, changed: Iterable[Substation]) -> "SubstationIndex":
        """Go on to a moment.

        Args:
            now: the time.
            changed: the substations that are new, have changed or are gone since the last one.
        """
        self._now = now
        for substation in changed:
            self._put(substation)
        while self._ages and now - self._ages[0][0] > self._trust_s:
            _, order, substation = self._ages[0]
            if now - substation.read_at > self._trust_s:
                heappop(self._ages)
                self._aging.discard(substation)
                self._put(substation)
            else:
                heapreplace(self._ages, (substation.read_at, order, substation))
        for substation in self._finishes.due(now):
            self._put(substation)
        return self

    def _put(self, substation: Substation) -> None:
        """Put a substation where it belongs now."""
        before = self._entries.get(substation, _NOWHERE)
        is_known = self._substations.get(substation.address) is substation
        entry = self._entry(substation) if is_known else _NOWHERE
        if not entry.capacity:
            self._finishes.take_out(substation)
        if entry == before:  # most polls find what is known already
            return
        for ordered, key in before.places:
            del ordered[bisect_left(ordered, key)]
        for ordered, key in entry.places:
            insort(ordered, key)
        self.capacity += entry.capacity - before.capacity
        self._silent += entry.is_silent - before.is_silent
        if is_known:
            self._entries[substation] = entry
        else:
            del self._entries[substation]

    def _entry(self, substation: Substation) -> _Entry:
        order, capacity = substation.order, substation.capacity
        if substation.what_is_wrong(self._now) is not None:
            return _Entry(((self._unwell, (order, substation)),))
        if substation not in self._aging:
            self._aging.add(substation)
            heappush(self._ages, (substation.read_at, order, substation))
        is_full = substation.known_load >= capacity
        if is_full and not capacity:
            return _Entry(((self._full, (order, substation)),))
        load = substation.load
        rank = (load + 1) / capacity, substation.last_chosen, order, substation
        if self._policy.predicts:
            self._finishes.put(rank, self._now)
        if is_full:
            return _Entry(((self._full, (order, substation)),), capacity)
        places = (self._open, rank), (self._open_by_load, (load, -order, substation))
        return _Entry(places, capacity, self._policy.predicts and substation.energy is None)

    # The view

    def has_point(self, barred: Collection[str] = ()) -> bool:
        """Tell whether any substation has a free point."""
        return len(self._open) > self._open_among(barred)

    def options(
        self, request: Request, barred: Collection[str], kept: Mapping[str, int]
    ) -> list[Option]:
        """List what may be among the best two of a vehicle's options.

        In the order of the substations.
        """

        def option_of(substation: Substation) -> Option | None:
            return None if substation.address in barred else self._option(substation, kept)

        if self._policy.predicts:
            options = self._finishes.options(request, option_of)
            if self._silent:  # one of them may be the least loaded
                options.append(self._option(next(self._best(barred)), kept))
        elif self._policy.takes_least:
            options = [self._option(next(self._best(barred)), kept)]
        else:
            options = [self._option(substation, kept) for substation in self._best(barred)]
        found = {one.candidate.address: one for one in options}
        return sorted(found.values(), key=self._order)

    def explain(self, chosen: Candidate, barred: Collection[str]) -> Explanation:
        """Tell among which substations one was chosen.

        Of many the best, the fullest and that one.
        """
        listed = {
            self._substations[chosen.address],
            next(_allowed(reversed(self._open), barred)),
            next(_allowed(reversed(self._open_by_load), barred)),
        }
        for substation in self._best(barred):
            if len(listed) == MAX_LISTED:
                break
            listed.add(substation)
        candidates = sorted(listed, key=_order_of)
        ineligible = list(islice(chain(self._unwell, self._full), MAX_LISTED))
        if len(self._unwell) + len(self._full) == len(ineligible):
            ineligible.sort()
        return Explanation(
            tuple([self._candidate(substation) for substation in candidates]),
            tuple(
                [
                    (substation.name, substation.ineligible_reason(self._now) or "")
                    for _, substation in ineligible
                ]
            ),
            len(self._open) - self._open_among(barred) - len(candidates),
            len(self._unwell) + len(self._full) - len(ineligible),
        )

    def _best(self, barred: Collection[str]) -> Iterator[Substation]:
        """Give those with a free point, the least loaded first."""
        return _allowed(self._open, barred)

    def _open_among(self, addresses: Collection[str]) -> int:
        substations = (self._substations.get(address) for address in addresses)
        return sum(
            substation is not None and self._is_open(substation) for substation in substations
        )

    def _is_open(self, substation: Substation) -> bool:
        entry = self._entries.get(substation)
        return entry is not None and len(entry.places) > 1

    def _option(self, substation: Substation, kept: Mapping[str, int]) -> Option:
        known_load, supply = substation.known_load, None
        if self._policy.predicts and substation.energy is not None:
            supply = substation.energy.supply(known_load, self._now)
        free = substation.capacity - known_load - kept.get(substation.address, 0)
        return Option(self._candidate(substation), free, supply)

    def _candidate(self, substation: Substation) -> Candidate:
        return candidate_of(substation, substation.capacity, substation.known_load, self._now)

    def _order(self, option: Option) -> int:
        return self._substations[option.candidate.address].order


def _order_of(substation: Substation) -> int:
    return substation.order


def _allowed(ordered: Iterable[tuple[Any, ...]], barred: Collection[str]) -> Iterator[Substation]:
    """Give the substations of a list, without those that are barred; few vehicles bar any."""
    substations = (place[-1] for place in ordered)
    if not barred:
        return substations
    return (substation for substation in substations if substation.address not in barred)
