"""The pool: all substations, all waiting vehicles, and the one step that brings them together.

Everything that changes what the next choice would be goes through here. Pure: no sockets, no
sleeping, the clock and the randomness are passed in, so that a simulation runs this very code. Not
for several threads at once; under gevent no method gives way to another greenlet.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random

from load_balancer.routing.health import Health, HealthCheck, Reading
from load_balancer.routing.index.substation_index import SubstationIndex
from load_balancer.routing.matching import MAX_DEFERRED, Deferred, Match, Matcher
from load_balancer.routing.policy import Candidate, Choice, Policy
from load_balancer.routing.queue import Decision, Dispatch, QueuedSession, WaitQueue
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Substation
from load_balancer.routing.view import Explanation, Scan, View

# So many substations are looked at one by one: that is faster than to keep them in order.
_MAX_SCANNED = 32
# Weight of the newest session in the running mean of session lengths.
_NEWEST = 0.05


class QueueFull(Exception):
    """As many vehicles wait as may."""


class Pool:
    """Substations, vehicles and the choice between them. Times in seconds of the caller's clock."""

    def __init__(
        self,
        policy: Policy,
        *,
        random: Random,
        health_check: HealthCheck,
        budget: RetryBudget,
        balancers: int = 1,
        queue_limit: int = 10_000,
        on_decision: Callable[[Decision], object] = lambda _decision: None,
        on_deferred: Callable[[Deferred], object] = lambda _deferred: None,
        on_poll_wanted: Callable[[Substation], object] = lambda _substation: None,
        max_scanned: int = _MAX_SCANNED,
    ) -> None:
        self.policy = policy
        self.substations: dict[str, Substation] = {}
        self.drained: set[str] = set()  # by name: a container that is replaced stays drained
        self.waiting = WaitQueue()
        self.deferred: list[Deferred] = []  # at the last match
        self.dispatches: Counter[tuple[str, str]] = Counter()  # by substation and outcome
        self.failovers: Counter[str] = Counter()  # by reason
        self.ejections: Counter[tuple[str, str]] = Counter()  # by substation and reason
        self._matcher = Matcher(policy, budget=budget, random=random)
        self.health_check = health_check  # as so many substations need it
        self._health_check = health_check
        self._budget = budget
        self._balancers = balancers
        self._queue_limit = queue_limit
        self._on_decision = on_decision
        self._on_deferred = on_deferred
        self._on_poll_wanted = on_poll_wanted
        self._max_scanned = max_scanned
        self._index = SubstationIndex(self.substations, policy, health_check)
        self._changed: dict[Substation, None] = {}  # since the index was last asked
        # down, or with points that are not known to be free
        self._to_poll: dict[Substation, None] = {}
        self._substations_found = 0
        self._arrivals = 0
        self._decisions = 0
        self.peers: set[str] = set()  # other balancers that tell what they hold
        self.held_version = 0  # rises with each vehicle that comes to a substation or leaves it
        self._mean_session_s: float | None = None
        self._had_waiting = False  # after the last match
        self._matched_at = float("-inf")

    # Substations

    def set_substations(self, known: Iterable[tuple[str, str]], now: float) -> None:
        """Bring the substations in line with a list of (name, address)."""
        addresses = {address: name for name, address in known}
        for address, name in addresses.items():
            substation = self.substations.get(address) or self._add_substation(name, address)
            substation.name = name
            if substation.leaving or (name in self.drained) is not substation.drained:
                substation.leaving = False
                substation.set_drained(name in self.drained)
                self._changed[substation] = None
        for substation in list(self.substations.values()):
            if substation.address not in addresses:
                substation.leaving = True
                self._changed[substation] = None
                self._forget_if_empty(substation)
        self._update_interval()
        # the index is not in use, and forgets nothing
        if len(self.substations) <= self._max_scanned:
            self._index = SubstationIndex(self.substations, self.policy, self.health_check)
            self._changed = dict.fromkeys(self.substations.values())
        self.match(now)

    def _update_interval(self) -> None:
        """Poll each substation as often as so many may be polled."""
        before, self.health_check = (
            self.health_check,
            self._health_check.among(len(self.substations)),
        )
        if self.health_check == before:
            return
        self._index.health_check = self.health_check
        for substation in self.substations.values():
            substation.health_check = self.health_check
            if self.health_check.interval_s < before.interval_s:
                self._on_poll_wanted(substation)  # what is read so rarely would be too old at once

    def _add_substation(self, name: str, address: str) -> Substation:
        substation = Substation(
            name, address, balancers=self._balancers, health_check=self.health_check
        )
        self._substations_found += 1
        substation.order = self._substations_found
        self.substations[address] = substation
        self._changed[substation] = None
        return substation

    def set_drained(self, name: str, drained: bool, now: float) -> list[Substation]:
        """Give a substation nothing new from now on, or again; what charges there goes on.

        Returns:
            The substations of that name. One that is not there cannot be drained, but one that was
            drained, and is gone since, need not come back so.
        """
        substations = [
            substation for substation in self.substations.values() if substation.name == name
        ]
        if not drained:
            self.drained.discard(name)
        elif substations:
            self.drained.add(name)
        for substation in substations:
            substation.set_drained(drained)
            self._changed[substation] = None
        self.match(now)
        return substations

    def cannot_be_reached(self, substation: Substation, why: str) -> None:
        """No address of a substation is known, so that it is not even polled."""
        substation.eject(why)
        self._changed[substation] = self._to_poll[substation] = None

    def pause_s(self, substation: Substation, random: Random) -> float:
        """Tell how long after the begin of a substation's poll the next one comes, seconds."""
        return substation.pause_s(random, urgent=bool(self.waiting))

    def poll_began(self, substation: Substation, now: float) -> None:
        """A poll is about to be sent."""
        substation.poll_began(now)

    def poll_read(self, substation: Substation, reading: Reading, now: float) -> None:
        """Take in a good poll."""
        was_open = substation.ineligible_reason(now) is None
        substation.read(reading, now)
        self._changed[substation] = None
        if len(self.substations) > self._max_scanned:
            self._indexed(now)  # now, or a vehicle that comes after many polls would wait for it
        # Deferred vehicles are not examined again at every poll of every substation: with hundreds
        # of substations that alone would keep a CPU busy.
        deferred = len(self.deferred)
        only_they_wait = deferred > 0 and deferred == min(len(self.waiting), MAX_DEFERRED)
        opened = not was_open and substation.ineligible_reason(now) is None
        if opened or not only_they_wait or now >= self._matched_at + self._health_check.interval_s:
            self.match(now)

    def poll_unreadable(self, substation: Substation, why: str) -> None:
        """A poll was answered with something that is no gauge: no vehicle goes there any more.

        What charges there goes on: the substation lives.
        """
        self._changed[substation] = self._to_poll[substation] = None
        if substation.unreadable(why):
            self.ejections[substation.name, "unreadable"] += 1

    def poll_missed(self, substation: Substation, why: str, now: float) -> None:
        """A poll went unanswered; after some in a row all that the substation held is revoked."""
        was_down = substation.health is Health.DOWN
        if not substation.missed(why):
            return
        self._changed[substation] = self._to_poll[substation] = None
        if not was_down:
            self.ejections[substation.name, "missed_polls"] += 1
        for dispatch in list(substation.in_flight):
            self._revoke(dispatch, now)
        self._forget_if_empty(substation)
        self.match(now)

    # Vehicles

    def arrive(self, queued: QueuedSession, now: float, *, has_begun: bool = False) -> None:
        """Take a vehicle in: it is dispatched now or waits in the queue.

        Args:
            queued: the vehicle's.
            now: the time.
            has_begun: it has charged before, and is not turned away for the length of the queue.

        Raises:
            QueueFull: it could not be dispatched and as many wait as may.
        """
        self._arrivals += 1
        queued.place = self._arrivals
        self.waiting.add(queued)
        self.match(now)
        if queued.dispatch is None and not has_begun and len(self.waiting) > self._queue_limit:
            self.waiting.remove(queued)
            raise QueueFull
        if queued.dispatch is None:
            for substation in self._substations_to_poll():
                if substation.awaits_confirmation:
                    self._on_poll_wanted(substation)

    def attach(self, queued: QueuedSession, substation: Substation, now: float) -> None:
        """Take in a vehicle that charges at a substation already, free points or not."""
        self._arrivals += 1
        queued.place = self._arrivals
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
        match = Match(queued, choice, Explanation((candidate,), ()))
        queued.dispatch = self._decide(match, choice.reason, now)
        substation.attach(queued.dispatch)
        self._on_decision(queued.dispatch.decision)
        queued.on_dispatch(queued.dispatch)

    def leave(self, queued: QueuedSession, now: float) -> None:
        """Let go of a vehicle wherever it is: its caller disconnected, or its time is over."""
        self.waiting.remove(queued)
        if self.deferred:
            self.deferred = [one for one in self.deferred if one.queued is not queued]
        self._had_waiting = bool(self.waiting)
        if queued.dispatch is not None:
            self._release(queued.dispatch, "aborted", now)
            self.match(now)

    # What other balancers tell

    def holds(self) -> dict[str, int]:
        """Tell the vehicles of this balancer at each substation, by its address."""
        return {
            substation.address: substation.own
            for substation in self.substations.values()
            if substation.own
        }

    def peer_holds(self, name: str, held: Mapping[str, int], now: float) -> None:
        """Take in what another balancer holds, by the substations' addresses."""
        self.peers.add(name)
        for substation in self.substations.values():
            if substation.peer_holds(name, held.get(substation.address, 0)):
                self._changed[substation] = None
        if self.waiting:
            self.match(now)

    def forget_peer(self, name: str) -> None:
        """Another balancer tells no more."""
        self.peers.discard(name)
        for substation in self.substations.values():
            substation.forget_peer(name)
            self._changed[substation] = None

    def completed(self, dispatch: Dispatch, now: float, reading: Reading | None = None) -> None:
        """The substation answered that the vehicle is charged, and told, maybe.

        How it is itself.
        """
        if self._close(dispatch, "charged"):
            dispatch.substation.remove(dispatch, now)
            if reading is not None:
                dispatch.substation.reported(reading, now)
            self._forget_if_empty(dispatch.substation)
        dispatch.substation.clear_failures()
        duration = now - dispatch.decision.at
        mean = self._mean_session_s
        self._mean_session_s = duration if mean is None else mean + _NEWEST * (duration - mean)
        self.match(now)

    def accepted(self, dispatch: Dispatch, now: float) -> None:
        """The substation answered 202.

        The vehicle charges on, and counts until the gauge shows it.
        """
        dispatch.substation.accepted()
        self._release(dispatch, "accepted", now)
        self.match(now)

    def stopped(
        self, dispatch: Dispatch, now: float, *, goes_on: bool, failed: bool = True
    ) -> None:
        """The substation ended the vehicle's charge before it had all.

        Where it goes on, choose again.

        Args:
            dispatch: the one that ended.
            now: the time.
            goes_on: whether it is to be charged further.
            failed: whether that is the substation's doing, so that it pauses if it happens again.
        """
        if self._close(dispatch, "stopped"):
            dispatch.substation.remove(dispatch, now)
            self._forget_if_empty(dispatch.substation)
            if goes_on:
                if failed:
                    self.failovers["stopped"] += 1
                    dispatch.queued.failed(now)
                self._requeue(dispatch, now)
            self.match(now)

    def found_full(self, dispatch: Dispatch, now: float) -> None:
        """The substation has no free point after all (another balancer was faster).

        Choose again.
        """
        if self._close(dispatch, "full"):
            dispatch.substation.remove(dispatch, now)
            dispatch.substation.found_full()
            self._requeue(dispatch, now)
            self.match(now)

    def found_draining(self, dispatch: Dispatch, now: float) -> None:
        """The substation takes nothing new: choose again."""
        if self._close(dispatch, "full"):
            dispatch.substation.remove(dispatch, now)
            dispatch.substation.drain()
            self._requeue(dispatch, now)
            self.match(now)

    def rejected(self, dispatch: Dispatch, now: float) -> None:
        """The substation will not charge this vehicle, though it is well: choose another."""
        if self._close(dispatch, "rejected"):
            dispatch.substation.remove(dispatch, now)
            self.failovers["rejected"] += 1
            dispatch.queued.rejected_by.add(dispatch.substation.address)
            self._requeue(dispatch, now, costs_budget=True)
            self.match(now)

    def failed(self, dispatch: Dispatch, reason: str, why: str, now: float) -> None:
        """The attempt broke: the substation is ejected and the vehicle goes elsewhere."""
        if self._close(dispatch, "failed"):
            self.failovers[reason] += 1
            self._eject(dispatch.substation, reason, why)
            # The queue is cut, so the substation's own end of it is too: but it may take a moment.
            self._release_point(dispatch, now)
            dispatch.queued.failed(now)
            # A vehicle that had charged for a while is moved on for nothing, so that all that a
            # lost substation held goes on at once; what fails at once is what floods a sick grid.
            at_once = now - dispatch.decision.at < self._health_check.interval_s
            self._requeue(dispatch, now, costs_budget=at_once)
            self.match(now)

    def is_rejected_everywhere(self, queued: QueuedSession) -> bool:
        """Tell whether every substation there is has rejected this vehicle."""
        return bool(queued.rejected_by) and all(
            substation.address in queued.rejected_by
            for substation in self.substations.values()
            if not substation.leaving
        )

    def retry_after_s(self, now: float) -> float:
        """Estimate when a vehicle that is refused now would find a free point, seconds.

        By Little's law the substations free `capacity / mean session` points a second, and those in
        the queue come first. Without a substation or a finished session to go by: when the next
        probe is due.
        """
        if len(self.substations) > self._max_scanned:
            capacity = self._indexed(now).capacity
        else:
            capacity = sum(
                substation.capacity
                for substation in self.substations.values()
                if substation.is_available(now)
            )
        if not capacity or self._mean_session_s is None:
            return self._health_check.max_pause_s if not capacity else self.trust_s
        return (len(self.waiting) + 1) * self._mean_session_s / capacity

    @property
    def trust_s(self) -> float:
        """Age at which a gauge is no longer believed."""
        return self.health_check.trust_s

    # The one step

    def match(self, now: float) -> None:
        """Dispatch waiting vehicles, first come first served, while there is a free point."""
        self._match(now)
        had_waiting, self._had_waiting = self._had_waiting, bool(self.waiting)
        if self.waiting and not had_waiting:
            # Pauses between probes are long while nobody needs the substation; now somebody does.
            for substation in self._substations_to_poll():
                if substation.may_be_back:
                    self._on_poll_wanted(substation)

    def _substations_to_poll(self) -> list[Substation]:
        """List those that are down, or have points that are not known to be free."""
        known = (
            substation
            for substation in self._to_poll
            if self.substations.get(substation.address) is substation
        )
        to_poll = sorted(
            (substation for substation in known if substation.needs_poll),
            key=lambda substation: substation.order,
        )
        self._to_poll = dict.fromkeys(to_poll)
        return to_poll

    def _match(self, now: float) -> None:
        self._matched_at = now
        self.deferred = []
        while self.waiting:
            match, self.deferred = self._matcher.first_of(self.waiting, self._view(now), now)
            if match is None:
                break
            self._dispatch(match, now)
        for deferred in self.deferred:
            if deferred.queued.deferred_for is None:
                self._on_deferred(deferred)
            deferred.queued.deferred_for = deferred.choice.candidate.name

    def last_call(self, queued: QueuedSession, now: float) -> None:
        """Dispatch a vehicle whose deadline has come, if there is a free point of whatever kind."""
        if queued.dispatch is None:
            match = self._matcher.match(queued, self._view(now), now)
            if match is not None:
                self._dispatch(match, now)

    def _view(self, now: float) -> View:
        if len(self.substations) <= self._max_scanned:
            return Scan(self.substations.values(), now, predicts=self.policy.predicts)
        return self._indexed(now)

    def _indexed(self, now: float) -> SubstationIndex:
        changed, self._changed = self._changed, {}
        return self._index.at(now, changed)

    def _dispatch(self, match: Match, now: float) -> None:
        queued = match.queued
        free = len(match.explanation.candidates) + match.explanation.candidates_left_out
        reason = f"{match.choice.reason} of {free} with a free point"
        dispatch = self._decide(match, reason, now)
        self.waiting.remove(queued)
        queued.deferred_for = None
        queued.dispatch = dispatch
        dispatch.substation.add(dispatch)
        self._on_decision(dispatch.decision)
        queued.on_dispatch(dispatch)

    def _decide(self, match: Match, reason: str, now: float) -> Dispatch:
        queued, choice = match.queued, match.choice
        substation = self.substations[choice.candidate.address]
        self._decisions += 1
        self.held_version += 1
        substation.last_chosen = self._decisions
        self._changed[substation] = None
        if queued.costs_budget:
            self._budget.withdraw()
        elif not queued.attempts:
            self._budget.deposit()
        queued.attempts += 1
        among = match.explanation
        decision = Decision(
            sequence=self._decisions,
            at=now,
            session_id=queued.session_id,
            vehicle_id=queued.vehicle_id,
            request_id=queued.request_id,
            substation=choice.candidate.name,
            attempt=queued.attempts,
            waited_s=now - queued.arrived,
            policy=self.policy.name,
            reason=reason,
            candidates=among.candidates,
            ineligible=among.ineligible,
            candidates_left_out=among.candidates_left_out,
            ineligible_left_out=among.ineligible_left_out,
            prediction=choice.prediction,
            next_best=choice.next_best,
            deferred_for=queued.deferred_for,
        )
        return Dispatch(queued, substation, decision)

    # How dispatches end

    def _close(self, dispatch: Dispatch, outcome: str) -> bool:
        """Count a dispatch's end.

        False if it had ended already, as when its substation was lost.
        """
        if not dispatch.open:
            return False
        dispatch.open = False
        self.held_version += 1
        dispatch.queued.dispatch = None
        self._changed[dispatch.substation] = None
        self.dispatches[dispatch.substation.name, outcome] += 1
        return True

    def _release(self, dispatch: Dispatch, outcome: str, now: float) -> None:
        if self._close(dispatch, outcome):
            self._release_point(dispatch, now)
            if self.waiting and dispatch.substation.awaits_confirmation:
                self._on_poll_wanted(dispatch.substation)

    def _release_point(self, dispatch: Dispatch, now: float) -> None:
        dispatch.substation.release(dispatch, now)
        self._to_poll[dispatch.substation] = None
        self._forget_if_empty(dispatch.substation)

    def _revoke(self, dispatch: Dispatch, now: float) -> None:
        if self._close(dispatch, "taken_back"):
            self._release_point(dispatch, now)
            self.failovers["lost"] += 1
            dispatch.queued.failed(now)
            self._requeue(dispatch, now)
            dispatch.queued.on_revoked(dispatch)

    def _requeue(self, dispatch: Dispatch, now: float, *, costs_budget: bool = False) -> None:
        """Give a vehicle its old place, and what was left of its wait when it was dispatched."""
        queued = dispatch.queued
        queued.costs_budget = costs_budget
        # Its time at the substation is not time in the queue, neither for the deadline nor in any
        # figure.
        away_s = now - dispatch.decision.at
        queued.arrived += away_s
        queued.deadline += away_s
        self.waiting.add(queued)

    def _eject(self, substation: Substation, reason: str, why: str) -> None:
        self._changed[substation] = self._to_poll[substation] = None
        if substation.eject(why):
            self.ejections[substation.name, reason] += 1

    def _forget_if_empty(self, substation: Substation) -> None:
        if (
            substation.leaving
            and not substation.in_flight
            and self.substations.pop(substation.address, None) is not None
        ):
            self._changed[substation] = None
