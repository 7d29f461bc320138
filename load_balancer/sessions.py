"""The balancer's sessions: who waits for which, and which continue while nobody does.

A **plain** session lives as long as its request. A **durable** one has its own greenlet: requests
wait for it, come and go, and it ends when nobody has returned within its grace.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event

from grid_common.api.charge import STOPPED_BY_CALLER, Session
from grid_common.api.problem_type import SESSION_MOVED
from grid_common.api.problems import Unavailable
from grid_common.api.session_headers import Terms
from grid_common.http.cancellation import Caller
from grid_common.http.client import UpstreamError
from grid_common.logs import Log
from load_balancer.dispatcher import Dispatcher
from load_balancer.gateway_lease import GatewayLease, Gateways
from load_balancer.led_session import ChargeResult, LedSession, StopRequested
from load_balancer.registers import Registers
from load_balancer.resume import Resume
from load_balancer.session_views import ended_document
from load_balancer.substation_client import SubstationClient

# By then the caller's new request at the other balancer is being answered, seconds.
_RETRY_AFTER_S = 1.0
# How long the energy of a plain session is remembered after its caller disconnected, seconds.
_KEPT_S = 300.0
# A stop may overtake the charge: retry after this time, doubled each time. Seconds.
_STOP_AGAIN_S = 0.02
_STOPS = 6
# How soon to ask again for the energy of a session that has ended, seconds.
_ASK_AGAIN_S = 0.2
# How long a stopped session may take to end in the balancer's own records, seconds.
_END_S = 2.0


@dataclass(eq=False, repr=False)
class Sessions:
    """Starts sessions, attaches requests to them, stops them. One per process."""

    dispatcher: Dispatcher
    registers: Registers
    resume: Resume
    gateways: Gateways
    log: Log

    def charge(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        caller: Caller,
        terms: Terms = Terms(),  # noqa: B008 - a tuple
        sent: float | None = None,
    ) -> ChargeResult:
        """Charge a vehicle, or wait for the session in progress with the same ID.

        Args:
            session: what it asks for.
            request_id: ID of the request in all log lines.
            wait_s: maximum wait for a free point, seconds.
            caller: the connection that waits for it.
            terms: the terms of the session.
            sent: when its gateway sent the request, by the gateway's own clock.

        Raises:
            ClientDisconnected: the caller disconnected.
            Unavailable: no substation could accept it in time, too many are waiting, or it is led
                elsewhere now.
        """
        sessions = self.registers.sessions
        session_id, grace_s = session.session_id, terms.grace_s
        # Always attach to a running session: two with the same ID would not know of each other.
        find = sessions.running.get if grace_s is None else sessions.find
        known = find(session_id)
        if known is not None and known.is_durable:
            if known.outcome is not None or known.has_lease() or not terms.resumed:
                return self._await(known, caller, terms, sent)
            self.registers.drop(known)  # another balancer may have led it since
        led = LedSession(
            session,
            request_id=request_id,
            wait_s=wait_s,
            grace_s=grace_s,
            on_revoked=self.registers.revoked,
        )
        if grace_s is None:
            return self._lead_plain(led)
        led.done, led.resuming = Event(), terms.resumed
        if self.resume.is_stopped(session_id):
            led.stop_reason = STOPPED_BY_CALLER  # its stop overtook it, or a restart of its gateway
        led.lease = GatewayLease(self.gateways)
        sessions.forget(session_id)
        sessions.start(led)
        gevent.spawn(self._lead_durable, led)
        return self._await(led, caller, terms, sent)

    def _lead_plain(self, led: LedSession) -> ChargeResult:
        self.registers.sessions.start(led)
        try:
            led.outcome = result = self.dispatcher.lead(led)
        except Unavailable as refusal:
            led.outcome = refusal
            raise
        finally:
            self.registers.sessions.remove(led)
            if led.legs and not isinstance(led.outcome, ChargeResult):
                self.registers.sessions.remember(led, _KEPT_S)
            if led.done is not None:
                led.done.set()
        return result

    def _lead_durable(self, led: LedSession) -> None:
        try:
            if led.resuming:
                self.resume.look_for(led)
            led.outcome = self.dispatcher.lead(led)
        except Exception as error:
            led.outcome = error
        finally:
            self.registers.sessions.remove(led)
            self.registers.sessions.remember(led, led.grace_s or 0.0)
            if led.done is not None:
                led.done.set()

    def _await(
        self, led: LedSession, caller: Caller, terms: Terms, sent: float | None
    ) -> ChargeResult:
        led.waiters += 1
        if led.lease is not None:
            led.lease.add(caller, terms.owner, terms.lease_s, sent, time.monotonic())
        if led.grace_timer is not None:
            led.grace_timer.kill(block=False)
            led.grace_timer = None
        try:
            if led.done is not None:
                led.done.wait()
        finally:
            led.waiters -= 1
            if led.lease is not None:
                led.lease.remove(caller)
            if not led.waiters and led.outcome is None:
                self.log.info("nobody waits", session_id=led.session.session_id, for_s=led.grace_s)
                led.grace_timer = gevent.spawn_later(led.grace_s or 0.0, self._end_grace, led)
        if isinstance(led.outcome, ChargeResult):
            if led.dropped and led.outcome.status == "stopped":
                raise Unavailable(
                    SESSION_MOVED,
                    "The session moved to another balancer while its gateway was silent, and "
                    "continues there; request it again.",
                    retry_after_s=_RETRY_AFTER_S,
                    session_id=led.session.session_id,
                )
            return led.outcome
        # A refusal is reported once. A new request with this ID starts the session again.
        self.registers.sessions.forget(led.session.session_id)
        raise led.outcome or RuntimeError("a session ended without an outcome")

    def _end_grace(self, led: LedSession) -> None:
        led.grace_timer = None
        if led.waiters or led.outcome is not None:
            return
        if led.has_lease():
            with suppress(Unavailable):  # nobody is left to learn its energy
                self._stop(led, "no caller returned in time")
        else:  # another balancer may lead it: the grace begins where it is charging
            self.registers.drop(led)

    # Stopping

    def stop(self, session_id: str) -> dict[str, Any] | None:
        """Stop a session wherever it is and return its result; None if nobody knows it.

        If this balancer does not know it, for example after a restart, all substations are asked.
        """
        led = self.registers.sessions.find(session_id)
        if led is not None and led.outcome is None and not led.has_lease():
            self.registers.drop(led)
            led = None
        if led is None:
            return self.resume.stop_everywhere(session_id)
        if self.registers.sessions.is_running(led):
            self._stop(led, STOPPED_BY_CALLER)
        elif not isinstance(led.outcome, ChargeResult):
            self._wait_for_reports(led)
        return ended_document(led)

    def _wait_for_reports(self, led: LedSession) -> None:
        """Have a session whose caller disconnected reported with all that it received."""
        deadline = led.ended_at + self.registers.last_word_wait_s
        while not self.registers.settle_all(led) and time.monotonic() < deadline:
            gevent.sleep(_ASK_AGAIN_S)

    def _stop(self, led: LedSession, reason: str) -> None:
        if led.done is None:
            led.done = Event()
        if led.stop_reason is None:
            led.stop_reason = reason
            self.log.info("stopping", session_id=led.session.session_id, why=reason)
        self.registers.finish(led)
        dispatch = led.queued.dispatch
        client = None
        if dispatch is not None:
            client = self.registers.clients.get(dispatch.substation.address)
            if client is not None and client.keeps_registers and self._stop_at(led, client):
                led.done.wait(_END_S)
        if not led.done.is_set() and led.attempt is not None:
            led.attempt.throw(StopRequested())
        if led.done.wait(_END_S) or not (led.resuming or led.legs.reserved_kwh):
            return
        if not led.done.wait(self.registers.last_word_wait_s):
            raise Unavailable(
                "words-missing",
                "The session is stopping, but not every substation has reported its energy yet.",
                retry_after_s=_END_S,
                session_id=led.session.session_id,
            )

    def _stop_at(self, led: LedSession, client: SubstationClient) -> bool:
        """Make a substation stop it; return False if the result is unknown."""
        for turn in range(_STOPS):
            try:
                report = client.stop(led.session.session_id, self.registers.timeout_s)
            except UpstreamError:
                return False
            if report is not None:
                led.legs.update(client.register, report.kwh, time.monotonic())
                led.has_final_report = True
                return True
            if led.done is not None and led.done.wait(_STOP_AGAIN_S * 2**turn):
                return True
        return False
