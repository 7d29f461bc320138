"""A substation as the balancer sees it: its load, its power, its health. Pure."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from load_balancer.routing.energy import EnergyEstimate
from load_balancer.routing.health import FailureCounts, Health, HealthCheck, Reading
from load_balancer.routing.load import LoadEstimate
from load_balancer.routing.prediction import Supply

if TYPE_CHECKING:
    from load_balancer.routing.queue import Dispatch


class Substation:
    """One address that charges vehicles. Times in seconds of the caller's clock."""

    # There may be thousands: a dictionary each would take 1.3 KB more.
    __slots__ = (
        "__weakref__",
        "_failed_since_poll_began",
        "_failures",
        "_health_check",
        "_trust_s",
        "address",
        "drained",
        "energy",
        "estimate",
        "health",
        "in_flight",
        "last_chosen",
        "leaving",
        "name",
        "order",
        "read_at",
        "reading",
        "reason",
        "unusable_reason",
        "warning",
    )

    def __init__(
        self, name: str, address: str, *, balancers: int, health_check: HealthCheck
    ) -> None:
        self.name = name
        self.address = address
        self.order = 0  # among the substations of a pool; those found earlier come first
        self.last_chosen = 0  # sequence number of the last decision for it
        self.estimate = LoadEstimate(balancers)
        self.in_flight = self.estimate.in_flight
        self.energy: EnergyEstimate | None = None  # None if it does not publish its power
        self.reading: Reading | None = None
        self.read_at = float("-inf")
        self.health = Health.UNKNOWN
        self.health_check = health_check
        self.reason: str | None = "not polled yet"
        self.warning: str | None = None  # it gets vehicles, but something looks wrong
        self.unusable_reason: str | None = None  # why no charge can succeed there
        self.leaving = False  # its name no longer resolves to it; kept until it is empty
        self.drained = False  # by an operator: it finishes what it has and gets nothing new
        self._failures = FailureCounts()
        self._failed_since_poll_began = False

    @property
    def health_check(self) -> HealthCheck:
        """When it is polled, and for how long its gauge is trusted."""
        return self._health_check

    @health_check.setter
    def health_check(self, health_check: HealthCheck) -> None:
        self._health_check = health_check
        self._trust_s = health_check.trust_s

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
        if now - self.read_at > self._trust_s:
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
        self.estimate.add(dispatch)
        if self.energy is not None:
            self.energy.add(dispatch, dispatch.decision.at)

    def attach(self, dispatch: Dispatch) -> None:
        """Count a vehicle as this balancer's that is charging here already."""
        self.estimate.attach(dispatch)

    def remove(self, dispatch: Dispatch, now: float) -> None:
        """Uncount a vehicle whose point is known to be free."""
        self.estimate.remove(dispatch)
        if self.energy is not None:
            self.energy.remove(dispatch, now)

    def release(self, dispatch: Dispatch, now: float) -> None:
        """Release a vehicle whose point may still be occupied; it counts until a poll can tell."""
        self.estimate.release(dispatch, now)

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
                self.energy.add(dispatch, now)

    def unreadable(self, why: str) -> bool:
        """Take in a response without a gauge; return whether that ejects the substation."""
        self._failures.misses = 0  # it did respond
        self._failures.probes += 1
        return self.eject(why)

    def missed(self, why: str) -> bool:
        """Count a poll without a response; return whether the substation is lost now."""
        self._failures.misses += 1
        self._failures.probes += 1
        if self._failures.misses < self._health_check.misses:
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
        return self._failures.pause_s(self._health_check, random, is_down=is_down, urgent=urgent)
