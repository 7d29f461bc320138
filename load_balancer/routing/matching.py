"""The choice itself: which waiting vehicle goes where next, as substations and line are now.

Pure.
"""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from load_balancer.routing.policy import Choice, Policy, Request
from load_balancer.routing.queue import Ticket, WaitingLine
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.view import Explanation, View

# Vehicles that may be left in line at once beside a free point: those behind them go first.
MOST_LEFT_IN_LINE = 8


class Match(NamedTuple):
    """A vehicle and where it goes."""

    ticket: Ticket
    choice: Choice
    among: Explanation


class LeftInLine(NamedTuple):
    """A vehicle that waits although a point is free: for a better one, which frees soon."""

    ticket: Ticket
    choice: Choice


class Matcher:
    """Finds who goes next, and where."""

    def __init__(self, policy: Policy, *, budget: RetryBudget, random: Random) -> None:
        self.policy = policy
        self._budget = budget
        self._random = random

    def first_of(
        self, line: WaitingLine, view: View, now: float
    ) -> tuple[Match | None, list[LeftInLine]]:
        """Match the first of the line that takes a free point; list those left before it."""
        left: list[LeftInLine] = []
        if not view.has_point():
            return None, left
        kept: dict[str, int] = {}  # points of full substations, for those who are left in line
        waiting = len(line) - 1
        for ticket in line:
            # Thousands may have been rejected by the one that has a point.
            if ticket.deadline < now or not view.has_point(ticket.rejected_by):
                continue
            if not self._may_go(ticket, now):
                continue
            told = ticket.demand.max_power_kw is not None
            # Whoever may not be left in line takes what is free, so that this ends there.
            may_wait = told and len(left) < MOST_LEFT_IN_LINE
            patience_s = ticket.deadline - now if may_wait else 0.0
            choice = self._choose(ticket, Request(ticket.demand, patience_s, waiting), view, kept)
            if not choice.waits:
                return _match(ticket, choice, view), left
            left.append(LeftInLine(ticket, choice))
            address = choice.candidate.address
            kept[address] = kept.get(address, 0) + 1
        return None, left

    def match(self, ticket: Ticket, view: View, now: float) -> Match | None:
        """Match a vehicle that can wait no longer with a free point, if there is one."""
        if not (self._may_go(ticket, now) and view.has_point(ticket.rejected_by)):
            return None
        choice = self._choose(ticket, Request(ticket.demand), view, {})
        return _match(ticket, choice, view)

    def _may_go(self, ticket: Ticket, now: float) -> bool:
        """Tell whether it neither pauses nor wants a repeat that the budget has not."""
        if ticket.not_before > now:
            return False
        return not ticket.costs_budget or self._budget.available(now)

    def _choose(
        self, ticket: Ticket, request: Request, view: View, kept: Mapping[str, int]
    ) -> Choice:
        options = view.options(request, ticket.rejected_by, kept)
        return self.policy.choose(options, request, self._random)


def _match(ticket: Ticket, choice: Choice, view: View) -> Match:
    return Match(ticket, choice, view.explain(choice.candidate, ticket.rejected_by))
