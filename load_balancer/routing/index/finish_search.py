"""One vehicle's search for the earliest finish, among many substations. Pure.

Of a tier, only its first two can be among the best two. Buckets are searched in the order of their
lower bounds, until none can contain one of the best two.
"""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heapreplace
from math import inf
from typing import TypeAlias

from load_balancer.routing.demand import ChargingStage
from load_balancer.routing.earliest_finish import ROUNDING, draw, latest_start_s_of, penalty_of
from load_balancer.routing.index.buckets import Bucket, Tier
from load_balancer.routing.index.lower_bound import min_cost_hours, min_start_hours
from load_balancer.routing.policy import Option, Request
from load_balancer.routing.prediction import Supply, alone_s, predict
from load_balancer.routing.substation import Substation

# score, last chosen, order; no two are equal
Rank: TypeAlias = tuple[float, int, int, Substation]

# Equal costs may differ by a rounding error.
_BELOW, _ABOVE = 1 - ROUNDING, 1 + 3 * ROUNDING


class Search:
    """The options found so far for one vehicle, and the costs of the best two."""

    def __init__(self, request: Request, option_of: Callable[[Substation], Option | None]) -> None:
        self._demand = request.demand
        self._penalty = penalty_of(request)
        self._latest_start_s = latest_start_s_of(request)
        self._option_of = option_of
        self._drawn: dict[float, tuple[tuple[ChargingStage, ...], float]] = {}
        self._alone_s: dict[Tier, float] = {}
        self._costs: list[tuple[float, Option]] = []
        self._best_s = self._second_s = inf

    def options(self) -> list[Option]:
        """Return the options that may be among the best two, or equal to them."""
        most_s = self._second_s * _ABOVE
        return [option for cost_s, option in self._costs if cost_s <= most_s]

    def search_tier(self, tier: Tier, ranks: list[Rank]) -> None:
        """Evaluate the first two substations of a tier that the vehicle can use."""
        evaluated = 0
        for score, _, _, substation in ranks:
            cost_s = self._least_s(tier, score)
            if cost_s > self._second_s * _ABOVE:
                return
            option = self._option_of(substation)
            if option is not None:
                self._add(cost_s, option)
                evaluated += 1
                if evaluated == 2:
                    return

    def search_buckets(self, buckets: Iterable[Bucket]) -> None:
        """Evaluate substations in buckets, until no other can be among the best two."""
        heap: list[tuple[float, int, Bucket, int, int]] = []
        for bucket in buckets:
            if bucket.waits and not self._latest_start_s:
                continue
            least_s = self._least_s(bucket.tier, bucket.score) * _BELOW
            if least_s <= self._second_s * _ABOVE:
                heap.append((least_s, len(heap), bucket, 0, 0))
        heapify(heap)
        while heap and heap[0][0] <= self._second_s * _ABOVE:
            _, number, bucket, start, count = heap[0]
            # A bound takes as long as an evaluation: after each, twice as many are evaluated.
            for _, _, substation in bucket.substations[start : start + count]:
                self._evaluate(substation)
            bound_s = self._bound_s(bucket, start + count)
            if bound_s is None:
                heappop(heap)
            else:
                heapreplace(heap, (bound_s, number, bucket, start + count, max(1, 2 * count)))

    def _evaluate(self, substation: Substation) -> None:
        option = self._option_of(substation)
        if option is None or option.supply is None:
            return
        supply = option.supply
        stages, unused = self._draw(supply.point_power_kw)
        prediction = predict(supply, stages, after_ends=max(0, 1 - option.free))
        if option.free < 1 and prediction.start_s > self._latest_start_s:
            return
        factor = self._factor(option.candidate.score, unused)
        self._add(prediction.start_s + prediction.charging_s * factor + prediction.slows_s, option)

    def _bound_s(self, bucket: Bucket, start: int) -> float | None:
        """Return the lower bound from a place in a bucket on; None if nothing there is usable."""
        if start >= len(bucket):
            return None
        supply, hours_per_s = bucket.supply_range(start), bucket.key.hours_per_s
        if bucket.waits and min_start_hours(supply) / hours_per_s * _BELOW > self._latest_start_s:
            return None
        stages, unused = self._draw(bucket.key.point_power_kw)
        factor = self._factor(bucket.score, unused)
        hours = min_cost_hours(supply, stages, factor, waits=bucket.waits)
        return hours / hours_per_s * _BELOW

    def _least_s(self, tier: Tier, score: float) -> float:
        """Return the cost at a substation of a tier with nobody else there."""
        stages, unused = self._draw(tier[0])
        alone = self._alone_s.get(tier)
        if alone is None:
            point_power_kw, hours_per_s, limit_kw = tier
            supply = Supply(0, 0.0, 0.0, point_power_kw, limit_kw, hours_per_s)
            alone = self._alone_s[tier] = alone_s(supply, stages)
        return alone * self._factor(score, unused)

    def _draw(self, point_power_kw: float) -> tuple[tuple[ChargingStage, ...], float]:
        drawn = self._drawn.get(point_power_kw)
        if drawn is None:
            drawn = self._drawn[point_power_kw] = draw(self._demand, point_power_kw)
        return drawn

    def _factor(self, score: float, unused: float) -> float:
        return 1 + self._penalty * min(1.0, score) * unused if unused else 1.0

    def _add(self, cost_s: float, option: Option) -> None:
        self._costs.append((cost_s, option))
        if cost_s < self._best_s:
            self._best_s, self._second_s = cost_s, self._best_s
        elif cost_s < self._second_s:
            self._second_s = cost_s
