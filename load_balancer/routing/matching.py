"""The choice itself: which waiting vehicle goes where next, as substations and queue are now.

Pure.
"""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from load_balancer.routing.policy import Choice, Policy, Request
from load_balancer.routing.queue import QueuedSession, WaitQueue
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.view import Explanation, View

# Maximum number of deferred vehicles at once.
MAX_DEFERRED = 8


class Match(NamedTuple):
    """A vehicle and where it goes."""

    queued: QueuedSession
    choice: Choice
    explanation: Explanation


class Deferred(NamedTuple):
    """A vehicle that waits although a point is free: for a better one, which frees soon."""

    queued: QueuedSession
    choice: Choice


class Matcher:
    """Finds who goes next, and where."""

    def __init__(self, policy: Policy, *, budget: RetryBudget, random: Random) -> None:
        self.policy = policy
        self._budget = budget
        self._random = random

    def first_of(
        self, queue: WaitQueue, view: View, now: float
    ) -> tuple[Match | None, list[Deferred]]:
        """Match the first of the queue that takes a free point; list those deferred before it."""
        deferred: list[Deferred] = []
        if not view.has_point():
            return None, deferred
        reserved: dict[str, int] = {}  # points of full substations, for deferred vehicles
        waiting = len(queue) - 1
        for queued in queue:
            # Thousands may have been rejected by the one that has a point.
            if queued.deadline < now or not view.has_point(queued.rejected_by):
                continue
            if not self._may_dispatch(queued, now):
                continue
            reported = queued.demand.max_power_kw is not None
            # A vehicle that may not be deferred takes what is free, so the loop ends there.
            may_wait = reported and len(deferred) < MAX_DEFERRED
            max_deferral_s = queued.deadline - now if may_wait else 0.0
            choice = self._choose(
                queued, Request(queued.demand, max_deferral_s, waiting), view, reserved
            )
            if not choice.waits:
                return _match(queued, choice, view), deferred
            deferred.append(Deferred(queued, choice))
            address = choice.candidate.address
            reserved[address] = reserved.get(address, 0) + 1
        return None, deferred

    def match(self, queued: QueuedSession, view: View, now: float) -> Match | None:
        """Match a vehicle that can wait no longer with a free point, if there is one."""
        if not (self._may_dispatch(queued, now) and view.has_point(queued.rejected_by)):
            return None
        choice = self._choose(queued, Request(queued.demand), view, {})
        return _match(queued, choice, view)

    def _may_dispatch(self, queued: QueuedSession, now: float) -> bool:
        """Tell whether it neither pauses nor wants a repeat that the budget has not."""
        if queued.not_before > now:
            return False
        return not queued.costs_budget or self._budget.available(now)

    def _choose(
        self, queued: QueuedSession, request: Request, view: View, reserved: Mapping[str, int]
    ) -> Choice:
        options = view.options(request, queued.rejected_by, reserved)
        return self.policy.choose(options, request, self._random)


def _match(queued: QueuedSession, choice: Choice, view: View) -> Match:
    return Match(queued, choice, view.explain(choice.candidate, queued.rejected_by))
