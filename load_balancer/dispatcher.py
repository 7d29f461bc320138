"""Leads each session through the pool: its wait for a point, and its attempts."""

import math
import time

import gevent

from grid_common.api.problems import Unavailable
from grid_common.histograms import Histogram
from grid_common.http.cancellation import CancelScope, ClientDisconnected
from grid_common.http.client import UpstreamError
from grid_common.logs import Log
from load_balancer.attempt_results import AttemptResults
from load_balancer.dispatch_reports import DispatchReports
from load_balancer.led_session import AttemptRevoked, ChargeResult, LedSession, StopRequested
from load_balancer.registers import Registers
from load_balancer.routing import wait
from load_balancer.routing.outcome import FailoverReason, Outcome
from load_balancer.routing.pool import Pool, QueueFull
from load_balancer.routing.substation import Dispatch
from load_balancer.routing.wait import Refusal
from load_balancer.substation_client import SubstationClient

# How soon a new heartbeat from a session's gateway is noticed, seconds.
_LOOK_AGAIN_S = 0.2


class Dispatcher:
    """Proxies sessions to substations. One per process."""

    def __init__(
        self,
        pool: Pool,
        registers: Registers,
        *,
        longest_wait_s: float,
        waits: Histogram,
        errors: Histogram,
        log: Log,
    ) -> None:
        self.reports = DispatchReports(pool, errors=errors, log=log)
        self._results = AttemptResults(pool, registers, self.reports)
        self._pool = pool
        self._registers = registers
        self._longest_wait_s = longest_wait_s
        self._waits = waits
        self._clients = registers.clients

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
                    return self._results.ended_early(led)
                if not led.has_lease():
                    self._set_aside(dispatch, led)
                    continue
                result = self._attempt(dispatch, led)
                if result is not None:
                    return result
        except QueueFull:
            raise self._refusal(led, Refusal.QUEUE_FULL) from None
        except ClientDisconnected:
            self.reports.disconnected(led)
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
        elif led.stop_reason is None and not led.is_complete:
            self._pool.arrive(led.queued, now, has_begun=bool(led.legs))

    def _wait_for_dispatch(self, led: LedSession) -> Dispatch | None:
        """Wait in the queue; return None if the session ended there.

        Raises:
            Unavailable: it is refused.
        """
        queued = led.queued
        while queued.dispatch is None:
            if led.stop_reason is not None or led.is_complete:
                return None
            # One that has charged was accepted already, and is not refused now.
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

    def _refusal(self, led: LedSession, reason: Refusal) -> Unavailable:
        # First, because the estimate of when to come back counts those that wait.
        self._pool.leave(led.queued, time.monotonic())
        return self.reports.refusal(led, reason)

    def _set_aside(self, dispatch: Dispatch, led: LedSession) -> None:
        """Release its point while another balancer may be leading it, and wait until that is clear.

        That also ends once its gateway says that it has moved it to another balancer, and where the
        gateway is gone and another one asks for it.
        """
        queued, began = dispatch.queued, time.monotonic()
        self.reports.set_aside(led)
        queued.not_before = math.inf
        self._pool.end(dispatch, Outcome.STOPPED, began, failed=False)
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
                has_earlier_energy = bool(led.legs)  # it may need less than it asks for
                outcome, response = client.charge(
                    session, request_id=dispatch.queued.request_id, grace_s=led.grace_s
                )
                while led.amendments and outcome is Outcome.CHARGED:
                    outcome, response = led.amendments.pop().get() or (outcome, response)
        except AttemptRevoked:
            self.reports.failover(
                dispatch, FailoverReason.LOST, "the substation stopped answering its polls"
            )
            return None
        except StopRequested:
            if led.dropped or led.has_final_report:
                self._registers.abandoned(led, dispatch)
            else:
                self._registers.revoked(led, dispatch)
            return self._results.ended_early(led, dispatch)
        except UpstreamError as error:
            self._results.broke_off(led, dispatch, error)
            return None
        finally:
            led.attempt = None
            if led.amendments:
                gevent.killall(led.amendments, block=False)
                led.amendments.clear()
        if outcome is Outcome.CHARGED and not has_earlier_energy:
            self.reports.check_duration(dispatch, session, client.profile)
        register = led.legs.current or register  # its id may have become known meanwhile
        return self._results.responded(led, dispatch, register, outcome, response)

    def _begin(self, led: LedSession, dispatch: Dispatch, client: SubstationClient) -> str:
        """Begin an attempt; return the register that it adds to.

        Raises:
            UpstreamError: the substation keeps registers, but does not say which.
        """
        if not client.is_known:  # it may have restarted
            try:
                self._registers.refresh(client, dispatch.substation)
            except UpstreamError:
                if client.keeps_registers:
                    raise
        register, legs = client.register, led.legs
        if register in led.settling:
            led.settling[register].wait()  # otherwise that stop might end this attempt
        legs.begin(register, dispatch.substation.name, dispatch.decision.at)
        if legs and legs.has_to_wait:  # it has waited long enough
            legs.release_all()
        return register
