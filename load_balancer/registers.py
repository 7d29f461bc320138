"""Updates each session's legs from the reports of substations about their registers.

Reports come with the progress of all charging sessions, with the end of a response, and from a
query if an attempt broke off. A leg without a final report is **open**: as soon as its substation
responds again, the session is stopped there if it is still charging, and the report is read.
"""

import math
import time
from collections import Counter, OrderedDict, defaultdict

import gevent
from gevent.event import Event

from grid_common.http.client import ConnectError, UpstreamError, UpstreamResponse
from grid_common.logs import Log
from load_balancer.led_session import LedSession, StopRequested
from load_balancer.routing.legs import NOTHING_KWH
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.pool import Pool
from load_balancer.routing.queue import Dispatch
from load_balancer.routing.substation import Substation
from load_balancer.substation_client import SubstationClient

_SECONDS_PER_HOUR = 3600
# Maximum number of ended sessions and of open legs to keep; the oldest are dropped first.
_MAX_KEPT = 10_000
# Maximum number of sessions that query their energy at once when thousands of attempts break.
_MAX_ASKING = 16
# How long a removed substation may reappear at another address, seconds.
_FORGOTTEN_AFTER_S = 600.0


class Registers:
    """The sessions that this balancer leads or led recently, with their energy by register."""

    def __init__(
        self, pool: Pool, *, timeout_s: float, last_word_wait_s: float, lease_s: float, log: Log
    ) -> None:
        """Start without sessions.

        Args:
            pool: the pool in which sessions wait and are dispatched.
            timeout_s: maximum time for a substation's report, seconds.
            last_word_wait_s: how long energy that may have flowed unreported at a lost substation
                is not requested elsewhere, seconds.
            lease_s: silence after which a substation stops the sessions that this balancer leads,
                seconds.
            log: the balancer's log.
        """
        self.clients: dict[str, SubstationClient] = {}  # by address
        self.running: dict[str, LedSession] = {}
        self.ended: OrderedDict[str, LedSession] = OrderedDict()
        self.counted_twice_kwh = 0.0
        self.amended: Counter[str] = Counter()  # charges with a reduced target, by substation
        self.moved = 0  # sessions that charged at more than one substation
        self.timeout_s = timeout_s
        self._pool = pool
        self.last_word_wait_s = last_word_wait_s
        self.lease_s = lease_s  # grows with the number of substations
        self._log = log
        self._open: defaultdict[str, dict[str, LedSession]] = defaultdict(dict)
        self._asking = 0

    # Sessions

    def find(self, session_id: str) -> LedSession | None:
        """Return a session that this balancer leads, or led recently."""
        return self.running.get(session_id) or self.ended.get(session_id)

    def shown(self, session_id: str) -> LedSession | None:
        """Return a session for display, unless another balancer may know better."""
        led = self.find(session_id)
        return None if led is None or (led.outcome is None and not led.has_lease()) else led

    def drop(self, led: LedSession) -> None:
        """Stop leading a session; it continues unchanged wherever it is charging."""
        led.dropped, led.stop_reason = True, "moved to another balancer"
        if self.running.get(led.session.session_id) is led:
            del self.running[led.session.session_id]
        if led.attempt is not None:
            led.attempt.throw(StopRequested())
        self.finish(led)

    def remember(self, led: LedSession, for_s: float) -> None:
        """Remember an ended session, for this long at most (seconds)."""
        if led.dropped:
            return
        now = led.ended_at = time.monotonic()
        led.expires = now + for_s
        self.ended[led.session.session_id] = led
        self.ended.move_to_end(led.session.session_id)
        while self.ended:
            oldest = next(iter(self.ended.values()))
            if len(self.ended) <= _MAX_KEPT and oldest.expires > now:
                break
            self.ended.popitem(last=False)

    @property
    def open_legs(self) -> int:
        """Return the number of legs without a final report."""
        return sum(len(legs) for legs in self._open.values())

    # How attempts end

    def revoked(self, led: LedSession, dispatch: Dispatch) -> None:
        """Handle a lost substation, which may continue to charge until the lease ends."""
        if led.legs.current is None:
            return
        client = self.clients.get(dispatch.substation.address)
        register = self._end_attempt(led, dispatch)
        if client is not None and client.keeps_registers is not False:
            client.is_known = False
            self.lost(led, register, dispatch.substation, client.last_heartbeat_at + self.lease_s)
            # It may receive requests although its responses do not arrive.
            gevent.spawn(self._ask_at_once, led, client, register)
        led.update_demand()

    def broke_off(
        self, led: LedSession, dispatch: Dispatch, error: UpstreamError | None = None
    ) -> None:
        """Handle a broken attempt: query the substation for the energy, if it responds."""
        register = led.legs.current
        if register is None:
            return
        client = self.clients.get(dispatch.substation.address)
        if isinstance(error, ConnectError):
            led.legs.withdraw(register)
        elif client is None or client.keeps_registers is False:
            self._end_attempt(led, dispatch)
        else:
            broke_at = time.monotonic()
            self._end_attempt(led, dispatch)
            client.is_known = False
            if not self._ask_at_once(led, client, register):
                self.lost(led, register, dispatch.substation, broke_at)
        led.update_demand()

    def _ask_at_once(self, led: LedSession, client: SubstationClient, register: str) -> bool:
        if self._asking >= _MAX_ASKING or not led.has_lease():
            return False
        self._asking += 1
        try:
            return self._settle(led, client, register)
        finally:
            self._asking -= 1

    def abandoned(self, led: LedSession, dispatch: Dispatch) -> None:
        """Handle an attempt that nobody listens to any more; progress will report its energy."""
        if led.legs.current is not None:
            self._end_attempt(led, dispatch)

    def _end_attempt(self, led: LedSession, dispatch: Dispatch) -> str:
        register = led.legs.current or ""
        led.legs.end(register, time.monotonic() - dispatch.decision.at)
        client = self.clients.get(dispatch.substation.address)
        if client is not None and client.keeps_registers is not False:
            self.leave_open(register, led)
        return register

    def leave_open(self, register: str, led: LedSession) -> None:
        """Have a session's final report read there as soon as possible."""
        if led.dropped:
            return
        legs = self._open[register]
        legs[led.session.session_id] = led
        if len(legs) > _MAX_KEPT:
            del legs[next(iter(legs))]

    def lost(self, led: LedSession, register: str, substation: Substation, until: float) -> None:
        """Do not request elsewhere the energy that may have flowed at an unreachable substation.

        Args:
            led: the session.
            register: the substation's register set.
            substation: the substation.
            until: the latest time at which it stopped.
        """
        until = max(until, time.monotonic())
        led.legs.reserve(register, substation.name, until, _most_kwh_per_s(led, substation))
        if not self.last_word_wait_s:
            led.legs.release(register)
            return
        gevent.spawn_later(self.last_word_wait_s, self._give_up, led, register)
        if led.legs.has_to_wait:
            self._log.info(
                "waiting for the final report", **_named(led), substation=substation.name
            )
            self.hold(led)

    def hold(self, led: LedSession) -> None:
        """Make a session wait for the reports of lost substations."""
        led.queued.not_before = math.inf
        led.queued.deadline += self.last_word_wait_s

    def _give_up(self, led: LedSession, register: str) -> None:
        if led.legs.release(register):
            self._reconsider(led)

    def _reconsider(self, led: LedSession) -> None:
        """Update what is left to request: more was delivered, or a report is given up."""
        goes_on = led.stop_reason is None and not led.resuming
        if goes_on and self.running.get(led.session.session_id) is led:
            if led.legs.current is not None:
                self._amend(led)
            elif led.legs.is_complete:
                self.finish(led)
            else:
                led.update_demand()
                if not led.legs.has_to_wait and led.queued.not_before == math.inf:
                    led.queued.not_before = -math.inf
                    self._pool.match(time.monotonic())
        elif led.stop_reason is not None:
            led.wake()  # it may be waiting for its energy
        self.count_twice(led)

    # Reports

    def refresh(self, client: SubstationClient, substation: Substation) -> None:
        """Query a substation for the progress of its sessions.

        Raises:
            UpstreamError: there is no response.
        """
        register, began = client.register, time.monotonic()
        sessions = client.progress(self.timeout_s)
        if client.register != register:
            self._renamed(register, client.register)
        if sessions is not None:
            self.record_progress(client, substation.name, sessions, began - client.progress_age_s)

    def record_progress(
        self, client: SubstationClient, name: str, sessions: dict[str, float], at: float
    ) -> None:
        """Record a substation's progress, which was true at this time."""
        register = client.register
        for session_id, kwh in sessions.items():
            led = self.running.get(session_id) or self.ended.get(session_id)
            if led is None or led.resuming:
                continue
            if register in led.legs:
                if led.legs.update(register, kwh, at) and led.legs.current != register:
                    self._reconsider(led)
            elif led.legs.update(register, kwh, at, name):  # from before this balancer's start
                self.leave_open(register, led)
                self._reconsider(led)

    def settle(self, client: SubstationClient, name: str) -> None:
        """Read the missing final reports of a substation that responds."""
        for led in list(self._open.get(client.register, {}).values()):
            if led.dropped or led.legs.current == client.register:
                self._close(client.register, led)  # it returned there: its end will report
            elif not led.has_lease():
                continue  # the balancer that leads it may have it charge there
            elif not self._settle(led, client, client.register, name):
                return

    def settle_all(self, led: LedSession) -> bool:
        """Read a session's missing final reports now; return False if some are still missing."""
        clients = {client.register: client for client in self.clients.values()}
        for register in self._open_at(led):
            if register in led.settling:
                led.settling[register].wait()
            elif register in clients:
                self._settle(led, clients[register], register)
        return not self._open_at(led)

    def _open_at(self, led: LedSession) -> list[str]:
        session_id = led.session.session_id
        return [register for register, legs in self._open.items() if legs.get(session_id) is led]

    def _settle(
        self, led: LedSession, client: SubstationClient, register: str, name: str | None = None
    ) -> bool:
        """Stop a session left behind there and read its report; return False without a response."""
        if register in led.settling:
            return True
        led.settling[register], led.was_settled = Event(), True
        try:
            report = client.stop(led.session.session_id, self.timeout_s)
        except UpstreamError:
            return False
        finally:
            led.settling.pop(register).set()
        if led.legs.current == register:
            return True  # sent there again meanwhile: its end will report
        self._close(register, led)
        rose = report is not None and led.legs.update(register, report.kwh, time.monotonic(), name)
        released = led.legs.release(register)
        if report is None:
            led.legs.lose(register)
        if rose or released:
            self._reconsider(led)
        return True

    def _close(self, register: str, led: LedSession) -> None:
        legs = self._open.get(register)
        if legs is not None:
            legs.pop(led.session.session_id, None)
            if not legs:
                del self._open[register]

    def finish(self, led: LedSession) -> None:
        """Stop dispatching a session that is complete, or to be stopped."""
        led.queued.not_before = math.inf
        led.wake()

    def _renamed(self, before: str, now: str) -> None:
        """Handle a changed ID of a register set: it was lost, or the ID is known only now."""
        if any(one.register == before for one in self.clients.values()):
            return
        left = self._open.pop(before, {})
        if not before.startswith("http://"):
            for led in left.values():
                if led.legs.release(before):
                    self._reconsider(led)
            return
        # If the address was used in place of the ID, sessions that charge there use it, too.
        for led in [*self.running.values(), *self.ended.values()]:
            if before in led.legs:
                led.legs.rename(before, now)
                if led.legs.is_reserved(now):
                    gevent.spawn_later(self.last_word_wait_s, self._give_up, led, now)
        for led in left.values():
            self.leave_open(now, led)

    def forget(self, client: SubstationClient) -> None:
        """Handle a removed substation; it may reappear elsewhere with its registers."""
        gevent.spawn_later(_FORGOTTEN_AFTER_S, self._forget, client.register)

    def _forget(self, register: str) -> None:
        if all(one.register != register for one in self.clients.values()):
            self._open.pop(register, None)

    def count_twice(self, led: LedSession) -> None:
        """Count the energy that a session received beyond its request."""
        kwh = led.legs.newly_counted_twice_kwh()
        if kwh:
            self.counted_twice_kwh += kwh
            self._log.warning(
                "energy delivered twice",
                **_named(led),
                kwh=led.session.kwh,
                delivered_kwh=round(led.legs.delivered_kwh, 6),
                legs=[leg._asdict() for leg in led.legs.records()],
            )

    def _amend(self, led: LedSession) -> None:
        """Send the substation where a session is charging the amount that is left now."""
        dispatch = led.queued.dispatch
        client = self.clients.get(dispatch.substation.address) if dispatch is not None else None
        if dispatch is None or client is None or not client.keeps_registers:
            return
        if not led.has_lease():
            return  # another balancer may have sent it another target
        kwh = led.legs.target_kwh(client.register)
        if abs(kwh - led.target_kwh) > NOTHING_KWH:
            led.target_kwh = kwh
            led.amendments.append(gevent.spawn(self._send, led, client, dispatch.substation.name))

    def _send(
        self, led: LedSession, client: SubstationClient, name: str
    ) -> tuple[Outcome, UpstreamResponse] | None:
        """Repeat the charge with another target; the response comes when the session ends there."""
        session = led.session_at(client.register)
        self._log.info(
            "amended", **_named(led), substation=name, kwh=led.session.kwh, target_kwh=session.kwh
        )
        try:
            if session.kwh > 0:
                self.amended[name] += 1
                return client.charge(session, request_id=led.queued.request_id, grace_s=led.grace_s)
            client.stop(session.session_id, self.timeout_s)
        except UpstreamError:
            pass  # the attempt itself will report
        return None


def _most_kwh_per_s(led: LedSession, substation: Substation) -> float | None:
    """Return the maximum rate at which a session can charge there, or None if unknown."""
    reading = substation.reading
    if reading is None or reading.point_power_kw is None:
        return None
    power_kw = min(reading.point_power_kw, led.session.max_power_kw or math.inf)
    return power_kw * reading.time_scale / _SECONDS_PER_HOUR


def _named(led: LedSession) -> dict[str, str]:
    return {
        "session_id": led.session.session_id,
        "vehicle_id": led.session.vehicle_id,
        "request_id": led.queued.request_id,
    }
