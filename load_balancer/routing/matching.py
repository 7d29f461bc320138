"""The choice: which waiting session is dispatched next, and to which substation. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from load_balancer.routing.policy import Candidate, Choice, Decision, Policy, Request
from load_balancer.routing.queue import WaitQueue
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import QueuedSession, Substation
from load_balancer.routing.view import Explanation, View

# Maximum number of deferred vehicles at once.
MAX_DEFERRED = 8


class Match(NamedTuple):
    """A session and the substation that it is dispatched to."""

    queued: QueuedSession
    choice: Choice
    explanation: Explanation

    def decision(self, sequence: int, now: float, *, policy: str, reason: str) -> Decision:
        """Return the record of the decision to dispatch it."""
        queued, choice, explanation = self
        return Decision(
            sequence=sequence,
            at=now,
            session_id=queued.session_id,
            vehicle_id=queued.vehicle_id,
            request_id=queued.request_id,
            substation=choice.candidate.name,
            attempt=queued.attempts,
            waited_s=now - queued.arrived,
            policy=policy,
            reason=reason,
            candidates=explanation.candidates,
            ineligible=explanation.ineligible,
            candidates_left_out=explanation.candidates_left_out,
            ineligible_left_out=explanation.ineligible_left_out,
            prediction=choice.prediction,
            next_best=choice.next_best,
            deferred_for=queued.deferred_for,
        )


class Deferred(NamedTuple):
    """A session that waits beside a free point for a better one, which frees soon."""

    queued: QueuedSession
    choice: Choice


@dataclass(eq=False, repr=False)
class Matcher:
    """Finds the session to dispatch next, and its substation."""

    policy: Policy
    budget: RetryBudget
    random: Random

    def first_of(
        self, queue: WaitQueue, view: View, now: float
    ) -> tuple[Match | None, list[Deferred]]:
        """Match the first session of the queue that takes a free point.

        Returns:
            The match, if any, and the sessions before it that are deferred.
        """
        deferred: list[Deferred] = []
        if not view.has_point():
            return None, deferred
        reserved: dict[str, int] = {}  # points of full substations, for deferred vehicles
        waiting = len(queue) - 1
        for queued in queue:
            # The substation with a free point may have rejected thousands of sessions.
            if queued.rejected_by and not view.has_point(queued.rejected_by):
                continue
            if queued.deadline < now:
                continue
            if not self._takes_budget(queued, now):
                continue
            # A vehicle that may not be deferred takes what is free, so the loop ends there.
            has_reported_power = queued.demand.max_power_kw is not None
            may_defer = has_reported_power and len(deferred) < MAX_DEFERRED
            request = Request(queued.demand, queued.deadline - now if may_defer else 0.0, waiting)
            choice = self._choose(queued, request, view, reserved)
            if not choice.waits:
                return _match(queued, choice, view), deferred
            if queued.costs_budget:
                self.budget.give_back()
            deferred.append(Deferred(queued, choice))
            address = choice.candidate.address
            reserved[address] = reserved.get(address, 0) + 1
        return None, deferred

    def match(self, queued: QueuedSession, view: View, now: float) -> Match | None:
        """Match a session at its deadline with a free point, if there is one."""
        if not (view.has_point(queued.rejected_by) and self._takes_budget(queued, now)):
            return None
        choice = self._choose(queued, Request(queued.demand), view, {})
        return _match(queued, choice, view)

    def _takes_budget(self, queued: QueuedSession, now: float) -> bool:
        """Take what a dispatch costs; return False during its pause, or beyond the retry budget."""
        if queued.not_before > now:
            return False
        return not queued.costs_budget or self.budget.take(now)

    def _choose(
        self, queued: QueuedSession, request: Request, view: View, reserved: Mapping[str, int]
    ) -> Choice:
        options = view.options(request, queued.rejected_by, reserved)
        return self.policy.choose(options, request, self.random)


def match_attached(queued: QueuedSession, substation: Substation, now: float) -> Match:
    """Match a session with the substation where it is charging already."""
    load, capacity = substation.load, max(1, substation.capacity)
    candidate = Candidate(
        substation.address,
        substation.name,
        load,
        capacity,
        load / capacity,
        substation.gauge_age_s(now),
        substation.last_chosen,
    )
    choice = Choice(candidate, "charges there already")
    return Match(queued, choice, Explanation((candidate,), ()))


def _match(queued: QueuedSession, choice: Choice, view: View) -> Match:
    return Match(queued, choice, view.explain(choice.candidate, queued.rejected_by))
