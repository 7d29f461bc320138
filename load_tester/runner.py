"""Sends the vehicles of a plan, each in a greenlet, and records the results.

Open loop: a vehicle is sent when it is due, whatever happened to those before it, and its time is
measured from then. So a grid that stalls gets as many requests as one that does not.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import gevent
from gevent.event import Event
from gevent.pool import Group

from load_tester.client import Caller, FailureKind, Gateway, NoResponse
from load_tester.response import HttpResponse, apply_response, retry_after
from load_tester.vehicle import Charge, Outcome, Plan, Vehicle

_BATCH = 64  # vehicles started in a row before others get to run
_FIRST_PAUSE_S = 0.2
_MAX_PAUSE_S = 5.0
_BEGAN = (Outcome.CHARGED, Outcome.ACCEPTED, Outcome.STOPPED)

# Called with a charge and its 202; returns how long the session took, seconds; None: unknown.
Follow = Callable[[Charge, HttpResponse], float | None]


@dataclass(slots=True)
class Tally:
    """The current state of the run, for the progress display."""

    planned: int
    sent: int = 0
    ended: int = 0
    charged: int = 0
    lost: int = 0
    retries: int = 0
    waiting: int = 0  # as last reported by the balancer

    @property
    def out(self) -> int:
        """Vehicles that are waiting or charging now."""
        return self.sent - self.ended

    def note_waiting(self, vehicles: int) -> None:
        """Record the number of waiting vehicles that the balancer reports."""
        self.waiting = vehicles


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How vehicles behave: how long one retries and when one gives up, seconds."""

    patience: float
    timeout: float
    tag: str  # prefix of all vehicle IDs, by which a run finds its own vehicles in the grid's data
    idempotent: bool = False  # each sends a key, and retries with the same one


@dataclass(slots=True)
class Runner:
    """One run. `clock` returns seconds.

    `watch` is called with each vehicle that ended, and stops the run by returning True. `follow`
    waits for the end of an accepted vehicle's session; without it the end is unknown.
    """

    plan: Plan
    gateway: Gateway
    behaviour: Behaviour
    clock: Callable[[], float]
    rng: random.Random
    watch: Callable[[Charge], bool] = lambda _: False
    follow: Follow | None = None
    tally: Tally = field(init=False)
    charges: list[Charge] = field(init=False, default_factory=list)
    _stopped: Event = field(init=False, default_factory=Event)
    _out: Group = field(init=False, default_factory=Group)
    _start: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Count the planned vehicles."""
        self.tally = Tally(len(self.plan.vehicles))

    @property
    def now(self) -> float:
        """Seconds since the start of the run; 0 before."""
        return 0.0 if self._start is None else self.clock() - self._start

    def run(self) -> None:
        """Send all vehicles and wait until each has ended."""
        self._start = self.clock()
        if self.plan.concurrency is None:
            self._send_when_due()
        else:
            rest = iter(self.plan.vehicles)
            for _ in range(min(self.plan.concurrency, len(self.plan.vehicles))):
                self._out.spawn(self._send_one_by_one, rest)
        self._out.join()

    def stop(self, *, disconnect: bool) -> None:
        """Send no more vehicles; with `disconnect` also cut short those in flight."""
        self._stopped.set()
        if disconnect:
            self._out.kill(block=False)

    def _send_when_due(self) -> None:
        for index, vehicle in enumerate(self.plan.vehicles):
            early = vehicle.due - self.now
            if early > 0:
                self._stopped.wait(early)
            elif index % _BATCH == 0:
                gevent.sleep(0)
            if self._stopped.is_set():
                return
            self._out.spawn(
                self._send, vehicle, vehicle.due, Caller(self.gateway, keep_alive=False)
            )

    def _send_one_by_one(self, rest: Iterator[Vehicle]) -> None:
        caller = Caller(self.gateway, keep_alive=True)
        try:
            for vehicle in rest:
                if self._stopped.is_set():
                    # Already taken from the plan, but the run has stopped.
                    return
                self._send(vehicle, self.now, caller)
        finally:
            caller.close()

    def _send(self, vehicle: Vehicle, due: float, caller: Caller) -> None:
        vehicle_id = f"{self.behaviour.tag}{vehicle.number:06d}"
        charge = Charge(vehicle, vehicle_id, due, self.now, keys=int(self.behaviour.idempotent))
        self.charges.append(charge)
        self.tally.sent += 1
        body = vehicle.body(vehicle_id)
        try:
            while (pause := self._try(charge, caller, body)) is not None:
                gevent.sleep(pause)
                charge.tries += 1
                self.tally.retries += 1
        except gevent.GreenletExit:
            charge.outcome, charge.reason = Outcome.CUT_SHORT, ""
        except Exception as error:  # otherwise the vehicle would end without an outcome
            charge.outcome = Outcome.FAILED
            charge.reason = f"the tester itself failed: {type(error).__name__}: {error}"
            charge.unanswered += charge.status is None
        charge.ended = charge.ended or self.now
        self.tally.ended += 1
        self.tally.charged += charge.outcome in (Outcome.CHARGED, Outcome.ACCEPTED)
        self.tally.lost += charge.outcome.lost
        if self.watch(charge):
            self._stopped.set()

    def _try(self, charge: Charge, caller: Caller, body: bytes) -> float | None:
        """Try once to charge; return the seconds until the next try, or None for no other."""
        charge.status = None  # clears that of the previous try
        if not (charge.keys and charge.unanswered):
            charge.asked = self.now
        passing, asked = False, None
        try:
            with gevent.Timeout(self.behaviour.timeout):
                response = caller.charge(body, charge.key)
                self._take(charge, response)
        except NoResponse as error:
            charge.outcome, charge.reason = Outcome.FAILED, str(error)
            charge.unanswered += error.sent
            passing = error.passing
        except gevent.Timeout:
            charge.outcome, charge.reason = Outcome.FAILED, FailureKind.TIMEOUT.value
            charge.unanswered += charge.status is None
        else:
            # An earlier request with the key may still be in progress after its connection broke.
            passing = charge.keys > 0 and response.status == HTTPStatus.CONFLICT
            if charge.outcome is Outcome.REFUSED:
                asked = retry_after(response, datetime.now(UTC))
                passing = asked is not None
                charge.keys += passing and charge.replayed  # because that session has ended
        if not passing:
            return None
        pause = self._pause(charge.tries) if asked is None else asked
        if self.now + pause > charge.due + self.behaviour.patience:
            return None
        if self._stopped.is_set():
            # It would have retried: the stop ends it, not the grid.
            charge.outcome, charge.reason = Outcome.CUT_SHORT, ""
            return None
        return pause

    def _take(self, charge: Charge, response: HttpResponse) -> None:
        apply_response(charge, response)
        if charge.keys and (charge.replayed or charge.outcome in _BEGAN):
            charge.unanswered = 0  # this is the result of the previous tries
        if self.follow is not None and charge.outcome is Outcome.ACCEPTED:
            took_s = self.follow(charge, response)
            if took_s is not None:  # learned late, so the grid's own time counts
                charge.ended = min(self.now, charge.asked + took_s)

    def _pause(self, tries: int) -> float:
        longest: float = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(tries - 1, 10))
        return longest * self.rng.uniform(0.5, 1.0)
