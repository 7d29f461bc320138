"""Records how attempts and sessions end: in the pool, in the session's legs, and in its result."""

import math
import time
from typing import assert_never

import gevent

from grid_common.api.charge import STOPPED_BY_CALLER
from grid_common.http.client import UpstreamError, UpstreamResponse
from load_balancer.dispatch_reports import DispatchReports
from load_balancer.gauge import read_reported
from load_balancer.led_session import ChargeResult, LedSession
from load_balancer.refusal import quoted
from load_balancer.registers import Registers
from load_balancer.routing.health import Reading
from load_balancer.routing.legs import NOTHING_KWH
from load_balancer.routing.outcome import (
    FailoverReason,
    Outcome,
    describe,
    metered,
    stop_reason,
    takes_no_charge,
)
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Dispatch

_PREDICTED = "predicted_charging_s"


class AttemptResults:
    """Ends attempts; returns the result of a session, or None if it has to go elsewhere."""

    def __init__(self, pool: Pool, registers: Registers, reports: DispatchReports) -> None:
        self._pool = pool
        self._registers = registers
        self._reports = reports

    def responded(
        self,
        led: LedSession,
        dispatch: Dispatch,
        register: str,
        outcome: Outcome,
        response: UpstreamResponse,
    ) -> ChargeResult | None:
        """Record a substation's response."""
        now = time.monotonic()
        match outcome:
            case Outcome.CHARGED if led.legs and self._is_partial(
                led, dispatch, register, response
            ):
                return None
            case Outcome.CHARGED:
                someone_waits = bool(self._pool.waiting)
                reading = self._reported(dispatch, response)
                self._pool.end(dispatch, outcome, now, reading=reading)
                if someone_waits:
                    # Let the next vehicle at this point start before this one's response is
                    # written: points are the scarce resource (docs/performance.md).
                    gevent.sleep(0)
                self._reports.charged(dispatch, now)
                return self._completed(led, "charged", dispatch, register, response, now)
            case Outcome.ACCEPTED:
                self._pool.end(dispatch, outcome, now)
                return self._completed(led, "charging", dispatch, register, response, now)
            case Outcome.STOPPED:
                return self._stopped(led, dispatch, register, response, now)
            case Outcome.FULL | Outcome.DRAINING:
                led.legs.withdraw(register)
                self._pool.end(dispatch, outcome, now)
                return None
            case Outcome.REJECTED:
                led.legs.withdraw(register)
                why = _note_failure(led, dispatch, response)
                self._reports.failover(dispatch, FailoverReason.REJECTED, why)
                self._pool.end(dispatch, outcome, now)
                return None
            case Outcome.FAILED:
                why = _note_failure(led, dispatch, response)
                self._failed(led, dispatch, FailoverReason.ERROR, why)
                return None
            case _:
                assert_never(outcome)

    def broke_off(self, led: LedSession, dispatch: Dispatch, error: UpstreamError) -> None:
        """Record that there is no response; the session goes elsewhere."""
        if dispatch.open:
            name = dispatch.substation.name
            led.failures[name] = f"{name}: {error}"
            self._failed(led, dispatch, error.reason, str(error), error)

    def ended_early(self, led: LedSession, dispatch: Dispatch | None = None) -> ChargeResult:
        """End a session that is stopped, or complete before its substation says so.

        This report is final: where a substation was lost, wait for what it delivered.
        """
        deadline, legs = time.monotonic() + self._registers.last_word_wait_s, led.legs
        while legs.reserved_kwh and not (led.dropped or led.is_complete):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            led.wait_for_dispatch(left_s)
        status = "charged" if legs.is_complete else "stopped"
        reported = {"energy_kwh": legs.delivered_kwh}
        return self._result(led, status, dispatch, reported, legs.charging_s)

    def _failed(
        self,
        led: LedSession,
        dispatch: Dispatch,
        reason: str,
        why: str,
        error: UpstreamError | None = None,
    ) -> None:
        self._reports.failover(dispatch, reason, why)
        self._registers.broke_off(led, dispatch, error)
        now = time.monotonic()  # the substation may have been asked for the energy meanwhile
        self._pool.end(dispatch, Outcome.FAILED, now, reason=reason, why=why)

    def _reported(self, dispatch: Dispatch, response: UpstreamResponse) -> Reading | None:
        """Read the load report in the response, if other balancers send vehicles there, too."""
        if not (self._pool.peers and response.load_metrics):
            return None
        client = self._registers.clients.get(dispatch.substation.address)
        if client is None:
            return None
        return read_reported(response.load_metrics, client.profile)

    def _is_partial(
        self, led: LedSession, dispatch: Dispatch, register: str, response: UpstreamResponse
    ) -> bool:
        """Continue a session that received less than it asked for: the rest was reserved."""
        kwh = metered(response.body).get("energy_kwh")
        if kwh is None or led.legs.elsewhere_kwh(register) + kwh > led.session.kwh - NOTHING_KWH:
            return False
        client, now = self._registers.clients.get(dispatch.substation.address), time.monotonic()
        if client is None or client.keeps_registers is False:
            return False
        led.legs.end(register, now - dispatch.decision.at, kwh)
        if led.legs.has_to_wait:
            self._registers.hold(led)
        led.update_demand()
        self._pool.end(dispatch, Outcome.STOPPED, now, failed=False)
        return True

    def _stopped(
        self,
        led: LedSession,
        dispatch: Dispatch,
        register: str,
        response: UpstreamResponse,
        now: float,
    ) -> ChargeResult | None:
        """Handle a session that its substation stopped: on request, or for its own reasons."""
        reason = stop_reason(response.body)
        kwh = metered(response.body).get("energy_kwh")
        led.legs.end(register, now - dispatch.decision.at, kwh)
        self._registers.count_twice(led)
        asked_itself = reason == STOPPED_BY_CALLER and not led.was_settled
        if asked_itself and led.stop_reason is None and not led.legs.is_complete:
            led.stop_reason = reason
        if led.stop_reason is not None or led.legs.is_complete:
            self._pool.end(dispatch, Outcome.STOPPED, now, goes_on=False)
            return self.ended_early(led, dispatch)
        self._reports.failover(dispatch, FailoverReason.STOPPED, reason)
        led.update_demand()
        self._pool.end(dispatch, Outcome.STOPPED, now)
        return None

    def _completed(
        self,
        led: LedSession,
        status: str,
        dispatch: Dispatch,
        register: str,
        response: UpstreamResponse,
        now: float,
    ) -> ChargeResult:
        """Record the final report of a completed attempt."""
        reported, legs, attempt_s = metered(response.body), led.legs, now - dispatch.decision.at
        if not (legs or led.is_durable):  # the usual case
            legs.current = None
            return self._result(led, status, dispatch, reported, attempt_s)
        kwh = reported.get("energy_kwh")
        if kwh is None and status == "charged":
            kwh = legs.target_kwh(register)
        legs.end(register, attempt_s, kwh)
        if legs.elsewhere_kwh(register):
            self._registers.count_twice(led)
            reported["energy_kwh"] = legs.delivered_kwh
        return self._result(led, status, dispatch, reported, legs.charging_s)

    def _result(
        self,
        led: LedSession,
        status: str,
        dispatch: Dispatch | None,
        reported: dict[str, float],
        charging_s: float,
    ) -> ChargeResult:
        """Return the result of a session; without a dispatch if it ended in the queue."""
        legs = led.legs.records()
        if len(legs) > 1:
            self._reports.moved += 1
        if dispatch is None:
            last = led.legs.last
            substation = last.substation if last is not None else None
            waited_s = time.monotonic() - led.queued.arrived
        else:
            decision = dispatch.decision
            substation, waited_s = decision.substation, decision.waited_s
            prediction = decision.prediction
            if prediction is not None and math.isfinite(prediction.charging_s):
                reported = {_PREDICTED: round(prediction.charging_s, 3), **reported}
        return ChargeResult(
            status,
            led.session,
            substation,
            led.queued.attempts,
            waited_s,
            charging_s,
            reported,
            legs if len(legs) > 1 else [],
            led.stop_reason if status == "stopped" else None,
        )


def _note_failure(led: LedSession, dispatch: Dispatch, response: UpstreamResponse) -> str:
    """Keep a substation's response as the reason of a failure; return its description."""
    substation, why = dispatch.substation, describe(response.status, response.location)
    led.failures[substation.name] = f"{substation.name} {why}{quoted(response.body)}"
    if takes_no_charge(response.status):
        substation.unusable_reason = f"no charge succeeds there: it {why}"
    return why
