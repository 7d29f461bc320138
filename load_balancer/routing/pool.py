"""The pool: all sites, all waiting vehicles, and the one step that brings them together.

Everything that changes what the next choice would be goes through here. Pure: no sockets, no
sleeping, the clock and the randomness are passed in, so that a simulation runs this very code. Not
for several threads at once; under gevent no method gives way to another greenlet.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random

from load_balancer.routing.matching import MOST_LEFT_IN_LINE, LeftInLine, Match, Matcher
from load_balancer.routing.policy import Candidate, Choice, Policy
from load_balancer.routing.queue import Decision, Dispatch, Ticket, WaitingLine
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Health, Patience, Reading, Site
from load_balancer.routing.substation_index import SiteIndex
from load_balancer.routing.view import Explanation, View
from load_balancer.routing.walk import Walk

# So many sites are looked at one by one: that is faster than to keep them in order.
_MOST_WALKED = 32
# Weight of the newest session in the running mean of session lengths.
_NEWEST = 0.05


class LineFull(Exception):
    """As many vehicles wait as may."""


class Pool:
    """Sites, vehicles and the choice between them. Times in seconds of the caller's clock."""

    def __init__(
        self,
        policy: Policy,
        *,
        random: Random,
        patience: Patience,
        budget: RetryBudget,
        balancers: int = 1,
        queue_limit: int = 10_000,
        on_decision: Callable[[Decision], object] = lambda _decision: None,
        on_left_in_line: Callable[[LeftInLine], object] = lambda _left: None,
        on_poll_wanted: Callable[[Site], object] = lambda _site: None,
        most_walked: int = _MOST_WALKED,
    ) -> None:
        self.policy = policy
        self.sites: dict[str, Site] = {}
        self.drained: set[str] = set()  # by name: a container that is replaced stays drained
        self.waiting = WaitingLine()
        self.left_in_line: list[LeftInLine] = []  # at the last match
        self.dispatches: Counter[tuple[str, str]] = Counter()  # by site and outcome
        self.failovers: Counter[str] = Counter()  # by reason
        self.ejections: Counter[tuple[str, str]] = Counter()  # by site and reason
        self._matcher = Matcher(policy, budget=budget, random=random)
        self.patience = patience  # as so many sites need it
        self._patience = patience
        self._budget = budget
        self._balancers = balancers
        self._queue_limit = queue_limit
        self._on_decision = on_decision
        self._on_left_in_line = on_left_in_line
        self._on_poll_wanted = on_poll_wanted
        self._most_walked = most_walked
        self._index = SiteIndex(self.sites, policy, patience)
        self._changed: dict[Site, None] = {}  # since the index was last asked
        self._ailing: dict[Site, None] = {}  # down, or with points that are not known to be free
        self._sites_found = 0
        self._arrivals = 0
        self._decisions = 0
        self.peers: set[str] = set()  # other balancers that tell what they hold
        self.held_version = 0  # rises with each vehicle that comes to a substation or leaves it
        self._mean_session_s: float | None = None
        self._had_waiting = False  # after the last match
        self._matched_at = float("-inf")

    # Sites

    def set_sites(self, known: Iterable[tuple[str, str]], now: float) -> None:
        """Bring the sites in line with a list of (name, address)."""
        addresses = {address: name for name, address in known}
        for address, name in addresses.items():
            site = self.sites.get(address) or self._add_site(name, address)
            site.name = name
            if site.leaving or (name in self.drained) is not site.drained:
                site.leaving = False
                site.set_drained(name in self.drained)
                self._changed[site] = None
        for site in list(self.sites.values()):
            if site.address not in addresses:
                site.leaving = True
                self._changed[site] = None
                self._forget_if_empty(site)
        self._be_patient()
        if len(self.sites) <= self._most_walked:  # the index is not in use, and forgets nothing
            self._index = SiteIndex(self.sites, self.policy, self.patience)
            self._changed = dict.fromkeys(self.sites.values())
        self.match(now)

    def _be_patient(self) -> None:
        """Poll each site as often as so many may be polled."""
        before, self.patience = self.patience, self._patience.among(len(self.sites))
        if self.patience == before:
            return
        self._index.patience = self.patience
        for site in self.sites.values():
            site.patience = self.patience
            if self.patience.interval_s < before.interval_s:
                self._on_poll_wanted(site)  # what is read so rarely would be too old at once

    def _add_site(self, name: str, address: str) -> Site:
        site = Site(name, address, balancers=self._balancers, patience=self.patience)
        self._sites_found += 1
        site.order = self._sites_found
        self.sites[address] = site
        self._changed[site] = None
        return site

    def set_drained(self, name: str, drained: bool, now: float) -> list[Site]:
        """Give a substation nothing new from now on, or again; what charges there goes on.

        Returns:
            The sites of that name. One that is not there cannot be drained, but one that was
            drained, and is gone since, need not come back so.
        """
        sites = [site for site in self.sites.values() if site.name == name]
        if not drained:
            self.drained.discard(name)
        elif sites:
            self.drained.add(name)
        for site in sites:
            site.set_drained(drained)
            self._changed[site] = None
        self.match(now)
        return sites

    def cannot_be_reached(self, site: Site, why: str) -> None:
        """No address of a site is known, so that it is not even polled."""
        site.eject(why)
        self._changed[site] = self._ailing[site] = None

    def pause_s(self, site: Site, random: Random) -> float:
        """Tell how long to wait after a poll of a site until the next, seconds from its begin."""
        return site.pause_s(random, pressing=bool(self.waiting))

    def poll_began(self, site: Site, now: float) -> None:
        """A poll is about to be sent."""
        site.poll_began(now)

    def poll_read(self, site: Site, reading: Reading, now: float) -> None:
        """Take in a good poll."""
        was_open = site.why_not(now) is None
        site.read(reading, now)
        self._changed[site] = None
        if len(self.sites) > self._most_walked:
            self._indexed(now)  # now, or a vehicle that comes after many polls would wait for it
        # Those who are left in line beside a free point are not looked at with every poll of every
        # site: among hundreds of sites that alone would keep a processor busy.
        left = len(self.left_in_line)
        only_they_wait = left > 0 and left == min(len(self.waiting), MOST_LEFT_IN_LINE)
        opened = not was_open and site.why_not(now) is None
        if opened or not only_they_wait or now >= self._matched_at + self._patience.interval_s:
            self.match(now)

    def poll_unreadable(self, site: Site, why: str) -> None:
        """A poll was answered with something that is no gauge: no vehicle goes there any more.

        What charges there goes on: the site lives.
        """
        self._changed[site] = self._ailing[site] = None
        if site.unreadable(why):
            self.ejections[site.name, "unreadable"] += 1

    def poll_missed(self, site: Site, why: str, now: float) -> None:
        """A poll went unanswered; after some in a row all that the site held is taken back."""
        was_down = site.health is Health.DOWN
        if not site.missed(why):
            return
        self._changed[site] = self._ailing[site] = None
        if not was_down:
            self.ejections[site.name, "missed_polls"] += 1
        for dispatch in list(site.in_flight):
            self._take_back(dispatch, now)
        self._forget_if_empty(site)
        self.match(now)

    # Vehicles

    def arrive(self, ticket: Ticket, now: float, *, has_begun: bool = False) -> None:
        """Take a vehicle in: it is dispatched now or waits in line.

        Args:
            ticket: the vehicle's.
            now: the time.
            has_begun: it has charged before, and is not turned away for the length of the line.

        Raises:
            LineFull: it could not be dispatched and as many wait as may.
        """
        self._arrivals += 1
        ticket.place = self._arrivals
        self.waiting.add(ticket)
        self.match(now)
        if ticket.dispatch is None and not has_begun and len(self.waiting) > self._queue_limit:
            self.waiting.remove(ticket)
            raise LineFull
        if ticket.dispatch is None:
            for site in self._ailing_sites():
                if site.awaits_confirmation:
                    self._on_poll_wanted(site)

    def attach(self, ticket: Ticket, site: Site, now: float) -> None:
        """Take in a vehicle that charges at a site already, whatever points are free there."""
        self._arrivals += 1
        ticket.place = self._arrivals
        load, capacity = site.load, max(1, site.capacity)
        candidate = Candidate(
            site.address,
            site.name,
            load,
            capacity,
            load / capacity,
            site.gauge_age_s(now),
            site.last_chosen,
        )
        choice = Choice(candidate, "charges there already")
        match = Match(ticket, choice, Explanation((candidate,), ()))
        ticket.dispatch = self._decide(match, choice.reason, now)
        site.attach(ticket.dispatch)
        self._on_decision(ticket.dispatch.decision)
        ticket.on_dispatch(ticket.dispatch)

    def leave(self, ticket: Ticket, now: float) -> None:
        """Let go of a vehicle wherever it is: its caller hung up, or its time is over."""
        self.waiting.remove(ticket)
        if self.left_in_line:
            self.left_in_line = [one for one in self.left_in_line if one.ticket is not ticket]
        self._had_waiting = bool(self.waiting)
        if ticket.dispatch is not None:
            self._release(ticket.dispatch, "aborted", now)
            self.match(now)

    # What other balancers tell

    def holds(self) -> dict[str, int]:
        """Tell the vehicles of this balancer at each substation, by its address."""
        return {site.address: site.own for site in self.sites.values() if site.own}

    def peer_holds(self, name: str, held: Mapping[str, int], now: float) -> None:
        """Take in what another balancer holds, by the substations' addresses."""
        self.peers.add(name)
        for site in self.sites.values():
            if site.peer_holds(name, held.get(site.address, 0)):
                self._changed[site] = None
        if self.waiting:
            self.match(now)

    def forget_peer(self, name: str) -> None:
        """Another balancer tells no more."""
        self.peers.discard(name)
        for site in self.sites.values():
            site.forget_peer(name)
            self._changed[site] = None

    def completed(self, dispatch: Dispatch, now: float, reading: Reading | None = None) -> None:
        """The site answered that the vehicle is charged, and told, maybe, how it is itself."""
        if self._close(dispatch, "charged"):
            dispatch.site.remove(dispatch, now)
            if reading is not None:
                dispatch.site.told(reading, now)
            self._forget_if_empty(dispatch.site)
        dispatch.site.proved_well()
        duration = now - dispatch.decision.at
        mean = self._mean_session_s
        self._mean_session_s = duration if mean is None else mean + _NEWEST * (duration - mean)
        self.match(now)

    def accepted(self, dispatch: Dispatch, now: float) -> None:
        """The site answered 202: the vehicle charges on, and counts until the gauge shows it."""
        dispatch.site.proved_well()
        dispatch.site.accepts = True
        self._release(dispatch, "accepted", now)
        self.match(now)

    def stopped(
        self, dispatch: Dispatch, now: float, *, goes_on: bool, failed: bool = True
    ) -> None:
        """The site ended the vehicle's charge before it had all; where it goes on, choose again.

        Args:
            dispatch: the one that ended.
            now: the time.
            goes_on: whether it is to be charged further.
            failed: whether that is the site's doing, so that it pauses if it happens again.
        """
        if self._close(dispatch, "stopped"):
            dispatch.site.remove(dispatch, now)
            self._forget_if_empty(dispatch.site)
            if goes_on:
                if failed:
                    self.failovers["stopped"] += 1
                    dispatch.ticket.failed(now)
                self._put_back(dispatch, now)
            self.match(now)

    def found_full(self, dispatch: Dispatch, now: float) -> None:
        """The site has no free point after all (another balancer was faster): choose again."""
        if self._close(dispatch, "full"):
            dispatch.site.remove(dispatch, now)
            dispatch.site.found_full()
            self._put_back(dispatch, now)
            self.match(now)

    def found_draining(self, dispatch: Dispatch, now: float) -> None:
        """The site takes nothing new: choose again."""
        if self._close(dispatch, "full"):
            dispatch.site.remove(dispatch, now)
            dispatch.site.drain()
            self._put_back(dispatch, now)
            self.match(now)

    def rejected(self, dispatch: Dispatch, now: float) -> None:
        """The site will not charge this vehicle, though it is well: choose another."""
        if self._close(dispatch, "rejected"):
            dispatch.site.remove(dispatch, now)
            self.failovers["rejected"] += 1
            dispatch.ticket.rejected_by.add(dispatch.site.address)
            self._put_back(dispatch, now, costs_budget=True)
            self.match(now)

    def failed(self, dispatch: Dispatch, reason: str, why: str, now: float) -> None:
        """The attempt broke: the site is ejected and the vehicle goes elsewhere."""
        if self._close(dispatch, "failed"):
            self.failovers[reason] += 1
            self._eject(dispatch.site, reason, why)
            # The line is cut, so the site's own end of it is too: but it may take a moment.
            self._release_point(dispatch, now)
            dispatch.ticket.failed(now)
            # A vehicle that had charged for a while is moved on for nothing, so that all that a
            # lost site held goes on at once; what fails at once is what floods a sick grid.
            at_once = now - dispatch.decision.at < self._patience.interval_s
            self._put_back(dispatch, now, costs_budget=at_once)
            self.match(now)

    def is_rejected_everywhere(self, ticket: Ticket) -> bool:
        """Tell whether every site there is has rejected this vehicle."""
        return bool(ticket.rejected_by) and all(
            site.address in ticket.rejected_by for site in self.sites.values() if not site.leaving
        )

    def retry_after_s(self, now: float) -> float:
        """Estimate when a vehicle that is refused now would find a free point, seconds.

        By Little's law the sites free `capacity / mean session` points a second, and those in line
        come first. Without a site or a finished session to go by: when the next probe is due.
        """
        if len(self.sites) > self._most_walked:
            capacity = self._indexed(now).capacity
        else:
            capacity = sum(site.capacity for site in self.sites.values() if site.is_well(now))
        if not capacity or self._mean_session_s is None:
            return self._patience.longest_pause_s if not capacity else self.trust_s
        return (len(self.waiting) + 1) * self._mean_session_s / capacity

    @property
    def trust_s(self) -> float:
        """Age at which a gauge is no longer believed."""
        return self.patience.trust_s

    # The one step

    def match(self, now: float) -> None:
        """Dispatch waiting vehicles, first come first served, until no site has a free point."""
        self._match(now)
        had_waiting, self._had_waiting = self._had_waiting, bool(self.waiting)
        if self.waiting and not had_waiting:
            # Pauses between probes are long while nobody needs the site; now somebody does.
            for site in self._ailing_sites():
                if site.may_be_back:
                    self._on_poll_wanted(site)

    def _ailing_sites(self) -> list[Site]:
        """List those that are down, or have points that are not known to be free."""
        known = (site for site in self._ailing if self.sites.get(site.address) is site)
        ailing = sorted((site for site in known if site.is_ailing), key=lambda site: site.order)
        self._ailing = dict.fromkeys(ailing)
        return ailing

    def _match(self, now: float) -> None:
        self._matched_at = now
        self.left_in_line = []
        while self.waiting:
            match, self.left_in_line = self._matcher.first_of(self.waiting, self._view(now), now)
            if match is None:
                break
            self._dispatch(match, now)
        for left in self.left_in_line:
            if left.ticket.left_in_line_for is None:
                self._on_left_in_line(left)
            left.ticket.left_in_line_for = left.choice.candidate.name

    def last_call(self, ticket: Ticket, now: float) -> None:
        """Dispatch a vehicle whose deadline has come, if there is a free point of whatever kind."""
        if ticket.dispatch is None:
            match = self._matcher.match(ticket, self._view(now), now)
            if match is not None:
                self._dispatch(match, now)

    def _view(self, now: float) -> View:
        if len(self.sites) <= self._most_walked:
            return Walk(self.sites.values(), now, predicts=self.policy.predicts)
        return self._indexed(now)

    def _indexed(self, now: float) -> SiteIndex:
        changed, self._changed = self._changed, {}
        return self._index.at(now, changed)

    def _dispatch(self, match: Match, now: float) -> None:
        ticket = match.ticket
        free = len(match.among.candidates) + match.among.candidates_left_out
        reason = f"{match.choice.reason} of {free} with a free point"
        dispatch = self._decide(match, reason, now)
        self.waiting.remove(ticket)
        ticket.left_in_line_for = None
        ticket.dispatch = dispatch
        dispatch.site.add(dispatch)
        self._on_decision(dispatch.decision)
        ticket.on_dispatch(dispatch)

    def _decide(self, match: Match, reason: str, now: float) -> Dispatch:
        ticket, choice = match.ticket, match.choice
        site = self.sites[choice.candidate.address]
        self._decisions += 1
        self.held_version += 1
        site.last_chosen = self._decisions
        self._changed[site] = None
        if ticket.costs_budget:
            self._budget.withdraw()
        elif not ticket.attempts:
            self._budget.deposit()
        ticket.attempts += 1
        among = match.among
        decision = Decision(
            sequence=self._decisions,
            at=now,
            session_id=ticket.session_id,
            vehicle_id=ticket.vehicle_id,
            request_id=ticket.request_id,
            substation=choice.candidate.name,
            attempt=ticket.attempts,
            waited_s=now - ticket.arrived,
            policy=self.policy.name,
            reason=reason,
            candidates=among.candidates,
            passed_over=among.passed_over,
            candidates_left_out=among.candidates_left_out,
            passed_over_left_out=among.passed_over_left_out,
            prediction=choice.prediction,
            next_best=choice.next_best,
            left_in_line_for=ticket.left_in_line_for,
        )
        return Dispatch(ticket, site, decision)

    # How dispatches end

    def _close(self, dispatch: Dispatch, outcome: str) -> bool:
        """Count a dispatch's end; False if it had ended already, as when its site was lost."""
        if not dispatch.open:
            return False
        dispatch.open = False
        self.held_version += 1
        dispatch.ticket.dispatch = None
        self._changed[dispatch.site] = None
        self.dispatches[dispatch.site.name, outcome] += 1
        return True

    def _release(self, dispatch: Dispatch, outcome: str, now: float) -> None:
        if self._close(dispatch, outcome):
            self._release_point(dispatch, now)
            if self.waiting and dispatch.site.awaits_confirmation:
                self._on_poll_wanted(dispatch.site)

    def _release_point(self, dispatch: Dispatch, now: float) -> None:
        dispatch.site.release(dispatch, now)
        self._ailing[dispatch.site] = None
        self._forget_if_empty(dispatch.site)

    def _take_back(self, dispatch: Dispatch, now: float) -> None:
        if self._close(dispatch, "taken_back"):
            self._release_point(dispatch, now)
            self.failovers["lost"] += 1
            dispatch.ticket.failed(now)
            self._put_back(dispatch, now)
            dispatch.ticket.on_taken_back(dispatch)

    def _put_back(self, dispatch: Dispatch, now: float, *, costs_budget: bool = False) -> None:
        """Give a vehicle its old place, and what was left of its wait when it was dispatched."""
        ticket = dispatch.ticket
        ticket.costs_budget = costs_budget
        # Its time at the site is not time in line, neither for the deadline nor in any figure.
        away_s = now - dispatch.decision.at
        ticket.arrived += away_s
        ticket.deadline += away_s
        self.waiting.add(ticket)

    def _eject(self, site: Site, reason: str, why: str) -> None:
        self._changed[site] = self._ailing[site] = None
        if site.eject(why):
            self.ejections[site.name, reason] += 1

    def _forget_if_empty(self, site: Site) -> None:
        if site.leaving and not site.in_flight and self.sites.pop(site.address, None) is not None:
            self._changed[site] = None
