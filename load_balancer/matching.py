"""The choice itself: which waiting vehicle goes where next, as sites and line are now. Pure."""

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from load_balancer.budget import RetryBudget
from load_balancer.policy import Candidate, Choice, Option, Policy, Request
from load_balancer.site import Site
from load_balancer.vehicle import Ticket, WaitingLine

# Vehicles that may be left in line at once beside a free point: those behind them go first.
MOST_LEFT_IN_LINE = 8


class Match(NamedTuple):
    """A vehicle and where it goes."""

    ticket: Ticket
    choice: Choice
    candidates: tuple[Candidate, ...]  # with a free point
    passed_over: tuple[tuple[str, str], ...]  # name of a site and why it was not a candidate


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
        self, line: WaitingLine, sites: Iterable[Site], now: float
    ) -> tuple[Match | None, list[LeftInLine]]:
        """Match the first of the line that takes a free point; list those left before it."""
        left: list[LeftInLine] = []
        options, passed_over = self._options(sites, now)
        free = {one.candidate.address for one in options if one.free > 0}
        if not free:
            return None, left
        waiting = len(line) - 1
        for ticket in line:
            # Thousands may have been rejected by the one that has a point.
            if ticket.deadline < now or ticket.rejected_by >= free:
                continue
            fit = self._fit(ticket, options, now)
            if not fit:
                continue
            told = ticket.demand.max_power_kw is not None
            # Whoever may not be left in line takes what is free, so that this ends there.
            may_wait = told and len(left) < MOST_LEFT_IN_LINE
            patience_s = ticket.deadline - now if may_wait else 0.0
            request = Request(ticket.demand, patience_s, waiting)
            choice = self.policy.choose(fit, request, self._random)
            if not choice.waits:
                return Match(ticket, choice, _candidates(fit), passed_over), left
            left.append(LeftInLine(ticket, choice))
            options = [_reserve(one, choice) for one in options]
        return None, left

    def match(self, ticket: Ticket, sites: Iterable[Site], now: float) -> Match | None:
        """Match a vehicle that can wait no longer with a free point, if there is one."""
        options, passed_over = self._options(sites, now)
        fit = self._fit(ticket, options, now)
        if not fit:
            return None
        choice = self.policy.choose(fit, Request(ticket.demand), self._random)
        return Match(ticket, choice, _candidates(fit), passed_over)

    def _options(
        self, sites: Iterable[Site], now: float
    ) -> tuple[list[Option], tuple[tuple[str, str], ...]]:
        """List the sites with a free point, and for a policy that predicts those that are full."""
        predicts = self.policy.predicts
        options, passed_over = [], []
        for site in sites:
            why_not = site.why_not(now)
            if why_not is not None:
                passed_over.append((site.name, why_not))
                if not (predicts and site.energy and site.capacity and site.is_well(now)):
                    continue
            load, known_load, capacity = site.load, site.known_load, site.capacity
            candidate = Candidate(
                site.address,
                site.name,
                load,
                capacity,
                (load + 1) / capacity,
                site.gauge_age_s(now),
                site.last_chosen,
            )
            supply = site.energy.supply(known_load, now) if predicts and site.energy else None
            options.append(Option(candidate, capacity - known_load, supply))
        return options, tuple(passed_over)

    def _fit(self, ticket: Ticket, options: list[Option], now: float) -> list[Option]:
        """List the options of this vehicle; none where none of them has a free point."""
        if ticket.not_before > now:
            return []
        if ticket.costs_budget and not self._budget.available(now):
            return []
        if ticket.rejected_by:
            options = [one for one in options if one.candidate.address not in ticket.rejected_by]
        return options if any(one.free > 0 for one in options) else []


def _candidates(options: Iterable[Option]) -> tuple[Candidate, ...]:
    return tuple([one.candidate for one in options if one.free > 0])


def _reserve(option: Option, choice: Choice) -> Option:
    """Keep a point for the vehicle that is left in line for it."""
    if option.candidate is not choice.candidate:
        return option
    return option._replace(free=option.free - 1)
