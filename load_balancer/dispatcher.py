"""Takes each vehicle through the pool: waits for its dispatch, proxies it, fails over."""

import math
import time
from collections import Counter
from typing import NamedTuple

import gevent
from gevent.event import Event
from prometheus_client import Histogram

from grid_common.charge import Session
from grid_common.interrupt import CallerGone, Interrupt
from grid_common.logs import Log
from grid_common.problems import Unavailable
from grid_common.upstream import Answer, UpstreamError
from load_balancer.demand import Demand
from load_balancer.outcome import Outcome, describe, metered, takes_no_charge
from load_balancer.plausibility import too_fast
from load_balancer.pool import LineFull, Pool
from load_balancer.profile import SubstationProfile
from load_balancer.refusal import explain, quoted
from load_balancer.substation_client import SubstationClient
from load_balancer.vehicle import Dispatch, Ticket


class TakenBack(BaseException):
    """The site of this attempt is lost; the pool has the vehicle in line again.

    A BaseException, like gevent.Timeout, so that no library on the way swallows it.
    """


class ChargeResult(NamedTuple):
    """How a session fared: `status` is `charged`, or `charging` where the site answered 202."""

    status: str
    substation: str
    attempts: int
    waited_s: float
    charging_s: float
    predicted: dict[str, float]  # the charging time that was predicted, where one was
    metered: dict[str, float]  # what the site told of energy and power


class _Ride:
    """One request's side of a ticket: lets the pool wake it, or break off its attempt."""

    def __init__(self) -> None:
        self._dispatched: Event | None = None  # only where it has to wait
        self.attempt: Interrupt | None = None
        self.failures: dict[str, str] = {}  # by site, what came of the last attempt there

    def wait_for_dispatch(self, within_s: float) -> None:
        """Wait until the pool has dispatched the vehicle, which it has not yet, or time is up."""
        self._dispatched = Event()
        self._dispatched.wait(within_s)
        self._dispatched = None

    def on_dispatch(self, _dispatch: Dispatch) -> None:
        if self._dispatched is not None:
            self._dispatched.set()

    def on_taken_back(self, _dispatch: Dispatch) -> None:
        if self.attempt is not None:
            self.attempt.throw(TakenBack())


class Dispatcher:
    """Proxies vehicles to sites. One for the process."""

    def __init__(self, pool: Pool, *, waits: Histogram, errors: Histogram, log: Log) -> None:
        self.refusals: Counter[str] = Counter()
        self.too_fast: Counter[str] = Counter()  # implausible answers by site
        self._pool = pool
        self._waits = waits
        self._errors = errors
        self._log = log
        self._clients: dict[str, SubstationClient] = {}

    def connect(self, address: str, client: SubstationClient) -> None:
        """Use this client for a site's address."""
        self._clients[address] = client

    def disconnect(self, address: str) -> None:
        """Let go of a site's client."""
        client = self._clients.pop(address, None)
        if client is not None:
            client.close()

    def charge(self, session: Session, *, request_id: str, wait_s: float) -> ChargeResult:
        """Have a vehicle charged.

        Args:
            session: what it asks for.
            request_id: passed on, so that one grep finds it in every log.
            wait_s: longest that it waits for a free point.

        Raises:
            Unavailable: no site could take it in time, or too many wait.
        """
        ride = _Ride()
        now = time.monotonic()
        ticket = Ticket(
            session.session_id,
            session.vehicle_id,
            arrived=now,
            deadline=now + wait_s,
            demand=Demand(*session[2:]),
            request_id=request_id,
            on_dispatch=ride.on_dispatch,
            on_taken_back=ride.on_taken_back,
        )
        try:
            self._pool.arrive(ticket, now)
            while True:
                dispatch = self._wait_for_dispatch(ticket, ride)
                result = self._attempt(dispatch, ride, session)
                if result is not None:
                    return result
        except LineFull:
            raise self._refusal(ticket, ride, "queue_full") from None
        except CallerGone:
            self._log.info(
                "hung up",
                session_id=ticket.session_id,
                vehicle_id=ticket.vehicle_id,
                request_id=ticket.request_id,
                substation=ticket.dispatch.site.name if ticket.dispatch else None,
                attempts=ticket.attempts,
            )
            raise
        finally:
            # Done, refused or hung up: whatever the pool still holds of this vehicle is given back.
            self._pool.leave(ticket, time.monotonic())

    def _wait_for_dispatch(self, ticket: Ticket, ride: _Ride) -> Dispatch:
        while ticket.dispatch is None:
            if self._pool.is_rejected_everywhere(ticket):
                raise self._refusal(ticket, ride, "rejected")
            now = time.monotonic()
            if now >= ticket.deadline:
                self._pool.last_call(ticket, now)
                if ticket.dispatch is not None:
                    break
                raise self._refusal(ticket, ride, "deadline")
            ride.wait_for_dispatch(ticket.deadline - now)
        self._waits.observe(ticket.dispatch.decision.waited_s)
        return ticket.dispatch

    def _attempt(self, dispatch: Dispatch, ride: _Ride, session: Session) -> ChargeResult | None:
        """Hand the vehicle to the site; None when it has to go elsewhere."""
        client = self._clients[dispatch.site.address]
        try:
            with Interrupt() as ride.attempt:
                outcome, answer = client.charge(session, request_id=dispatch.ticket.request_id)
        except TakenBack:
            self._tell(dispatch, "lost", "the site stopped answering its polls")
            return None
        except UpstreamError as error:
            if dispatch.open:
                self._tell(dispatch, error.reason, str(error))
                ride.failures[dispatch.site.name] = f"{dispatch.site.name}: {error}"
            self._pool.failed(dispatch, error.reason, str(error), time.monotonic())
            return None
        finally:
            ride.attempt = None
        if outcome is Outcome.CHARGED:
            self._doubt(dispatch, session, client.profile)
        return self._settle(dispatch, ride, outcome, answer)

    def _doubt(self, dispatch: Dispatch, session: Session, profile: SubstationProfile) -> None:
        """Count an answer that came before the energy can have flowed, and say so once."""
        site, took_s = dispatch.site, time.monotonic() - dispatch.decision.at
        warning = too_fast(session.kwh, took_s, site.reading, profile)
        if warning is None:
            return
        self.too_fast[site.name] += 1
        if site.warning is None:
            site.warning = warning
            self._log.warning(
                "charged too fast",
                session_id=session.session_id,
                request_id=dispatch.ticket.request_id,
                substation=site.name,
                why=warning,
            )

    def _settle(
        self, dispatch: Dispatch, ride: _Ride, outcome: Outcome, answer: Answer
    ) -> ChargeResult | None:
        """Tell the pool what a site's answer means."""
        now = time.monotonic()
        match outcome:
            case Outcome.CHARGED:
                someone_waits = bool(self._pool.waiting)
                self._pool.completed(dispatch, now)
                if someone_waits:
                    # Whoever got this point sets out before this vehicle's answer is written: it is
                    # the point that is scarce (docs/performance.md).
                    gevent.sleep(0)
                self._note_error(dispatch, now)
                return _result("charged", dispatch, answer)
            case Outcome.ACCEPTED:
                self._pool.accepted(dispatch, now)
                return _result("charging", dispatch, answer)
            case Outcome.FULL:  # busy is not dead: no ejection, just another choice
                self._pool.found_full(dispatch, now)
            case Outcome.DRAINING:
                self._pool.found_draining(dispatch, now)
            case Outcome.REJECTED:
                self._tell(dispatch, "rejected", self._note_failure(dispatch, ride, answer))
                self._pool.rejected(dispatch, now)
            case Outcome.FAILED:
                why = self._note_failure(dispatch, ride, answer)
                self._tell(dispatch, "error", why)
                self._pool.failed(dispatch, "error", why, now)
        return None

    @staticmethod
    def _note_failure(dispatch: Dispatch, ride: _Ride, answer: Answer) -> str:
        """Keep what a site answered for whoever asks why; return it in words."""
        site, why = dispatch.site, describe(answer.status, answer.location)
        ride.failures[site.name] = f"{site.name} {why}{quoted(answer.body)}"
        if takes_no_charge(answer.status):
            site.takes_none = f"no charge succeeds there: it {why}"
        return why

    def _note_error(self, dispatch: Dispatch, now: float) -> None:
        prediction = dispatch.decision.prediction
        if prediction is not None and 0 < prediction.charging_s < math.inf:
            real_s = now - dispatch.decision.at
            self._errors.observe(real_s / prediction.charging_s - 1)

    def _tell(self, dispatch: Dispatch, reason: str, why: str) -> None:
        self._log.warning(
            "failover",
            session_id=dispatch.ticket.session_id,
            request_id=dispatch.ticket.request_id,
            substation=dispatch.site.name,
            attempt=dispatch.decision.attempt,
            reason=reason,
            why=why,
        )

    def _refusal(self, ticket: Ticket, ride: _Ride, reason: str) -> Unavailable:
        now = time.monotonic()
        self.refusals[reason] += 1
        self._pool.leave(ticket, now)  # it is not in its own way when it comes back
        retry_after_s = self._pool.retry_after_s(now)
        detail = explain(
            reason,
            waited_s=now - ticket.arrived,
            waiting=len(self._pool.waiting),
            sites=self._pool.sites.values(),
            failures=list(ride.failures.values()),
        )
        self._log.warning(
            "refused",
            session_id=ticket.session_id,
            vehicle_id=ticket.vehicle_id,
            request_id=ticket.request_id,
            reason=reason,
            detail=detail,
            attempts=ticket.attempts,
            waited_s=round(now - ticket.arrived, 3),
            waiting=len(self._pool.waiting),
            retry_after_s=round(retry_after_s, 1),
        )
        return Unavailable(
            reason.replace("_", "-"),
            detail,
            retry_after_s=retry_after_s,
            session_id=ticket.session_id,
        )


def _result(status: str, dispatch: Dispatch, answer: Answer) -> ChargeResult:
    predicted: dict[str, float] = {}
    prediction = dispatch.decision.prediction
    if prediction is not None and math.isfinite(prediction.charging_s):
        predicted["predicted_charging_s"] = round(prediction.charging_s, 3)
    return ChargeResult(
        status,
        dispatch.site.name,
        dispatch.decision.attempt,
        dispatch.decision.waited_s,
        time.monotonic() - dispatch.decision.at,
        predicted,
        metered(answer.body),
    )
