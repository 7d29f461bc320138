"""Many substations by how soon a vehicle can be charged there. Pure.

Where the power limit holds no session back, a vehicle costs as much as if it were alone there. Such
substations with equal points form a **tier**, in the order of their load. The others are in
**buckets** of similar ones, in the order of the energy that they still have to deliver.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace

from load_balancer.routing.index.buckets import Bucket, BucketKey, Energy, Tier, part_of_octave
from load_balancer.routing.index.finish_search import Rank, Search
from load_balancer.routing.policy import Option, Request
from load_balancer.routing.substation import Substation


class FinishIndex:
    """The substations with known power, each as it was when it was put here."""

    def __init__(self) -> None:
        self._tiers: dict[Tier, list[Rank]] = {}
        self._buckets: dict[BucketKey, Bucket] = {}
        self._in_tier: dict[Substation, tuple[Tier, Rank]] = {}
        self._in_bucket: dict[Substation, tuple[BucketKey, Energy, float]] = {}  # and until when
        # one entry for each substation that is or was in a bucket
        self._expiries: list[tuple[float, int, Substation]] = []
        self._has_expiry: set[Substation] = set()

    def put(self, rank: Rank, until: float) -> None:
        """Put a substation where it belongs now, unless its power is unknown.

        Args:
            rank: the substation's.
            until: when it has to be put anew, because its energy falls.
        """
        self.remove(rank[-1])
        *_, order, substation = rank
        energy, sessions, capacity = substation.energy, substation.known_load, substation.capacity
        if energy is None:
            return
        supply = energy.supply(sessions, until)
        point_power_kw, limit_kw = supply.point_power_kw, supply.limit_kw
        is_held_back = sessions and limit_kw - supply.committed_kw < point_power_kw
        if sessions < capacity and not is_held_back:
            tier = point_power_kw, supply.hours_per_s, min(limit_kw, point_power_kw)
            insort(self._tiers.setdefault(tier, []), rank)
            self._in_tier[substation] = tier, rank
            return
        each_kw = min(supply.committed_kw / sessions, point_power_kw)
        key = BucketKey(
            point_power_kw,
            supply.hours_per_s,
            capacity,
            substation.load,
            sessions,
            part_of_octave(limit_kw),
            part_of_octave(each_kw),
        )
        remaining = supply.remaining_kwh, order, substation
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(key)
        bucket.add(remaining, limit_kw, each_kw)
        self._in_bucket[substation] = key, remaining, until
        if substation not in self._has_expiry:
            self._has_expiry.add(substation)
            heappush(self._expiries, (until, order, substation))

    def remove(self, substation: Substation) -> None:
        """Remove a substation, if it is here."""
        in_tier = self._in_tier.pop(substation, None)
        if in_tier is not None:
            tier, rank = in_tier
            ranks = self._tiers[tier]
            del ranks[bisect_left(ranks, rank)]
            if not ranks:
                del self._tiers[tier]
        in_bucket = self._in_bucket.pop(substation, None)
        if in_bucket is not None:
            key, remaining, _ = in_bucket
            bucket = self._buckets[key]
            bucket.remove(remaining)
            if not bucket:
                del self._buckets[key]

    def expired(self, now: float) -> list[Substation]:
        """Return the substations whose place is no longer valid."""
        expired = []
        while self._expiries and self._expiries[0][0] < now:
            _, order, substation = self._expiries[0]
            in_bucket = self._in_bucket.get(substation)
            if in_bucket is not None and in_bucket[-1] >= now:
                heapreplace(self._expiries, (in_bucket[-1], order, substation))
                continue
            heappop(self._expiries)
            self._has_expiry.discard(substation)
            if in_bucket is not None:
                expired.append(substation)
        return expired

    def options(
        self, request: Request, option_of: Callable[[Substation], Option | None]
    ) -> list[Option]:
        """Return the options of a vehicle that may be among the best two, or equal to them.

        Args:
            request: the vehicle's.
            option_of: returns the option of a substation; None if the vehicle cannot go there.
        """
        search = Search(request, option_of)
        for tier, ranks in self._tiers.items():
            search.search_tier(tier, ranks)
        search.search_buckets(self._buckets.values())
        return search.options()
