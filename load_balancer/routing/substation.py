"""A substation as the balancer sees it, and the sessions that are sent there. Pure.

A substation lists its dispatches, each with its session and its substation: they refer to each
other, and so are declared together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field, replace
from itertools import islice
from math import inf
from random import Random
from typing import Any, NamedTuple

from load_balancer.routing.demand import Demand
from load_balancer.routing.energy import EnergyEstimate
from load_balancer.routing.health import FailureCounts, Health, HealthCheck, Reading
from load_balancer.routing.load import LoadEstimate
from load_balancer.routing.policy import Decision
from load_balancer.routing.prediction import Supply

# Maximum pause between two attempts of a session whose attempts keep failing, seconds.
_MAX_PAUSE_S = 8.0


@dataclass(eq=False, repr=False, slots=True)
class Dispatch:
    """One attempt at a substation; `open` until the pool knows how it ended."""

    queued: QueuedSession
    substation: Substation
    decision: Decision
    open: bool = True

    def share_left(self, now: float) -> float:
        """Return the share of its energy that is predicted to be left; 0 if nothing is known."""
        prediction = self.decision.prediction
        if prediction is None or not 0 < prediction.charging_s < inf:
            return 0.0
        return max(0.0, 1 - (now - self.decision.at) / prediction.charging_s)


def ignore(_dispatch: Dispatch) -> None:
    """Do nothing."""


@dataclass(eq=False, repr=False, slots=True)
class QueuedSession:
    """A session in the balancer, from its arrival to its end."""

    session_id: str
    vehicle_id: str
    arrived: float  # later, like the deadline, by the time at substations that failed it
    deadline: float  # not dispatched later
    demand: Demand
    request_id: str = ""  # passed on, so that it appears in the logs of every service
    on_dispatch: Callable[[Dispatch], Any] = ignore
    on_revoked: Callable[[Dispatch], Any] = ignore
    place: int = 0  # order of arrival, which it keeps when it is queued again
    attempts: int = 0
    failures: int = 0  # failed attempts
    costs_budget: bool = False  # the next attempt counts against the retry budget
    not_before: float = float("-inf")  # not dispatched earlier
    dispatch: Dispatch | None = None
    deferred_for: str | None = None  # name of the substation for which it is deferred
    rejected_by: set[str] = field(default_factory=set)

    def failed(self, now: float) -> None:
        """Count a failed attempt.

        From the second one on the session pauses, each time for longer. Each failure ejects a
        substation, so a vehicle that makes every substation fail could take the whole grid down.
        """
        self.failures += 1
        if self.failures > 1:
            pause_s = min(_MAX_PAUSE_S, 0.5 * 2.0 ** (self.failures - 2))
            self.not_before = max(self.not_before, now + pause_s)


class Finishes(NamedTuple):
    """When the first and the last vehicle at a substation are predicted to be charged.

    Seconds from now; 0 if overdue.
    """

    next_s: float
    last_s: float


@dataclass(eq=False, repr=False, slots=True, weakref_slot=True)  # there may be thousands
class Substation:
    """One address that charges vehicles. Times in seconds of the caller's clock."""

    name: str
    address: str
    balancers: InitVar[int]
    health_check: HealthCheck  # when it is polled, and for how long its gauge is trusted
    order: int = 0  # among the substations of a pool; those found earlier come first
    last_chosen: int = 0  # sequence number of the last decision for it
    estimate: LoadEstimate = field(init=False)
    in_flight: dict[Dispatch, None] = field(default_factory=dict)  # the oldest first
    energy: EnergyEstimate | None = None  # None if it does not publish its power
    reading: Reading | None = None
    read_at: float = -inf
    health: Health = Health.UNKNOWN
    reason: str | None = "not polled yet"
    warning: str | None = None  # it gets vehicles, but something looks wrong
    unusable_reason: str | None = None  # why no charge can succeed there
    leaving: bool = False  # its name no longer resolves to it; kept until it is empty
    drained: bool = False  # by an operator: it finishes what it has and gets nothing new
    _failures: FailureCounts = field(default_factory=FailureCounts, init=False)
    _failed_since_poll_began: bool = False

    def __post_init__(self, balancers: int) -> None:
        self.estimate = LoadEstimate(balancers)

    @property
    def own(self) -> int:
        """Vehicles here that this balancer dispatched."""
        return self.estimate.own

    @property
    def foreign(self) -> int:
        """Estimated vehicles here that this balancer did not dispatch."""
        return self.estimate.foreign

    @property
    def load(self) -> int:
        """Estimated vehicles here."""
        return self.estimate.total

    @property
    def known_load(self) -> int:
        """Known vehicles here, without an assumption about other balancers."""
        return self.estimate.known

    @property
    def capacity(self) -> int:
        """Vehicles that it can hold; 0 before the first poll."""
        return self.reading.capacity if self.reading else 0

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the next poll may show a point as free that counts as occupied now."""
        return self.estimate.is_unconfirmed and self.health is Health.UP

    @property
    def needs_poll(self) -> bool:
        """Whether it is down, or the next poll may show a point as free."""
        return self.estimate.is_unconfirmed or self.health is Health.DOWN

    @property
    def may_be_back(self) -> bool:
        """Whether it is worth a probe out of turn.

        It was down for a while, and did not come back only to fail its vehicles again.
        """
        failures = self._failures
        return self.health is Health.DOWN and failures.probes > 0 and failures.ejections <= 1

    def supply(self, now: float) -> Supply | None:
        """Return the power and energy there; None if it does not publish them."""
        return None if self.energy is None else self.energy.supply(self.known_load, now)

    def gauge_age_s(self, now: float) -> float:
        """Return the time since the gauge was read, seconds; infinite if it never was."""
        return now - self.read_at

    def is_available(self, now: float) -> bool:
        """Return whether it takes vehicles as long as it has a free point."""
        return self.unavailable_reason(now) is None

    def unavailable_reason(self, now: float) -> str | None:
        """Return why it takes no vehicles even with a free point; None if it does."""
        if self.leaving:
            return "no longer behind its name"
        if self.health is not Health.UP:
            return self.reason or str(self.health)
        if now - self.read_at > self.health_check.trust_s:
            return f"gauge is {self.gauge_age_s(now):.1f} s old"
        return None

    def ineligible_reason(self, now: float) -> str | None:
        """Return why it takes no vehicle now; None if it does."""
        reason = self.unavailable_reason(now)
        if reason is not None:
            if self.leaving or self.health is Health.UP:
                return reason
            return f"{self.health}: {reason}"
        known_load, capacity = self.known_load, self.capacity
        if known_load >= capacity:
            return f"full ({known_load} of {capacity})"
        return None

    # Dispatches of this balancer

    def add(self, dispatch: Dispatch) -> None:
        """Count a vehicle that is dispatched."""
        self.in_flight[dispatch] = None
        self.estimate.add()
        if self.energy is not None:
            self.energy.add(dispatch.queued.demand, dispatch.decision.at)

    def attach(self, dispatch: Dispatch) -> None:
        """Count a vehicle as this balancer's that is charging here already."""
        self.in_flight[dispatch] = None
        self.estimate.attach()

    def remove(self, dispatch: Dispatch, now: float) -> None:
        """Uncount a vehicle whose point is known to be free."""
        del self.in_flight[dispatch]
        self.estimate.remove()
        if self.energy is not None:
            self.energy.remove(dispatch.queued.demand, dispatch.share_left(now), now)

    def release(self, dispatch: Dispatch, now: float) -> None:
        """Release a vehicle whose point may still be occupied; it counts until a poll can tell."""
        del self.in_flight[dispatch]
        self.estimate.release(now)

    def finishes(self, now: float) -> Finishes | None:
        """Return when this balancer's vehicles here are charged; None if nothing is predicted."""
        finishes = [
            max(0.0, dispatch.decision.at + prediction.finish_s - now)
            for dispatch in self.in_flight
            if (prediction := dispatch.decision.prediction) is not None
        ]
        return Finishes(min(finishes), max(finishes)) if finishes else None

    # Responses

    def found_full(self) -> None:
        """It has responded that it is full: as good as a poll that shows it."""
        if self.reading is not None:
            self.reading = replace(self.reading, load=self.reading.capacity)
            self.estimate.reported(self.reading.load)

    def reported(self, reading: Reading, now: float) -> None:
        """Take in the load report of a response, which is as good as a poll of that moment.

        Its health still depends on polls.
        """
        if self.health is Health.UP and not self.estimate.accepts:
            self.estimate.reported(reading.load)
            self._take(reading, now)

    def accepted(self) -> None:
        """It has responded 202: it responds when charging begins."""
        self.estimate.accepts = True
        self.clear_failures()

    def drain(self) -> None:
        """It has responded that it drains."""
        if self.reading is not None:
            self.reading = replace(self.reading, draining=True)
        self._responded(draining=True)

    def clear_failures(self) -> None:
        """Forget past failures: it has charged a vehicle."""
        self._failures.ejections = 0
        self.unusable_reason = None

    # Polls

    def poll_began(self, now: float) -> None:
        """Note that a poll begins: from now until its response the page may be written."""
        self.estimate.poll_began(now)
        self._failed_since_poll_began = False

    def read(self, reading: Reading, now: float) -> None:
        """Take in the reading of a poll: whatever was wrong before the poll, it is well now."""
        self._failures.misses = 0
        if self._failed_since_poll_began:
            return  # the page may have been written before that; the next one counts
        self.estimate.polled(reading.load)
        self._take(reading, now)
        self._responded(draining=reading.draining)

    def _take(self, reading: Reading, now: float) -> None:
        self.reading = reading
        self.read_at = now
        self.energy = EnergyEstimate.of(reading, now)
        if self.energy is not None:
            # The newest vehicles may still be on their way, and not in the page yet.
            unseen = max(0, len(self.in_flight) - reading.load)
            for dispatch in islice(reversed(self.in_flight), unseen):
                self.energy.add(dispatch.queued.demand, now)

    def unreadable(self, why: str) -> bool:
        """Take in a response without a gauge; return whether that ejects the substation."""
        self._failures.misses = 0  # it did respond
        self._failures.probes += 1
        return self.eject(why)

    def missed(self, why: str) -> bool:
        """Count a poll without a response; return whether the substation is lost now."""
        self._failures.misses += 1
        self._failures.probes += 1
        if self._failures.misses < self.health_check.misses:
            return False
        self.eject(why)
        return True

    def eject(self, why: str) -> bool:
        """Give it no vehicles until a poll succeeds; return False if it was ejected already."""
        was_up = self.health is not Health.DOWN
        self.health = Health.DOWN
        self.reason = why
        self._failed_since_poll_began = True
        if was_up:
            self._failures.ejections += bool(self.in_flight)
            self._failures.probes = 0
        return was_up

    def set_drained(self, drained: bool) -> None:
        """Give it nothing new from now on, or again, as an operator says."""
        self.drained = drained
        if self.health.responds:
            self._responded(draining=self.reading is not None and self.reading.draining)

    def _responded(self, *, draining: bool) -> None:
        """It is up, unless it or an operator wants it drained."""
        self.health = Health.DRAINING if draining or self.drained else Health.UP
        if self.drained:
            self.reason = "drained by an operator"
        else:
            self.reason = "the substation says so" if draining else None

    def pause_s(self, random: Random, *, urgent: bool) -> float:
        """Return the time until its next poll, seconds; see `FailureCounts.pause_s`."""
        is_down = self.health is Health.DOWN
        return self._failures.pause_s(self.health_check, random, is_down=is_down, urgent=urgent)
