"""Keeps each session's legs true to what substations say of their registers.

Words come with the progress of all that charge, with an answer's end, and where an attempt broke
off by asking. A leg that was left without its last word is **open**: as soon as its substation
answers again the session is stopped there, if it still charges, and the word read.
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
# Ended sessions, and open legs, that are kept at most; the oldest go first.
_MAX_KEPT = 10_000
# Of thousands of sessions whose attempts break at once no more ask what they got before they go on.
_MAX_ASKING = 16
# A substation that is no longer behind its name may be found at another address for so long.
_FORGOTTEN_AFTER_S = 600.0


class Registers:
    """The sessions that this balancer leads or led lately, and what they got where."""

    def __init__(
        self, pool: Pool, *, timeout_s: float, last_word_wait_s: float, lease_s: float, log: Log
    ) -> None:
        """Begin without any session.

        Args:
            pool: where sessions wait and are dispatched.
            timeout_s: longest that a substation may take to say what it knows.
            last_word_wait_s: longest that nobody else is asked for what may have flowed at a
                substation that was lost.
            lease_s: silence after which a substation stops what this balancer leads.
            log: of the balancer.
        """
        self.clients: dict[str, SubstationClient] = {}  # by address
        self.running: dict[str, LedSession] = {}
        self.ended: OrderedDict[str, LedSession] = OrderedDict()
        self.counted_twice_kwh = 0.0
        self.amended: Counter[str] = Counter()  # charges asked for anew with less, by substation
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
        """Return a session that is led, or was lately."""
        return self.running.get(session_id) or self.ended.get(session_id)

    def shown(self, session_id: str) -> LedSession | None:
        """Return a session for who asks where it stands: another balancer may know better."""
        led = self.find(session_id)
        return None if led is None or (led.outcome is None and not led.is_vouched_for()) else led

    def drop(self, led: LedSession) -> None:
        """Lead a session no longer, and leave it as it is wherever it charges."""
        led.dropped, led.stop_reason = True, "led elsewhere"
        if self.running.get(led.session.session_id) is led:
            del self.running[led.session.session_id]
        if led.attempt is not None:
            led.attempt.throw(StopRequested())
        self.ends(led)

    def keep(self, led: LedSession, for_s: float) -> None:
        """Remember a session that ended, for so long at most."""
        if led.dropped:
            return
        now = time.monotonic()
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
        """How many legs there are whose last word is not known."""
        return sum(len(legs) for legs in self._open.values())

    # How attempts end

    def revoked(self, led: LedSession, dispatch: Dispatch) -> None:
        """Its substation fell silent, or is gone, and may charge on until the lease is over."""
        if led.legs.current is None:
            return
        client = self.clients.get(dispatch.substation.address)
        register = self._end_attempt(led, dispatch)
        if client is not None and client.keeps_registers is not False:
            client.is_known = False
            leg = led.legs.leg(register)
            heard_at = leg.heard_at if leg is not None else 0.0
            self.lost(led, register, dispatch.substation, heard_at + self.lease_s)
            # It may hear though it is not heard.
            gevent.spawn(self._ask_at_once, led, client, register)
        led.update_demand()

    def broke_off(
        self, led: LedSession, dispatch: Dispatch, error: UpstreamError | None = None
    ) -> None:
        """Its attempt broke: ask the substation, if it answers, what it got there."""
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
        if self._asking >= _MAX_ASKING or not led.is_vouched_for():
            return False
        self._asking += 1
        try:
            return self._settle(led, client, register)
        finally:
            self._asking -= 1

    def left(self, led: LedSession, dispatch: Dispatch) -> None:
        """Nobody listens to its attempt any more; the substation's progress tells what it got."""
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
        """Have a session's last word read there, as soon as that can be."""
        if led.dropped:
            return
        legs = self._open[register]
        legs[led.session.session_id] = led
        if len(legs) > _MAX_KEPT:
            del legs[next(iter(legs))]

    def lost(self, led: LedSession, register: str, substation: Substation, until: float) -> None:
        """Ask nobody else for what may have flowed at a substation that cannot be asked.

        Args:
            led: the session.
            register: the substation's.
            substation: the substation.
            until: when it stopped at the latest.
        """
        until = max(until, time.monotonic())
        led.legs.reserve(register, substation.name, until, _most_kwh_per_s(led, substation))
        if not self.last_word_wait_s:
            led.legs.release(register)
            return
        gevent.spawn_later(self.last_word_wait_s, self._give_up, led, register)
        if led.legs.has_to_wait:
            self._log.info("waits for the last word", **_named(led), substation=substation.name)
            self.hold(led)

    def hold(self, led: LedSession) -> None:
        """Have a session wait for the words of those that were lost."""
        led.queued.not_before = math.inf
        led.queued.deadline += self.last_word_wait_s

    def _give_up(self, led: LedSession, register: str) -> None:
        if led.legs.release(register):
            self._reconsider(led)

    def _reconsider(self, led: LedSession) -> None:
        """Ask for what is left now: more was delivered than was known, or is not to be expected."""
        goes_on = led.stop_reason is None and not led.resuming
        if goes_on and self.running.get(led.session.session_id) is led:
            if led.legs.current is not None:
                self._amend(led)
            elif led.legs.is_complete:
                self.ends(led)
            else:
                led.update_demand()
                if not led.legs.has_to_wait and led.queued.not_before == math.inf:
                    led.queued.not_before = -math.inf
                    self._pool.match(time.monotonic())
        elif led.stop_reason is not None:
            led.wake()  # it may wait to be told what it got
        self.count_twice(led)

    # Words

    def refresh(self, client: SubstationClient, substation: Substation) -> None:
        """Ask a substation how far its sessions are.

        Raises:
            UpstreamError: there is no answer.
        """
        register, began = client.register, time.monotonic()
        sessions = client.progress(self.timeout_s)
        if client.register != register:
            self._renamed(register, client.register)
        if sessions is not None:
            self.hear(client, substation.name, sessions, began)

    def hear(
        self, client: SubstationClient, name: str, sessions: dict[str, float], at: float
    ) -> None:
        """Take in a substation's progress, for which it was asked at this time."""
        register = client.register
        for session_id, kwh in sessions.items():
            led = self.running.get(session_id) or self.ended.get(session_id)
            if led is None or led.resuming:
                continue
            if register in led.legs:
                if led.legs.hear(register, kwh, at) and led.legs.current != register:
                    self._reconsider(led)
            elif led.legs.hear(register, kwh, at, name):  # from before this balancer's start
                self.leave_open(register, led)
                self._reconsider(led)

    def settle(self, client: SubstationClient, name: str) -> None:
        """Read the last words that are missing of a substation that answers."""
        for led in list(self._open.get(client.register, {}).values()):
            if led.dropped or led.legs.current == client.register:
                self._close(client.register, led)  # it came back there: the end will tell
            elif not led.is_vouched_for():
                continue  # whoever leads it may have it charge there
            elif not self._settle(led, client, client.register, name):
                return

    def _settle(
        self, led: LedSession, client: SubstationClient, register: str, name: str | None = None
    ) -> bool:
        """Stop a session that was left behind there and read its word; False if nobody answers."""
        if register in led.settling:
            return True
        led.settling[register], led.was_settled = Event(), True
        try:
            word = client.stop(led.session.session_id, self.timeout_s)
        except UpstreamError:
            return False
        finally:
            led.settling.pop(register).set()
        if led.legs.current == register:
            return True  # sent there again meanwhile: the end will tell
        self._close(register, led)
        rose = word is not None and led.legs.hear(register, word.kwh, time.monotonic(), name)
        released = led.legs.release(register)
        if word is None:
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

    def ends(self, led: LedSession) -> None:
        """Have a session that is complete, or to be stopped, dispatched no more."""
        led.queued.not_before = math.inf
        led.wake()

    def _renamed(self, before: str, now: str) -> None:
        """A substation's registers have another id: it lost them, or its id is known only now."""
        if any(one.register == before for one in self.clients.values()):
            return
        left = self._open.pop(before, {})
        if not before.startswith("http://"):
            for led in left.values():
                if led.legs.release(before):
                    self._reconsider(led)
            return
        # An address, in place of the id: sessions that charge there, or did, have it too.
        for led in [*self.running.values(), *self.ended.values()]:
            if before in led.legs:
                led.legs.rename(before, now)
                if led.legs.is_reserved(now):
                    gevent.spawn_later(self.last_word_wait_s, self._give_up, led, now)
        for led in left.values():
            self.leave_open(now, led)

    def forget(self, client: SubstationClient) -> None:
        """A substation is gone; it may be found elsewhere, with its registers."""
        gevent.spawn_later(_FORGOTTEN_AFTER_S, self._forget, client.register)

    def _forget(self, register: str) -> None:
        if all(one.register != register for one in self.clients.values()):
            self._open.pop(register, None)

    def count_twice(self, led: LedSession) -> None:
        """Count the energy that a session got over what it asked for."""
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
        """Have the substation where a session charges now bring it to what is left now."""
        dispatch = led.queued.dispatch
        client = self.clients.get(dispatch.substation.address) if dispatch is not None else None
        if dispatch is None or client is None or not client.keeps_registers:
            return
        if not led.is_vouched_for():
            return  # another balancer may have asked it for something else
        kwh = led.legs.target_kwh(client.register)
        if abs(kwh - led.target_kwh) > NOTHING_KWH:
            led.target_kwh = kwh
            led.amendments.append(gevent.spawn(self._send, led, client, dispatch.substation.name))

    def _send(
        self, led: LedSession, client: SubstationClient, name: str
    ) -> tuple[Outcome, UpstreamResponse] | None:
        """Ask anew; this is answered when the session ends there, as is the attempt itself."""
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
            pass  # the attempt will tell
        return None


def _most_kwh_per_s(led: LedSession, substation: Substation) -> float | None:
    """Return the most that a session can get there, None where that is not known."""
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
