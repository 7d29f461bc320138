"""A pool whose every choice by its index is compared with a scan of all of its substations."""

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from load_balancer.routing.policy import Candidate, Option, Request
from load_balancer.routing.pool import Pool
from load_balancer.routing.view import MAX_LISTED, Explanation, Scan, View


class Compared:
    """A view by the index that is compared with a scan of all substations.

    Question by question.
    """

    def __init__(self, pool: Pool, index: View, now: float) -> None:
        self._pool = pool
        self._index = index
        self._scan = Scan(pool.substations.values(), now, predicts=pool.policy.predicts)

    def has_point(self, rejected_by: Collection[str] = ()) -> bool:
        found = self._index.has_point(rejected_by)
        assert found == self._scan.has_point(rejected_by)
        return found

    def options(
        self, request: Request, rejected_by: Collection[str], reserved: Mapping[str, int]
    ) -> list[Option]:
        every = self._scan.options(request, rejected_by, reserved)
        found = self._index.options(request, rejected_by, reserved)
        assert [one for one in every if one in found] == found  # in order, and as they are
        choices = [self._pool.policy.choose(one, request, Random(1)) for one in (every, found)]
        assert choices[0] == choices[1]
        return found

    def explain(self, chosen: Candidate, rejected_by: Collection[str]) -> Explanation:
        every, found = (one.explain(chosen, rejected_by) for one in (self._scan, self._index))
        assert found.candidates_left_out == every.candidates_left_out
        assert found.ineligible_left_out == every.ineligible_left_out
        assert found.ineligible == every.ineligible
        assert chosen in found.candidates
        if not found.candidates_left_out:
            assert found.candidates == every.candidates
        for rank in ("score", "load"):
            ours, all_of_them = (
                sorted(getattr(one, rank) for one in reported.candidates)
                for reported in (found, every)
            )
            assert ours[-1] == all_of_them[-1]
        scores = [sorted(one.score for one in reported.candidates) for reported in (found, every)]
        best = MAX_LISTED - 3  # beside the chosen one and the fullest two
        assert scores[0][:best] == scores[1][:best]
        return found


class ComparedPool(Pool):
    """A pool that asks its index, however few substations there are, and compares."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{**named, "max_scanned": 0})

    def _view(self, now: float) -> View:
        return Compared(self, super()._view(now), now)
