"""The pool: all substations, all sessions in the balancer, and the choice between them.

Everything that can change the next choice goes through the pool. Pure: there are no sockets and no
sleeps, and clock and randomness are passed in, so that the simulation runs this code, too. It is
not thread-safe. Under gevent, no method yields to another greenlet.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from random import Random
from typing import assert_never

from load_balancer.routing.health import Health, HealthCheck, Reading
from load_balancer.routing.known_substations import MAX_SCANNED, KnownSubstations
from load_balancer.routing.matching import MAX_DEFERRED, Deferred, Match, Matcher, match_attached
from load_balancer.routing.outcome import EjectionReason, FailoverReason, Outcome, Withdrawal
from load_balancer.routing.policy import Decision, Policy
from load_balancer.routing.queue import WaitQueue
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Dispatch, QueuedSession, Substation
from load_balancer.routing.view import View

# Weight of the newest session in the moving average of session lengths.
_NEWEST = 0.05


class QueueFull(Exception):
    """The wait queue has its maximum length."""


class Pool:
    """Substations, sessions and the choice between them. Times in seconds of the caller's clock."""

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
        max_scanned: int = MAX_SCANNED,
    ) -> None:
        """Create a pool without substations.

        Args:
            policy: chooses among the substations.
            random: source of the policy's draws.
            health_check: how a few substations are polled.
            budget: limits immediate retries.
            balancers: number of balancers.
            queue_limit: maximum length of the wait queue.
            on_decision: called with each decision.
            on_deferred: called when a vehicle is deferred, once per wait.
            on_poll_wanted: called with a substation that is to be polled out of turn.
            max_scanned: number of substations above which they are indexed.
        """
        self.policy = policy
        self.waiting = WaitQueue()
        self.deferred: list[Deferred] = []  # at the last match
        self.dispatches: Counter[tuple[str, str]] = Counter()  # by substation and outcome
        self.failovers: Counter[str] = Counter()  # by reason
        self.ejections: Counter[tuple[str, str]] = Counter()  # by substation and reason
        self.peers: set[str] = set()  # names of the balancers that report their vehicles
        self.held_version = 0  # grows whenever this balancer's vehicles at a substation change
        self._known = KnownSubstations(
            policy,
            health_check,
            balancers=balancers,
            max_scanned=max_scanned,
            on_poll_wanted=on_poll_wanted,
        )
        self.substations: Mapping[str, Substation] = self._known.by_address
        self._matcher = Matcher(policy, budget=budget, random=random)
        self._budget = budget
        self._interval_s = health_check.interval_s
        self._max_pause_s = health_check.max_pause_s
        self._queue_limit = queue_limit
        self._on_decision = on_decision
        self._on_deferred = on_deferred
        self._on_poll_wanted = on_poll_wanted
        self._arrivals = 0
        self._decisions = 0
        self._mean_session_s: float | None = None
        self._had_waiting = False  # after the last match
        self._matched_at = float("-inf")

    # Substations

    @property
    def health_check(self) -> HealthCheck:
        """How the substations are polled, given their number."""
        return self._known.health_check

    @property
    def drained(self) -> Collection[str]:
        """The names of the substations that an operator drained."""
        return self._known.drained

    def set_substations(self, known: Iterable[tuple[str, str]], now: float) -> None:
        """Add and remove substations so that they match a list of (name, address)."""
        self._known.update(known)
        self.match(now)

    def set_drained(self, name: str, drained: bool, now: float) -> list[Substation]:
        """Give the substations of a name nothing new from now on, or again; return them.

        What is charging there continues.
        """
        substations = self._known.set_drained(name, drained)
        self.match(now)
        return substations

    def cannot_be_reached(self, substation: Substation, why: str) -> None:
        """Eject a substation that cannot even be polled, because it has no known address."""
        substation.eject(why)
        self._note_failure(substation)

    def pause_s(self, substation: Substation, random: Random) -> float:
        """Return the time from the start of a substation's poll to the next one, seconds."""
        return substation.pause_s(random, urgent=bool(self.waiting))

    def poll_began(self, substation: Substation, now: float) -> None:
        """Note that a poll is about to be sent."""
        substation.poll_began(now)

    def poll_read(self, substation: Substation, reading: Reading, now: float) -> None:
        """Take in the reading of a poll."""
        was_open = substation.ineligible_reason(now) is None
        substation.read(reading, now)
        self._known.note_change(substation)
        if self._known.is_indexed:
            self._known.update_index(now)  # otherwise the next vehicle would wait for it
        # Deferred vehicles are not examined again at every poll of every substation: with hundreds
        # of substations that alone would keep a CPU busy.
        deferred = len(self.deferred)
        only_they_wait = deferred > 0 and deferred == min(len(self.waiting), MAX_DEFERRED)
        opened = not was_open and substation.ineligible_reason(now) is None
        if opened or not only_they_wait or now >= self._matched_at + self._interval_s:
            self.match(now)

    def poll_unreadable(self, substation: Substation, why: str) -> None:
        """Eject a substation whose page has no gauge; what is charging there continues."""
        self._note_failure(substation)
        if substation.unreadable(why):
            self.ejections[substation.name, EjectionReason.UNREADABLE] += 1

    def poll_missed(self, substation: Substation, why: str, now: float) -> None:
        """Count a poll without a response; after several in a row, revoke all attempts there."""
        was_down = substation.health is Health.DOWN
        if not substation.missed(why):
            return
        self._note_failure(substation)
        if not was_down:
            self.ejections[substation.name, EjectionReason.MISSED_POLLS] += 1
        for dispatch in list(substation.in_flight):
            self._revoke(dispatch, now)
        self._known.forget_if_empty(substation)
        self.match(now)

    def _note_failure(self, substation: Substation) -> None:
        self._known.note_change(substation)
        self._known.note_poll_needed(substation)

    # Reports of other balancers

    def holds(self) -> dict[str, int]:
        """Return the vehicles of this balancer at each substation, by address."""
        return {
            substation.address: substation.own
            for substation in self.substations.values()
            if substation.own
        }

    def peer_holds(self, name: str, held: Mapping[str, int], now: float) -> None:
        """Record the vehicles of another balancer, by the addresses of substations."""
        self.peers.add(name)
        for substation in self.substations.values():
            if substation.estimate.peer_holds(name, held.get(substation.address, 0)):
                self._known.note_change(substation)
        if self.waiting:
            self.match(now)

    def forget_peer(self, name: str) -> None:
        """Count the vehicles of another balancer as foreign load: it reports no longer."""
        self.peers.discard(name)
        for substation in self.substations.values():
            substation.estimate.forget_peer(name)
            self._known.note_change(substation)

    # Sessions

    def arrive(self, queued: QueuedSession, now: float, *, has_begun: bool = False) -> None:
        """Dispatch a session now, or add it to the wait queue.

        Args:
            queued: the session.
            now: the time.
            has_begun: it was accepted before, so the limit of the queue does not apply.

        Raises:
            QueueFull: there is no free point, and the queue has its maximum length.
        """
        self._arrivals += 1
        queued.place = self._arrivals
        self.waiting.add(queued)
        self.match(now)
        if queued.dispatch is not None:
            return
        if not has_begun and len(self.waiting) > self._queue_limit:
            self.waiting.discard(queued)
            raise QueueFull
        for substation in self._known.needing_poll():
            if substation.awaits_confirmation:
                self._on_poll_wanted(substation)

    def attach(self, queued: QueuedSession, substation: Substation, now: float) -> None:
        """Add a session that is charging at a substation already, free points or not."""
        self._arrivals += 1
        queued.place = self._arrivals
        match = match_attached(queued, substation, now)
        queued.dispatch = self._decide(match, match.choice.reason, now)
        substation.attach(queued.dispatch)
        self._on_decision(queued.dispatch.decision)
        queued.on_dispatch(queued.dispatch)

    def leave(self, queued: QueuedSession, now: float) -> None:
        """Remove a session wherever it is: it has ended, or its caller disconnected."""
        self.waiting.discard(queued)
        if self.deferred:
            self.deferred = [one for one in self.deferred if one.queued is not queued]
        self._had_waiting = bool(self.waiting)
        dispatch = queued.dispatch
        if dispatch is not None:
            self._close(dispatch, Withdrawal.ABORTED)
            self._release_point(dispatch, now)
            self.match(now)

    def is_rejected_everywhere(self, queued: QueuedSession) -> bool:
        """Return whether every substation has rejected this session."""
        return bool(queued.rejected_by) and all(
            substation.address in queued.rejected_by
            for substation in self.substations.values()
            if not substation.leaving
        )

    def retry_after_s(self, now: float) -> float:
        """Estimate when a session that is refused now would find a free point, seconds.

        By Little's law `capacity / mean session` points become free per second. The sessions in the
        queue come first. If no substation is available, it is the longest pause between probes; if
        no session has ended yet, the age up to which a gauge is trusted.
        """
        capacity = self._known.capacity(now)
        if not capacity:
            return self._max_pause_s
        if self._mean_session_s is None:
            return self.health_check.trust_s
        return (len(self.waiting) + 1) * self._mean_session_s / capacity

    # The choice

    def match(self, now: float) -> None:
        """Dispatch waiting sessions, first come first served, while there is a free point."""
        self._match(now)
        had_waiting, self._had_waiting = self._had_waiting, bool(self.waiting)
        if self.waiting and not had_waiting:
            # Pauses between probes are long while nobody needs the substation; now somebody does.
            for substation in self._known.needing_poll():
                if substation.may_be_back:
                    self._on_poll_wanted(substation)

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
        """Dispatch a session at its deadline, if there is any free point."""
        if queued.dispatch is None:
            match = self._matcher.match(queued, self._view(now), now)
            if match is not None:
                self._dispatch(match, now)

    def _view(self, now: float) -> View:
        return self._known.view(now)

    def _dispatch(self, match: Match, now: float) -> None:
        queued = match.queued
        free = len(match.explanation.candidates) + match.explanation.candidates_left_out
        dispatch = self._decide(match, f"{match.choice.reason} of {free} with a free point", now)
        self.waiting.discard(queued)
        queued.deferred_for = None
        queued.dispatch = dispatch
        dispatch.substation.add(dispatch)
        self._on_decision(dispatch.decision)
        queued.on_dispatch(dispatch)

    def _decide(self, match: Match, reason: str, now: float) -> Dispatch:
        queued = match.queued
        substation = self.substations[match.choice.candidate.address]
        self._decisions += 1
        self.held_version += 1
        substation.last_chosen = self._decisions
        self._known.note_change(substation)
        if not queued.attempts:
            self._budget.deposit()
        queued.attempts += 1
        decision = match.decision(self._decisions, now, policy=self.policy.name, reason=reason)
        return Dispatch(queued, substation, decision)

    # How attempts end

    def end(
        self,
        dispatch: Dispatch,
        outcome: Outcome,
        now: float,
        *,
        reading: Reading | None = None,
        reason: str = FailoverReason.ERROR,
        why: str = "",
        goes_on: bool = True,
        failed: bool = True,
    ) -> None:
        """Record how an attempt ended; waiting sessions may be dispatched before this returns.

        A lost substation is not among these ends: `poll_missed` revokes its attempts.

        Args:
            dispatch: the attempt.
            outcome: how it ended; FAILED also if there was no response.
            now: the time.
            reading: if charged, the load report in the response; None if it is not used.
            reason: if failed, the reason as it is counted; a broken connection has its own.
            why: if failed, a description.
            goes_on: if stopped, whether the session is to be charged further.
            failed: if stopped, whether its substation caused it, so that the session pauses if
                that is repeated.
        """
        substation, queued = dispatch.substation, dispatch.queued
        lasted_s = now - dispatch.decision.at
        is_taken = outcome in (Outcome.CHARGED, Outcome.ACCEPTED)
        if self._close(dispatch, outcome):
            self._apply(dispatch, outcome, now, reading, reason, why)
        elif not is_taken:
            return
        if outcome is Outcome.CHARGED:
            substation.clear_failures()
            mean_s = self._mean_session_s
            self._mean_session_s = (
                lasted_s if mean_s is None else mean_s + _NEWEST * (lasted_s - mean_s)
            )
        elif outcome is Outcome.ACCEPTED:
            substation.accepted()
        elif goes_on:
            if outcome is Outcome.STOPPED and failed:
                self.failovers[FailoverReason.STOPPED] += 1
                queued.failed(now)
            # A vehicle that had charged for a while costs no budget, so that all sessions of a lost
            # substation move at once. Only immediate failures can flood a grid that is in trouble.
            at_once = outcome is Outcome.FAILED and lasted_s < self._interval_s
            self._requeue(dispatch, now, costs_budget=at_once or outcome is Outcome.REJECTED)
        self.match(now)

    def _apply(
        self,
        dispatch: Dispatch,
        outcome: Outcome,
        now: float,
        reading: Reading | None,
        reason: str,
        why: str,
    ) -> None:
        """Free the point, and record what the outcome says of the substation."""
        substation = dispatch.substation
        match outcome:
            case Outcome.CHARGED:
                substation.remove(dispatch, now)
                if reading is not None:
                    substation.reported(reading, now)
            case Outcome.ACCEPTED:  # the vehicle counts until a poll shows it
                self._release_point(dispatch, now)
            case Outcome.STOPPED:
                substation.remove(dispatch, now)
            case Outcome.FULL:  # another balancer was faster: busy, not dead, so no ejection
                substation.remove(dispatch, now)
                substation.found_full()
            case Outcome.DRAINING:
                substation.remove(dispatch, now)
                substation.drain()
            case Outcome.REJECTED:  # the substation is well
                substation.remove(dispatch, now)
                self.failovers[FailoverReason.REJECTED] += 1
                dispatch.queued.rejected_by.add(substation.address)
            case Outcome.FAILED:
                self.failovers[FailoverReason(reason)] += 1
                self._note_failure(substation)
                if substation.eject(why):
                    self.ejections[substation.name, EjectionReason(reason)] += 1
                # The connection is closed, so the substation ends its part, too, perhaps later.
                self._release_point(dispatch, now)
                dispatch.queued.failed(now)
            case _:
                assert_never(outcome)
        self._known.forget_if_empty(substation)

    def _revoke(self, dispatch: Dispatch, now: float) -> None:
        if self._close(dispatch, Withdrawal.REVOKED):
            self._release_point(dispatch, now)
            self.failovers[FailoverReason.LOST] += 1
            dispatch.queued.failed(now)
            self._requeue(dispatch, now)
            dispatch.queued.on_revoked(dispatch)

    def _close(self, dispatch: Dispatch, outcome: Outcome | Withdrawal) -> bool:
        """Count the end of an attempt; return False if it had ended before, as by revocation."""
        if not dispatch.open:
            return False
        dispatch.open = False
        self.held_version += 1
        dispatch.queued.dispatch = None
        self._known.note_change(dispatch.substation)
        self.dispatches[dispatch.substation.name, outcome] += 1
        return True

    def _release_point(self, dispatch: Dispatch, now: float) -> None:
        """Free a point that may still be occupied."""
        dispatch.substation.release(dispatch, now)
        self._known.note_poll_needed(dispatch.substation)
        self._known.forget_if_empty(dispatch.substation)
        if self.waiting and dispatch.substation.awaits_confirmation:
            self._on_poll_wanted(dispatch.substation)

    def _requeue(self, dispatch: Dispatch, now: float, *, costs_budget: bool = False) -> None:
        """Put a session back at its old place in the queue, with the rest of its waiting time."""
        queued = dispatch.queued
        queued.costs_budget = costs_budget
        # Its time at the substation is no waiting time, neither for its deadline nor in any figure.
        away_s = now - dispatch.decision.at
        queued.arrived += away_s
        queued.deadline += away_s
        self.waiting.add(queued)
