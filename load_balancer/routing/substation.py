"""A substation as the balancer sees it: what it was handed, what its gauge said, its health.

The estimate of its load, with g the gauge polled at time τ, own(t) this balancer's dispatches there
and R balancers, is

    load(t) = own(t) + max(0, g(τ) - own(τ) + (R - 1)·(own(t) - own(τ)))

so that a balancer alone is exact at any poll interval, foreign load is added, and the other
balancers are taken to have done since τ what this one did (after Dahlin, Interpreting Stale Load
Information, TPDS 2000). Balancers that tell each other what they hold (`peers`) are no others: what
they hold is counted as own(t) is, by their last words. Pure: the clock is passed in.

The estimate says which substation is the better one. Whether a substation has a free point at all
goes by what is known alone, `own(t) + max(0, g(τ) - own(τ))`: a guess at what the others did would
keep vehicles waiting beside free points for several polls (each poll would fill 1/R of what is
left), and, as own vehicles end, would count R points free for each. Where the others were faster
the substation says so, which costs a re-choice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from math import inf
from random import Random
from typing import TYPE_CHECKING

from load_balancer.routing.energy import EnergyEstimate
from load_balancer.routing.peer_loads import PeerLoads
from load_balancer.routing.prediction import Supply

if TYPE_CHECKING:
    from load_balancer.routing.queue import Dispatch

# Of the interval between polls: pauses between probes while vehicles wait and nobody answers.
_SHARE_WHEN_PRESSING = 0.25


class Health(StrEnum):
    """Whether a substation can be given vehicles."""

    UNKNOWN = "unknown"  # not polled yet
    UP = "up"
    DRAINING = "draining"  # finishes what it has
    DOWN = "down"  # ejected; probed until its gauge can be read again


@dataclass(frozen=True, slots=True)
class Reading:
    """What one poll of a substation's metrics page found."""

    load: int
    capacity: int
    draining: bool = False
    power_kw: float | None = None  # drawn now
    power_limit_kw: float | None = None
    point_power_kw: float | None = None  # the most that one point gives
    committed_power_kw: float | None = None  # what those there could draw
    remaining_energy_kwh: float | None = None  # what those there still have to get
    time_scale: float = 1.0  # how many times faster than real time vehicles charge


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """When a substation is believed, doubted and asked again. Times in seconds."""

    interval_s: float = 0.5  # between polls of a healthy substation
    trust_intervals: float = 3  # a gauge older than this many intervals is not believed
    misses: int = 2  # polls in a row without an answer that make a substation lost
    max_pause_s: float = 2  # between probes of an ejected substation
    polls_per_s: float = inf  # at most, of all substations together
    min_pause_s: float = 0  # between polls of one substation, whatever may be gained by them

    @property
    def trust_s(self) -> float:
        """Age at which a gauge is no longer believed."""
        return self.interval_s * self.trust_intervals

    def among(self, substations: int) -> HealthCheck:
        """Slow down as far as so many substations need."""
        pause_s = substations / self.polls_per_s
        if pause_s <= self.interval_s:
            return self
        return replace(self, interval_s=pause_s, min_pause_s=pause_s)


class Substation:
    """One address that charges vehicles."""

    # Thousands of them: a dictionary each would take 1.3 KB more.
    __slots__ = (
        "__weakref__",
        "_balancers",
        "_failed_probes",
        "_failed_since_poll_began",
        "_failures",
        "_health_check",
        "_misses",
        "_others_at_poll",
        "_own_at_reading",
        "_own_in_poll",
        "_own_peak_in_poll",
        "_poll_began",
        "_trust_s",
        "_unconfirmed",
        "accepts",
        "address",
        "drained",
        "energy",
        "health",
        "in_flight",
        "last_chosen",
        "leaving",
        "name",
        "order",
        "peers",
        "read_at",
        "reading",
        "reason",
        "silent_balancers",
        "unusable_reason",
        "warning",
    )

    def __init__(
        self, name: str, address: str, *, balancers: int, health_check: HealthCheck
    ) -> None:
        self.name = name
        self.address = address
        self.order = 0  # of those that a pool knows, the longer known ones first
        self.health = Health.UNKNOWN
        self.reason: str | None = "not polled yet"
        self.reading: Reading | None = None
        self.accepts = False  # it answers when charging begins: its vehicles then seem foreign
        self.warning: str | None = None  # vehicles are sent there, but something looks wrong
        self.unusable_reason: str | None = None  # why no charge can succeed there
        self.energy: EnergyEstimate | None = None  # none where it does not publish what that takes
        self.last_chosen = 0
        self.leaving = False  # vanished from its name; kept until its last vehicle is done
        self.drained = False  # an operator's word: it finishes what it has and gets nothing new
        self.in_flight: dict[Dispatch, None] = {}  # a set in the order of dispatch
        self.peers = PeerLoads()
        self.silent_balancers = balancers - 1  # balancers that do not report their vehicles
        self._balancers = balancers
        self.health_check = health_check
        self.read_at = float("-inf")
        self._own_at_reading = 0
        # When each vehicle was let go whose point may still be taken: answered 202, or
        # disconnected. It counts until a poll that began later can show it.
        self._unconfirmed: list[float] = []
        self._others_at_poll = 0
        self._poll_began = float("-inf")
        self._failed_since_poll_began = False
        self._own_in_poll = 0
        self._own_peak_in_poll = 0
        self._misses = 0  # polls in a row without an answer
        self._failures = 0  # ejections with a vehicle there, since it last charged one
        self._failed_probes = 0  # since it was ejected

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
        return len(self.in_flight) + len(self._unconfirmed)

    @property
    def foreign(self) -> int:
        """Estimated vehicles here that this balancer did not dispatch."""
        since = self.own - self._own_at_reading
        return self.peers.now + max(0, self._foreign_at_reading + self.silent_balancers * since)

    @property
    def load(self) -> int:
        """Estimated vehicles here."""
        return self.own + self.foreign if self.silent_balancers else self.known_load

    @property
    def known_load(self) -> int:
        """Vehicles here as far as this balancer knows, with no guess at what the others did."""
        own, reading = len(self.in_flight) + len(self._unconfirmed), self.reading
        peers = self.peers
        own += peers.now
        foreign = reading.load - self._own_at_reading - peers.at_reading if reading else 0
        return own + foreign if foreign > 0 else own

    @property
    def _foreign_at_reading(self) -> int:
        if self.reading is None:
            return 0
        return self.reading.load - self._own_at_reading - self.peers.at_reading

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the next poll may find a point free that is counted as taken now."""
        return bool(self._unconfirmed) and self.health is Health.UP

    @property
    def needs_poll(self) -> bool:
        """Whether it is down, or has points of which it is not known whether they are free."""
        return bool(self._unconfirmed) or self.health is Health.DOWN

    @property
    def may_be_back(self) -> bool:
        """Whether it is worth a probe out of turn: gone for a while, and not back to fail again."""
        return self.health is Health.DOWN and self._failed_probes > 0 and self._failures <= 1

    @property
    def capacity(self) -> int:
        """Vehicles the substation can hold; 0 before the first poll."""
        return self.reading.capacity if self.reading else 0

    def supply(self, now: float) -> Supply | None:
        """Tell what it has to give; None where it does not publish what that takes."""
        return None if self.energy is None else self.energy.supply(self.known_load, now)

    def gauge_age_s(self, now: float) -> float:
        """Seconds since the gauge was read; infinite if never."""
        return now - self.read_at

    def is_available(self, now: float) -> bool:
        """Tell whether it takes vehicles as long as it has a free point."""
        return self.unavailable_reason(now) is None

    def unavailable_reason(self, now: float) -> str | None:
        """Say why no vehicle could go here even if it has a free point; None if one could."""
        if self.leaving:
            return "no longer behind its name"
        if self.health is not Health.UP:
            return self.reason or str(self.health)
        if now - self.read_at > self._trust_s:
            return f"gauge is {self.gauge_age_s(now):.1f} s old"
        return None

    def ineligible_reason(self, now: float) -> str | None:
        """Say why no vehicle can go here now; None if one can."""
        wrong = self.unavailable_reason(now)
        if wrong is not None:
            return wrong if self.leaving or self.health is Health.UP else f"{self.health}: {wrong}"
        known_load, capacity = self.known_load, self.capacity
        if known_load >= capacity:
            return f"full ({known_load} of {capacity})"
        return None

    # What this balancer does here

    def add(self, dispatch: Dispatch) -> None:
        """Count a vehicle that is handed over."""
        self.in_flight[dispatch] = None
        if self.energy is not None:
            self.energy.add(dispatch, dispatch.decision.at)
        self._own_in_poll += 1
        self._own_peak_in_poll = max(self._own_peak_in_poll, self._own_in_poll)

    def attach(self, dispatch: Dispatch) -> None:
        """Count a vehicle as this balancer's that charges here already, as the gauge shows."""
        self.in_flight[dispatch] = None
        self._own_at_reading += 1
        self._own_in_poll += 1
        self._own_peak_in_poll = max(self._own_peak_in_poll, self._own_in_poll)

    def remove(self, dispatch: Dispatch, now: float) -> None:
        """Uncount a vehicle whose point is known to be free."""
        del self.in_flight[dispatch]
        if self.energy is not None:
            self.energy.remove(dispatch, now)
        self._own_in_poll -= 1

    def release(self, dispatch: Dispatch, now: float) -> None:
        """Let go of a vehicle whose point may still be taken; it counts until a gauge can tell."""
        del self.in_flight[dispatch]
        self._unconfirmed.append(now)

    def found_full(self) -> None:
        """Take the substation's own word that it is full: as good as a gauge that shows it."""
        if self.reading is not None:
            self.reading = replace(self.reading, load=self.reading.capacity)
            self._own_at_reading = self.own
            self.peers.read()

    def reported(self, reading: Reading, now: float) -> None:
        """Take in what it told of itself in an answer, which is as good as a poll of that moment.

        Whether it is well is for polls to say.
        """
        if self.health is Health.UP and not self.accepts:
            self._take(reading, self.own, now)

    # What other balancers tell

    def peer_holds(self, name: str, vehicles: int) -> bool:
        """Take in what another balancer holds here; tell whether that changes anything."""
        before = (self.peers.now, self.peers.count, self.peers.at_reading)
        self.peers.hold(name, vehicles)
        self.silent_balancers = max(0, self._balancers - 1 - self.peers.count)
        return before != (self.peers.now, self.peers.count, self.peers.at_reading)

    def forget_peer(self, name: str) -> None:
        """Take what another balancer holds here for foreign load."""
        self.peers.forget(name)
        self.silent_balancers = max(0, self._balancers - 1 - self.peers.count)

    # What polls find

    def poll_began(self, now: float) -> None:
        """Note what of this balancer's the gauge may show, from here to the poll's answer."""
        self._poll_began = now
        self._failed_since_poll_began = False
        self._own_in_poll = self._own_peak_in_poll = len(self.in_flight)
        self._others_at_poll = self.known_load - len(self.in_flight)

    def read(self, reading: Reading, now: float) -> None:
        """Take in a poll's answer: whatever was wrong before the poll, the substation is well."""
        self._misses = 0
        if self._failed_since_poll_began:
            return  # the page may have been written before; the next one will tell
        # The page was written somewhere between the poll's beginning and now. With the most that
        # this balancer had here in between, its own vehicles are never taken for foreign ones.
        own = self._own_peak_in_poll
        if self.accepts:
            # Those accepted before may be all that it shows, and who was on the way during the poll
            # may not be in it: more would be let in than there are points.
            own = min(own, max(0, reading.load - self._others_at_poll))
        self._take(reading, own, now)
        self._unconfirmed = [at for at in self._unconfirmed if at >= self._poll_began]
        self._answered(draining=reading.draining)

    def _take(self, reading: Reading, own: int, now: float) -> None:
        self.reading = reading
        self.read_at = now
        self._own_at_reading = own
        self.peers.read()
        self.energy = EnergyEstimate.of(reading, now)
        if self.energy is not None:
            # The page does not show yet those that are still on their way there, the newest.
            unseen = max(0, len(self.in_flight) - reading.load)
            for dispatch in islice(reversed(self.in_flight), unseen):
                self.energy.add(dispatch, now)

    def unreadable(self, why: str) -> bool:
        """Take in an answer that is no gauge; True if it was not ejected already."""
        self._misses = 0  # it did answer
        self._failed_probes += 1
        return self.eject(why)

    def missed(self, why: str) -> bool:
        """Count a poll without an answer; True if that makes the substation lost."""
        self._misses += 1
        self._failed_probes += 1
        if self._misses < self._health_check.misses:
            return False
        self.eject(why)
        return True

    def eject(self, why: str) -> bool:
        """Give it no vehicle until a poll finds it well; True if it was not ejected already."""
        was_up = self.health is not Health.DOWN
        self.health = Health.DOWN
        self.reason = why
        self._failed_since_poll_began = True
        if was_up:
            self._failures += bool(self.in_flight)
            self._failed_probes = 0
        return was_up

    def drain(self) -> None:
        """Take its word that it drains."""
        if self.reading is not None:
            self.reading = replace(self.reading, draining=True)
        self._answered(draining=True)

    def set_drained(self, drained: bool) -> None:
        """Give it nothing new from now on, or again, as an operator says."""
        self.drained = drained
        if self.health in (Health.UP, Health.DRAINING):
            self._answered(draining=self.reading is not None and self.reading.draining)

    def _answered(self, *, draining: bool) -> None:
        """It is there; whether it is given vehicles is for itself and for the operators to say."""
        self.health = Health.DRAINING if draining or self.drained else Health.UP
        if self.drained:
            self.reason = "drained by an operator"
        else:
            self.reason = "the substation says so" if draining else None

    def clear_failures(self) -> None:
        """Forget past failures: it has charged a vehicle."""
        self._failures = 0
        self.unusable_reason = None

    def pause_s(self, random: Random, *, pressing: bool) -> float:
        """Seconds until the next poll: steady while well, at once after a first miss, then growing.

        Jittered, so that balancers do not poll in step nor probe a waking substation all at once.
        While it is `pressing`, for vehicles wait that this substation might take, pauses do not
        grow with the probes that fail, and are short where nobody answers, whom it costs nothing;
        with the times that it came back and failed its vehicles they grow.
        """
        health_check = self._health_check
        if self.health is not Health.DOWN:
            if self._misses:
                # Of thousands hundreds may have missed at once: not all are asked again at once.
                spread_s = health_check.min_pause_s / 2
                return spread_s and random.uniform(0.0, spread_s)
            return health_check.interval_s * random.uniform(0.9, 1.1)
        tries = max(self._failures - 1, 0 if pressing else self._failed_probes)
        first_s = health_check.interval_s * (
            _SHARE_WHEN_PRESSING if pressing and self._misses else 1
        )
        pause = min(health_check.max_pause_s, first_s * 2.0 ** min(tries, 30))
        return max(health_check.min_pause_s, pause * random.uniform(0.5, 1.0))
