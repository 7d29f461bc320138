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
from load_balancer.routing.shortlist import MOST_LISTED
from load_balancer.routing.substation import Patience, Site
from load_balancer.routing.view import Explanation, candidate_of

# While its energy falls a site stands where it was put for so many intervals between polls.
_VALID_INTERVALS = 1.5


class _Entry(NamedTuple):
    """Where a site stands: in which lists, as what."""

    places: tuple[tuple[list[Any], Any], ...]
    capacity: int = 0  # if it is well
    is_silent: bool = False  # it is open, and does not publish its power


class SiteIndex:
    """A view of many sites, which goes along with them."""

    def __init__(self, sites: Mapping[str, Site], policy: Policy, patience: Patience) -> None:
        """Begin without any.

        Args:
            sites: all that there are, by address.
            policy: for whose choices they are kept in order.
            patience: how long a gauge is believed.
        """
        self.capacity = 0  # of those that are well
        self._sites = sites
        self._policy = policy
        self._trust_s = 0.0
        self._now = float("-inf")
        self._entries: dict[Site, _Entry] = {}
        self._open: list[Rank] = []
        self._open_by_load: list[tuple[int, int, Site]] = []  # of equals the first is the last
        self._full: list[tuple[int, Site]] = []
        self._unwell: list[tuple[int, Site]] = []
        self._silent = 0
        self._ages: list[tuple[float, int, Site]] = []  # each site once, by a time of its reading
        self._aging: set[Site] = set()
        self._finishes = FinishIndex()
        self.patience = patience

    @property
    def patience(self) -> Patience:
        """How long a gauge is believed."""
        return self._patience

    @patience.setter
    def patience(self, patience: Patience) -> None:
        self._patience = patience
        self._trust_s = patience.trust_s
        self._finishes.valid_s = _VALID_INTERVALS * patience.interval_s

    def at(self, now: float, changed: Iterable[Site]) -> "SiteIndex":
        """Go on to a moment.

        Args:
            now: the time.
            changed: the sites that are new, have changed or are gone since the last one.
        """
        self._now = now
        for site in changed:
            self._put(site)
        while self._ages and now - self._ages[0][0] > self._trust_s:
            _, order, site = self._ages[0]
            if now - site.read_at > self._trust_s:
                heappop(self._ages)
                self._aging.discard(site)
                self._put(site)
            else:
                heapreplace(self._ages, (site.read_at, order, site))
        for site in self._finishes.due(now):
            self._put(site)
        return self

    def _put(self, site: Site) -> None:
        """Put a site where it belongs now."""
        before = self._entries.pop(site, None)
        if before is not None:
            for ordered, key in before.places:
                del ordered[bisect_left(ordered, key)]
            self.capacity -= before.capacity
            self._silent -= before.is_silent
            self._finishes.take_out(site)
        if self._sites.get(site.address) is site:
            entry = self._entries[site] = self._entry(site)
            for ordered, key in entry.places:
                insort(ordered, key)
            self.capacity += entry.capacity
            self._silent += entry.is_silent

    def _entry(self, site: Site) -> _Entry:
        order, capacity = site.order, site.capacity
        if site.what_is_wrong(self._now) is not None:
            return _Entry(((self._unwell, (order, site)),))
        if site not in self._aging:
            self._aging.add(site)
            heappush(self._ages, (site.read_at, order, site))
        is_full = site.known_load >= capacity
        if is_full and not capacity:
            return _Entry(((self._full, (order, site)),))
        load = site.load
        rank = (load + 1) / capacity, site.last_chosen, order, site
        if self._policy.predicts:
            self._finishes.put(rank, self._now)
        if is_full:
            return _Entry(((self._full, (order, site)),), capacity)
        places = (self._open, rank), (self._open_by_load, (load, -order, site))
        return _Entry(places, capacity, self._policy.predicts and site.energy is None)

    # The view

    def has_point(self, barred: Collection[str] = ()) -> bool:
        """Tell whether any site has a free point."""
        return len(self._open) > self._open_among(barred)

    def options(
        self, request: Request, barred: Collection[str], kept: Mapping[str, int]
    ) -> list[Option]:
        """List what may be among the best two of a vehicle's options, in the order of the sites."""

        def option_of(site: Site) -> Option | None:
            return None if site.address in barred else self._option(site, kept)

        if self._policy.predicts:
            options = self._finishes.options(request, option_of)
            if self._silent:  # one of them may be the least loaded
                options.append(self._option(next(self._best(barred)), kept))
        elif self._policy.takes_least:
            options = [self._option(next(self._best(barred)), kept)]
        else:
            options = [self._option(site, kept) for site in self._best(barred)]
        found = {one.candidate.address: one for one in options}
        return sorted(found.values(), key=self._order)

    def explain(self, chosen: Candidate, barred: Collection[str]) -> Explanation:
        """Tell among which sites one was chosen: of many the best, the fullest and that one."""
        listed = {
            self._sites[chosen.address],
            next(site for *_, site in reversed(self._open) if site.address not in barred),
            next(site for *_, site in reversed(self._open_by_load) if site.address not in barred),
        }
        for site in self._best(barred):
            if len(listed) == MOST_LISTED:
                break
            listed.add(site)
        candidates = sorted(listed, key=_order_of)
        passed_over = list(islice(chain(self._unwell, self._full), MOST_LISTED))
        if len(self._unwell) + len(self._full) == len(passed_over):
            passed_over.sort()
        return Explanation(
            tuple([self._candidate(site) for site in candidates]),
            tuple([(site.name, site.why_not(self._now) or "") for _, site in passed_over]),
            len(self._open) - self._open_among(barred) - len(candidates),
            len(self._unwell) + len(self._full) - len(passed_over),
        )

    def _best(self, barred: Collection[str]) -> Iterator[Site]:
        """Give those with a free point, the least loaded first."""
        return (site for *_, site in self._open if site.address not in barred)

    def _open_among(self, addresses: Collection[str]) -> int:
        sites = (self._sites.get(address) for address in addresses)
        return sum(site is not None and self._is_open(site) for site in sites)

    def _is_open(self, site: Site) -> bool:
        entry = self._entries.get(site)
        return entry is not None and len(entry.places) > 1

    def _option(self, site: Site, kept: Mapping[str, int]) -> Option:
        known_load, supply = site.known_load, None
        if self._policy.predicts and site.energy is not None:
            supply = site.energy.supply(known_load, self._now)
        free = site.capacity - known_load - kept.get(site.address, 0)
        return Option(self._candidate(site), free, supply)

    def _candidate(self, site: Site) -> Candidate:
        return candidate_of(site, site.capacity, site.known_load, self._now)

    def _order(self, option: Option) -> int:
        return self._sites[option.candidate.address].order


def _order_of(site: Site) -> int:
    return site.order
