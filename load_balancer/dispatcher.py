"""Takes each session through the pool: waits for its dispatch, proxies it, fails over."""

import math
import time
from collections import Counter

import gevent

from grid_common.api.charge import Session
from grid_common.api.problems import Unavailable
from grid_common.durations import Duration
from grid_common.http.cancellation import CancelScope, ClientDisconnected
from grid_common.http.client import UpstreamError, UpstreamResponse
from grid_common.logs import Log
from load_balancer.gauge import GaugeNames, read_reported
from load_balancer.led_session import (
    STOPPED_BY_CALLER,
    AttemptRevoked,
    ChargeResult,
    LedSession,
    StopRequested,
)
from load_balancer.plausibility import too_fast
from load_balancer.profile import SubstationProfile
from load_balancer.refusal import explain, quoted
from load_balancer.registers import Registers
from load_balancer.routing import wait
from load_balancer.routing.attempt_end import ERROR, end_attempt
from load_balancer.routing.health import Reading
from load_balancer.routing.legs import NOTHING_KWH, LegRecord
from load_balancer.routing.outcome import Outcome, describe, metered, stop_reason, takes_no_charge
from load_balancer.routing.pool import Pool, QueueFull
from load_balancer.routing.queue import Dispatch
from load_balancer.routing.substation import Substation
from load_balancer.routing.wait import Refusal
from load_balancer.substation_client import SubstationClient

# How soon a new heartbeat from a session's gateway is noticed, seconds.
_LOOK_AGAIN_S = 0.2
_PREDICTED = "predicted_charging_s"


class Dispatcher:
    """Proxies sessions to substations. One per process."""

    def __init__(
        self,
        pool: Pool,
        registers: Registers,
        *,
        longest_wait_s: float,
        waits: Duration,
        errors: Duration,
        log: Log,
    ) -> None:
        self.refusals: Counter[str] = Counter()
        self.too_fast: Counter[str] = Counter()  # implausible responses, by substation
        self._pool = pool
        self._registers = registers
        self._longest_wait_s = longest_wait_s
        self._waits = waits
        self._errors = errors
        self._log = log
        self._clients = registers.clients

    def connect(self, address: str, client: SubstationClient) -> None:
        """Use this client for a substation's address."""
        self._clients[address] = client

    def disconnect(self, address: str) -> None:
        """Discard a substation's client."""
        client = self._clients.pop(address, None)
        if client is not None:
            self._registers.forget(client)
            client.close()

    def lead(self, led: LedSession) -> ChargeResult:
        """Charge a session, in the caller's greenlet.

        Raises:
            ClientDisconnected: its caller disconnected.
            Unavailable: no substation could accept it in time, or too many are waiting.
        """
        queued = led.queued
        try:
            self._take_in(led)
            while True:
                dispatch = self._wait_for_dispatch(led)
                if dispatch is None:
                    return self._ended_early(led)
                if not led.has_lease():
                    self._set_aside(dispatch, led)
                    continue
                result = self._attempt(dispatch, led)
                if result is not None:
                    return result
        except QueueFull:
            raise self._refusal(led, Refusal.QUEUE_FULL) from None
        except ClientDisconnected:
            self._log.info(
                "disconnected",
                session_id=queued.session_id,
                vehicle_id=queued.vehicle_id,
                request_id=queued.request_id,
                substation=queued.dispatch.substation.name if queued.dispatch else None,
                attempts=queued.attempts,
            )
            raise
        finally:
            # Done, refused or disconnected: release whatever the pool still holds of it.
            if queued.dispatch is not None:
                self._registers.abandoned(led, queued.dispatch)
            self._pool.leave(queued, time.monotonic())
            led.close()

    def _take_in(self, led: LedSession) -> None:
        now, substation = time.monotonic(), led.attach_to
        if substation is not None and self._pool.substations.get(substation.address) is substation:
            self._pool.attach(led.queued, substation, now)
        elif led.stop_reason is None and not (led.legs and led.legs.is_complete):
            self._pool.arrive(led.queued, now, has_begun=bool(led.legs))

    def _wait_for_dispatch(self, led: LedSession) -> Dispatch | None:
        """Wait in the queue; return None if the session ended there."""
        queued = led.queued
        while queued.dispatch is None:
            if led.stop_reason is not None or (led.legs and led.legs.is_complete):
                return None
            # One that was accepted already, and has charged, is not refused now.
            has_charged = led.is_durable and led.legs.delivered_kwh
            extension_s = self._longest_wait_s if has_charged else None
            now = time.monotonic()
            refusal = wait.step(self._pool, queued, now, extension_s=extension_s)
            if refusal is not None:
                raise self._refusal(led, refusal)
            if queued.dispatch is None:
                led.wait_for_dispatch(queued.deadline - now)
        self._waits.observe(queued.dispatch.decision.waited_s)
        return queued.dispatch if led.stop_reason is None else None

    def _set_aside(self, dispatch: Dispatch, led: LedSession) -> None:
        """Release its point while another balancer may be leading it, and wait until that is clear.

        That also ends once its gateway says that it has moved it to another balancer, and where the
        gateway is gone and another one asks for it.
        """
        queued, began = dispatch.queued, time.monotonic()
        self._log.info(
            "set aside", session_id=queued.session_id, why="no recent heartbeat from its gateway"
        )
        queued.not_before = math.inf
        self._pool.stopped(dispatch, began, goes_on=True, failed=False)
        while led.stop_reason is None and not led.has_lease():
            if led.has_moved():
                self._registers.drop(led)
            else:
                gevent.sleep(_LOOK_AGAIN_S)
        now = time.monotonic()
        queued.deadline += now - began
        if led.stop_reason is None:
            queued.not_before = -math.inf
            self._pool.match(now)

    def _attempt(self, dispatch: Dispatch, led: LedSession) -> ChargeResult | None:
        """Send the session to the substation; return None if it has to go elsewhere."""
        client = self._clients[dispatch.substation.address]
        try:
            with CancelScope() as led.attempt:
                register = self._begin(led, dispatch, client)
                session = led.session_at(register)
                led.target_kwh = session.kwh
                outcome, answer = client.charge(
                    session, request_id=dispatch.queued.request_id, grace_s=led.grace_s
                )
                while led.amendments and outcome is Outcome.CHARGED:
                    outcome, answer = led.amendments.pop().get() or (outcome, answer)
        except AttemptRevoked:
            self._log_failover(dispatch, "lost", "the substation stopped answering its polls")
            return None
        except StopRequested:
            if led.dropped or led.has_final_report:
                self._registers.abandoned(led, dispatch)
            else:
                self._registers.revoked(led, dispatch)
            return self._ended_early(led, dispatch)
        except UpstreamError as error:
            if dispatch.open:
                self._log_failover(dispatch, error.reason, str(error))
                led.failures[dispatch.substation.name] = f"{dispatch.substation.name}: {error}"
                self._registers.broke_off(led, dispatch, error)
            self._fail(dispatch, error.reason, str(error))
            return None
        finally:
            led.attempt = None
            if led.amendments:
                gevent.killall(led.amendments, block=False)
                led.amendments.clear()
        if outcome is Outcome.CHARGED:
            self._doubt(dispatch, session, client.profile)
        register = led.legs.current or register  # its id may have become known meanwhile
        return self._settle(dispatch, led, register, outcome, answer)

    def _begin(self, led: LedSession, dispatch: Dispatch, client: SubstationClient) -> str:
        """Begin an attempt; return the register that it adds to.

        Raises:
            UpstreamError: the substation keeps registers, but does not say which.
        """
        if not client.is_known:
            self._get_to_know(client, dispatch.substation)
        register, legs = client.register, led.legs
        if register in led.settling:
            led.settling[register].wait()  # otherwise that stop might end this attempt
        legs.begin(register, dispatch.substation.name, dispatch.decision.at)
        if legs and legs.has_to_wait:  # it has waited long enough
            legs.release_all()
        return register

    def _get_to_know(self, client: SubstationClient, substation: Substation) -> None:
        """Identify the register set of a substation that may have restarted.

        Raises:
            UpstreamError: it keeps registers, but does not respond.
        """
        try:
            self._registers.refresh(client, substation)
        except UpstreamError:
            if client.keeps_registers:
                raise

    def _doubt(self, dispatch: Dispatch, session: Session, profile: SubstationProfile) -> None:
        """Count a response that came before the energy can have flowed, and log it once."""
        substation, took_s = dispatch.substation, time.monotonic() - dispatch.decision.at
        warning = too_fast(session.kwh, took_s, substation.reading, profile)
        if warning is None:
            return
        self.too_fast[substation.name] += 1
        if substation.warning is None:
            substation.warning = warning
            self._log.warning(
                "charged too fast",
                session_id=session.session_id,
                request_id=dispatch.queued.request_id,
                substation=substation.name,
                why=warning,
            )

    def _settle(
        self,
        dispatch: Dispatch,
        led: LedSession,
        register: str,
        outcome: Outcome,
        answer: UpstreamResponse,
    ) -> ChargeResult | None:
        """Report to the pool what a substation's response means."""
        now = time.monotonic()
        match outcome:
            case Outcome.CHARGED if led.legs and self._is_partial(led, dispatch, register, answer):
                return None
            case Outcome.CHARGED:
                someone_waits = bool(self._pool.waiting)
                reading = self._reported(dispatch, answer)
                end_attempt(self._pool, dispatch, outcome, now, reading=reading)
                if someone_waits:
                    # Let the next vehicle at this point start before this one's response is
                    # written: points are the scarce resource (docs/performance.md).
                    gevent.sleep(0)
                self._note_error(dispatch, now)
                return self._end_attempt(led, "charged", dispatch, register, answer)
            case Outcome.ACCEPTED:
                end_attempt(self._pool, dispatch, outcome, now)
                return self._end_attempt(led, "charging", dispatch, register, answer)
            case Outcome.STOPPED:
                return self._stopped(dispatch, led, register, answer)
            case Outcome.FAILED:
                why = self._note_failure(dispatch, led, answer)
                self._log_failover(dispatch, ERROR, why)
                self._registers.broke_off(led, dispatch)
                self._fail(dispatch, ERROR, why)
                return None
            case Outcome.FULL | Outcome.DRAINING | Outcome.REJECTED:
                led.legs.withdraw(register)
                if outcome is Outcome.REJECTED:
                    why = self._note_failure(dispatch, led, answer)
                    self._log_failover(dispatch, "rejected", why)
                end_attempt(self._pool, dispatch, outcome, now)
                return None

    def _fail(self, dispatch: Dispatch, reason: str, why: str) -> None:
        now = time.monotonic()
        end_attempt(self._pool, dispatch, Outcome.FAILED, now, reason=reason, why=why)

    def _reported(self, dispatch: Dispatch, answer: UpstreamResponse) -> Reading | None:
        """Read the load report in the response, if other vehicles are there, too."""
        client = self._clients.get(dispatch.substation.address)
        if client is None or not (self._pool.peers and answer.load_metrics):
            return None
        return read_reported(answer.load_metrics, GaugeNames.of(client.profile))

    def _is_partial(
        self, led: LedSession, dispatch: Dispatch, register: str, answer: UpstreamResponse
    ) -> bool:
        """Continue a session that received less than it asked for: the rest was reserved."""
        kwh = metered(answer.body).get("energy_kwh")
        if kwh is None or led.legs.elsewhere_kwh(register) + kwh > led.session.kwh - NOTHING_KWH:
            return False
        client, now = self._clients.get(dispatch.substation.address), time.monotonic()
        if client is None or client.keeps_registers is False:
            return False
        led.legs.end(register, now - dispatch.decision.at, kwh)
        if led.legs.has_to_wait:
            self._registers.hold(led)
        led.update_demand()
        self._pool.stopped(dispatch, now, goes_on=True, failed=False)
        return True

    def _end_attempt(
        self,
        led: LedSession,
        status: str,
        dispatch: Dispatch,
        register: str,
        answer: UpstreamResponse,
    ) -> ChargeResult:
        """Record the final report of a completed attempt."""
        reported, legs = metered(answer.body), led.legs
        if not (legs or led.is_durable):  # the usual case
            legs.current = None
            attempt_s = time.monotonic() - dispatch.decision.at
            return _result(led, status, dispatch, reported, attempt_s, [])
        kwh = reported.get("energy_kwh")
        if kwh is None and status == "charged":
            kwh = legs.target_kwh(register)
        legs.end(register, time.monotonic() - dispatch.decision.at, kwh)
        if legs.elsewhere_kwh(register):
            self._registers.count_twice(led)
            reported["energy_kwh"] = legs.delivered_kwh
        return self._result(led, status, dispatch, reported)

    def _stopped(
        self, dispatch: Dispatch, led: LedSession, register: str, answer: UpstreamResponse
    ) -> ChargeResult | None:
        """Handle a session that its substation stopped: on request, or for its own reasons."""
        now, reason = time.monotonic(), stop_reason(answer.body)
        kwh = metered(answer.body).get("energy_kwh")
        led.legs.end(register, now - dispatch.decision.at, kwh)
        self._registers.count_twice(led)
        asked_itself = reason == STOPPED_BY_CALLER and not led.was_settled
        if asked_itself and led.stop_reason is None and not led.legs.is_complete:
            led.stop_reason = reason
        if led.stop_reason is not None or led.legs.is_complete:
            end_attempt(self._pool, dispatch, Outcome.STOPPED, now, goes_on=False)
            return self._ended_early(led, dispatch)
        self._log_failover(dispatch, "stopped", reason)
        led.update_demand()
        end_attempt(self._pool, dispatch, Outcome.STOPPED, now)
        return None

    def _ended_early(self, led: LedSession, dispatch: Dispatch | None = None) -> ChargeResult:
        """End a session that is stopped, or complete before its substation says so.

        This report is final: where a substation was lost, wait for what it delivered.
        """
        deadline, legs = time.monotonic() + self._registers.last_word_wait_s, led.legs
        while legs.reserved_kwh and not (led.dropped or (legs and legs.is_complete)):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            led.wait_for_dispatch(left_s)
        return self._result(led, "charged" if legs.is_complete else "stopped", dispatch)

    def _result(
        self,
        led: LedSession,
        status: str,
        dispatch: Dispatch | None = None,
        reported: dict[str, float] | None = None,
    ) -> ChargeResult:
        """Build the result from the legs; without a dispatch if it ended in the queue."""
        legs = led.legs
        if reported is None:
            reported = {"energy_kwh": legs.delivered_kwh}
        records = legs.records()
        if len(records) > 1:
            self._registers.moved += 1
        else:
            records = []
        return _result(led, status, dispatch, reported, legs.charging_s, records)

    @staticmethod
    def _note_failure(dispatch: Dispatch, led: LedSession, answer: UpstreamResponse) -> str:
        """Keep a substation's response as the reason of a failure; return its description."""
        substation, why = dispatch.substation, describe(answer.status, answer.location)
        led.failures[substation.name] = f"{substation.name} {why}{quoted(answer.body)}"
        if takes_no_charge(answer.status):
            substation.unusable_reason = f"no charge succeeds there: it {why}"
        return why

    def _note_error(self, dispatch: Dispatch, now: float) -> None:
        prediction = dispatch.decision.prediction
        if prediction is not None and 0 < prediction.charging_s < math.inf:
            real_s = now - dispatch.decision.at
            self._errors.observe(real_s / prediction.charging_s - 1)

    def _log_failover(self, dispatch: Dispatch, reason: str, why: str) -> None:
        self._log.warning(
            "failover",
            session_id=dispatch.queued.session_id,
            request_id=dispatch.queued.request_id,
            substation=dispatch.substation.name,
            attempt=dispatch.decision.attempt,
            reason=reason,
            why=why,
        )

    def _refusal(self, led: LedSession, reason: Refusal) -> Unavailable:
        now, queued = time.monotonic(), led.queued
        self.refusals[reason] += 1
        self._pool.leave(queued, now)  # it is not in its own way when it comes back
        retry_after_s = self._pool.retry_after_s(now)
        detail = explain(
            reason,
            waited_s=now - queued.arrived,
            waiting=len(self._pool.waiting),
            substations=self._pool.substations.values(),
            failures=list(led.failures.values()),
        )
        self._log.warning(
            "refused",
            session_id=queued.session_id,
            vehicle_id=queued.vehicle_id,
            request_id=queued.request_id,
            reason=reason,
            detail=detail,
            attempts=queued.attempts,
            waited_s=round(now - queued.arrived, 3),
            waiting=len(self._pool.waiting),
            retry_after_s=round(retry_after_s, 1),
        )
        refusal = Unavailable(
            reason.replace("_", "-"),
            detail,
            retry_after_s=retry_after_s,
            session_id=queued.session_id,
        )
        if led.legs.delivered_kwh:
            refusal.members = {
                "energy_kwh": led.legs.delivered_kwh,
                "legs": [leg._asdict() for leg in led.legs.records()],
            }
        return refusal


def _result(
    led: LedSession,
    status: str,
    dispatch: Dispatch | None,
    reported: dict[str, float],
    charging_s: float,
    records: list[LegRecord],
) -> ChargeResult:
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
        records,
        led.stop_reason if status == "stopped" else None,
    )
