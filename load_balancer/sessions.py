"""The balancer's sessions: who waits for which, and those that go on while nobody does.

A **plain** session lives as long as the request that asked for it. A **durable** one has a greenlet
of its own; requests wait for it, come and go, and it ends when nobody has come for its grace.
"""

import time
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import Event

from grid_common.api.charge import Session
from grid_common.api.problems import Unavailable
from grid_common.api.session_headers import Terms
from grid_common.http.cancellation import Caller
from grid_common.http.client import UpstreamError
from grid_common.logs import Log
from load_balancer.dispatcher import Dispatcher
from load_balancer.led_session import (
    STOPPED_BY_CALLER,
    ChargeResult,
    LedSession,
    StopRequested,
)
from load_balancer.registers import Registers
from load_balancer.resume import Resume
from load_balancer.session_views import ended_document
from load_balancer.substation_client import SubstationClient
from load_balancer.vouchers import Gateways, Vouchers

# How long it is remembered what a plain session got whose caller disconnected, seconds.
_KEPT_S = 300.0
# A stop may overtake the charge on its way: asked again after so long, each time twice. Seconds.
_STOP_AGAIN_S = 0.02
_STOPS = 6
# Longest that a stopped session may take to end in the balancer's own records.
_END_S = 2.0


class Sessions:
    """Starts sessions, attaches requests to them, stops them. One for the process."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        registers: Registers,
        resume: Resume,
        gateways: Gateways,
        *,
        log: Log,
    ) -> None:
        self._dispatcher = dispatcher
        self._registers = registers
        self._resume = resume
        self._gateways = gateways
        self._log = log

    def charge(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        caller: Caller,
        on: Terms = Terms(),  # noqa: B008 - a tuple
        sent: float | None = None,
    ) -> ChargeResult:
        """Have a vehicle charged, or wait for what is under way under the same id.

        Args:
            session: what it asks for.
            request_id: passed on, so that one grep finds it in every log.
            wait_s: longest that it waits for a free point.
            caller: the connection that waits for it.
            on: on what terms it is asked for.
            sent: when its gateway sent it, by a clock of its own.

        Raises:
            ClientDisconnected: the caller disconnected.
            Unavailable: no substation could take it in time, or too many wait.
        """
        registers, session_id, grace_s = self._registers, session.session_id, on.grace_s
        # One that runs is attached to in any case: two of one id would not know of each other.
        known = registers.running.get(session_id) if grace_s is None else registers.find(session_id)
        if known is not None and known.is_durable:
            if known.outcome is not None or known.is_vouched_for() or not on.resumed:
                return self._await(known, caller, on, sent)
            registers.drop(known)  # another balancer may have led it since
        led = LedSession(
            session,
            request_id=request_id,
            wait_s=wait_s,
            grace_s=grace_s,
            on_revoked=self._registers.revoked,
        )
        if grace_s is None:
            return self._lead_plain(led)
        led.done, led.resuming = Event(), on.resumed
        if self._resume.is_stopped(session_id):
            led.stop_reason = STOPPED_BY_CALLER  # its stop overtook it, or its gateway's restart
        led.vouchers = Vouchers(self._gateways)
        registers.ended.pop(session_id, None)
        registers.running[session_id] = led
        gevent.spawn(self._lead_durable, led)
        return self._await(led, caller, on, sent)

    def _lead_plain(self, led: LedSession) -> ChargeResult:
        running, session_id = self._registers.running, led.session.session_id
        running[session_id] = led
        try:
            led.outcome = result = self._dispatcher.lead(led)
        except Unavailable as refusal:
            led.outcome = refusal
            raise
        finally:
            if running.get(session_id) is led:
                del running[session_id]
            if led.legs and not isinstance(led.outcome, ChargeResult):
                self._registers.keep(led, _KEPT_S)
            if led.done is not None:
                led.done.set()
        return result

    def _lead_durable(self, led: LedSession) -> None:
        session_id = led.session.session_id
        try:
            if led.resuming:
                self._resume.look_for(led)
            led.outcome = self._dispatcher.lead(led)
        except Exception as error:
            led.outcome = error
        finally:
            if self._registers.running.get(session_id) is led:
                del self._registers.running[session_id]
            self._registers.keep(led, led.grace_s or 0.0)
            if led.done is not None:
                led.done.set()

    def _await(
        self, led: LedSession, caller: Caller, on: Terms, sent: float | None
    ) -> ChargeResult:
        led.waiters += 1
        if led.vouchers is not None:
            led.vouchers.add(caller, on.owner, on.lease_s, sent, time.monotonic())
        if led.grace_timer is not None:
            led.grace_timer.kill(block=False)
            led.grace_timer = None
        try:
            if led.done is not None:
                led.done.wait()
        finally:
            led.waiters -= 1
            if led.vouchers is not None:
                led.vouchers.remove(caller)
            if not led.waiters and led.outcome is None:
                self._log.info("nobody waits", session_id=led.session.session_id, for_s=led.grace_s)
                led.grace_timer = gevent.spawn_later(led.grace_s or 0.0, self._end_grace, led)
        if isinstance(led.outcome, ChargeResult):
            return led.outcome
        # Refused: told once. Who comes again with this id wants to be taken in again.
        self._registers.ended.pop(led.session.session_id, None)
        raise led.outcome or RuntimeError("a session ended without an outcome")

    def _end_grace(self, led: LedSession) -> None:
        led.grace_timer = None
        if led.waiters or led.outcome is not None:
            return
        if led.is_vouched_for():
            with suppress(Unavailable):  # nobody is there to be told what it got
                self._stop(led, "nobody came back for it")
        else:  # another balancer may lead it: where it charges its grace begins
            self._registers.drop(led)

    # Stopping

    def stop(self, session_id: str) -> dict[str, Any] | None:
        """Stop a session wherever it is and tell what it got; None where nobody knows of it.

        One that this balancer does not know of, as after its restart, is asked for everywhere.
        """
        led = self._registers.find(session_id)
        if led is not None and led.outcome is None and not led.is_vouched_for():
            self._registers.drop(led)
            led = None
        if led is None:
            return self._resume.stop_everywhere(session_id)
        if self._registers.running.get(session_id) is led:
            self._stop(led, STOPPED_BY_CALLER)
        return ended_document(led)

    def _stop(self, led: LedSession, reason: str) -> None:
        if led.done is None:
            led.done = Event()
        if led.stop_reason is None:
            led.stop_reason = reason
            self._log.info("stopping", session_id=led.session.session_id, why=reason)
        self._registers.ends(led)
        dispatch = led.queued.dispatch
        client = None
        if dispatch is not None:
            client = self._registers.clients.get(dispatch.substation.address)
            if client is not None and client.keeps_registers and self._stop_at(led, client):
                led.done.wait(_END_S)
        if not led.done.is_set() and led.attempt is not None:
            led.attempt.throw(StopRequested())
        if led.done.wait(_END_S) or not (led.resuming or led.legs.reserved_kwh):
            return
        if not led.done.wait(self._registers.last_word_wait_s):
            raise Unavailable(
                "words-missing",
                "The session stops, but not every substation has said yet what it got there.",
                retry_after_s=_END_S,
                session_id=led.session.session_id,
            )

    def _stop_at(self, led: LedSession, client: SubstationClient) -> bool:
        """Have a substation stop it; False where that cannot be told."""
        for turn in range(_STOPS):
            try:
                word = client.stop(led.session.session_id, self._registers.timeout_s)
            except UpstreamError:
                return False
            if word is not None:
                led.legs.hear(client.register, word.kwh, time.monotonic())
                led.has_last_word = True
                return True
            if led.done is not None and led.done.wait(_STOP_AGAIN_S * 2**turn):
                return True
        return False
