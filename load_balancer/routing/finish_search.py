"""The search for where one vehicle is charged first, among many substations. Pure.

Of a tier, where nobody is held back, no more than two can be among the best two. Of a cell, and of
what is left of it, the least possible cost is known: cells are looked into in the order of that,
until none can hold one of the best two.
"""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heapreplace
from math import inf
from typing import TypeAlias

from load_balancer.routing.bound import least_cost_hours, least_start_hours
from load_balancer.routing.cells import Cell, Tier
from load_balancer.routing.demand import ChargingStage
from load_balancer.routing.earliest_finish import ROUNDING, draw, latest_start_s_of, thrift_of
from load_balancer.routing.policy import Option, Request
from load_balancer.routing.prediction import Supply, alone_s, predict
from load_balancer.routing.substation import Substation

# score, last chosen, order: of no two the same
Rank: TypeAlias = tuple[float, int, int, Substation]

# What is equal may differ by a rounding.
_BELOW, _ABOVE = 1 - ROUNDING, 1 + 3 * ROUNDING


class Search:
    """For one vehicle: what was found so far, and what the best two of it cost."""

    def __init__(self, request: Request, option_of: Callable[[Substation], Option | None]) -> None:
        self._demand = request.demand
        self._thrift = thrift_of(request)
        self._latest_start_s = latest_start_s_of(request)
        self._option_of = option_of
        self._drawn: dict[float, tuple[tuple[ChargingStage, ...], float]] = {}
        self._alone_s: dict[Tier, float] = {}
        self._costs: list[tuple[float, Option]] = []
        self._best_s = self._second_s = inf

    def found(self) -> list[Option]:
        """Return what may be among the best two, or equal to them."""
        most_s = self._second_s * _ABOVE
        return [option for cost_s, option in self._costs if cost_s <= most_s]

    def look_at_first(self, tier: Tier, ranks: list[Rank]) -> None:
        """Look at the best two of a tier that the vehicle can go to."""
        looked = 0
        for score, _, _, substation in ranks:
            cost_s = self._least_s(tier, score)
            if cost_s > self._second_s * _ABOVE:
                return
            option = self._option_of(substation)
            if option is not None:
                self._note(cost_s, option)
                looked += 1
                if looked == 2:
                    return

    def look_into(self, cells: Iterable[Cell]) -> None:
        """Look at those in cells, the best cell first, until none can be among the best two."""
        heap: list[tuple[float, int, Cell, int, int]] = []
        for cell in cells:
            if cell.waits and not self._latest_start_s:
                continue
            least_s = self._least_s(cell.tier, cell.score) * _BELOW
            if least_s <= self._second_s * _ABOVE:
                heap.append((least_s, len(heap), cell, 0, 0))
        heapify(heap)
        while heap and heap[0][0] <= self._second_s * _ABOVE:
            _, number, cell, place, count = heap[0]
            # A bound takes as long as a look: after each of a cell twice as many are looked at.
            for _, _, substation in cell.substations[place : place + count]:
                self._look_at(substation)
            bound_s = self._bound_s(cell, place + count)
            if bound_s is None:
                heappop(heap)
            else:
                heapreplace(heap, (bound_s, number, cell, place + count, max(1, 2 * count)))

    def _look_at(self, substation: Substation) -> None:
        option = self._option_of(substation)
        if option is None or option.supply is None:
            return
        supply = option.supply
        stages, unused = self._draw(supply.point_power_kw)
        prediction = predict(supply, stages, after_ends=max(0, 1 - option.free))
        if option.free < 1 and prediction.start_s > self._latest_start_s:
            return
        factor = self._factor(option.candidate.score, unused)
        self._note(prediction.start_s + prediction.charging_s * factor + prediction.slows_s, option)

    def _bound_s(self, cell: Cell, place: int) -> float | None:
        """Return the least cost from a place in a cell on; None where nothing comes in question."""
        if place >= len(cell):
            return None
        alike, hours_per_s = cell.alike(place), cell.kind.hours_per_s
        if cell.waits and least_start_hours(alike) / hours_per_s * _BELOW > self._latest_start_s:
            return None
        stages, unused = self._draw(cell.kind.point_power_kw)
        factor = self._factor(cell.score, unused)
        hours = least_cost_hours(alike, stages, factor, waits=cell.waits)
        return hours / hours_per_s * _BELOW

    def _least_s(self, tier: Tier, score: float) -> float:
        """Return what it costs at a substation of a tier by itself."""
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
        return 1 + self._thrift * min(1.0, score) * unused if unused else 1.0

    def _note(self, cost_s: float, option: Option) -> None:
        self._costs.append((cost_s, option))
        if cost_s < self._best_s:
            self._best_s, self._second_s = cost_s, self._best_s
        elif cost_s < self._second_s:
            self._second_s = cost_s
