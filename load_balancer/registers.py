"""Updates each session's legs from the reports of substations about their registers.

Reports come with the progress of all charging sessions, with the end of a response, and from a
query if an attempt broke off. A leg without a final report is **open**: as soon as its substation
responds again, the session is stopped there if it is still charging, and the report is read.
"""

import math
import time
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from grid_common.http.client import ConnectError, UpstreamError
from grid_common.logs import Log
from load_balancer.amendments import Amendments
from load_balancer.led_session import LedSession, StopRequested
from load_balancer.led_sessions import LedSessions
from load_balancer.open_legs import OpenLegs
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Dispatch, Substation
from load_balancer.substation_client import SubstationClient

_SECONDS_PER_HOUR = 3600
# Maximum number of sessions that query their energy at once when thousands of attempts break.
_MAX_ASKING = 16
# How long a removed substation may reappear at another address, seconds.
_FORGOTTEN_AFTER_S = 600.0


@dataclass(eq=False, repr=False)
class Registers:
    """The sessions that this balancer leads or led recently, with their energy by register."""

    pool: Pool
    timeout_s: float  # maximum time for a substation's report, seconds
    # How long energy that may have flowed unreported at a lost substation is not requested
    # elsewhere, seconds.
    last_word_wait_s: float
    # Silence after which a substation stops the sessions that this balancer leads, seconds; grows
    # with the number of substations.
    lease_s: float
    log: Log
    clients: dict[str, SubstationClient] = field(default_factory=dict, init=False)  # by address
    sessions: LedSessions = field(default_factory=LedSessions, init=False)
    open_legs: OpenLegs = field(default_factory=OpenLegs, init=False)
    amendments: Amendments = field(init=False)
    counted_twice_kwh: float = field(default=0.0, init=False)
    _asking: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.amendments = Amendments(self.clients, self.timeout_s, self.log)

    # Sessions

    def drop(self, led: LedSession) -> None:
        """Stop leading a session; it continues unchanged wherever it is charging."""
        led.dropped, led.stop_reason = True, "moved to another balancer"
        self.sessions.remove(led)
        if led.attempt is not None:
            led.attempt.throw(StopRequested())
        self.finish(led)

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
            self.open_legs.add(register, led)
        return register

    def lost(self, led: LedSession, register: str, substation: Substation, until: float) -> None:
        """Do not request elsewhere the energy that may have flowed at an unreachable substation.

        Args:
            led: the session.
            register: the substation's register set.
            substation: the substation.
            until: the latest time at which it stopped.
        """
        until = max(until, time.monotonic())
        led.legs.reserve(register, substation.name, until, _max_kwh_per_s(led, substation))
        if not self.last_word_wait_s:
            led.legs.release(register)
            return
        gevent.spawn_later(self.last_word_wait_s, self._give_up, led, register)
        if led.legs.has_to_wait:
            self.log.info("waiting for the final report", **led.ids(), substation=substation.name)
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
        if goes_on and self.sessions.is_running(led):
            if led.legs.current is not None:
                self.amendments.amend(led)
            elif led.legs.is_complete:
                self.finish(led)
            else:
                led.update_demand()
                if not led.legs.has_to_wait and led.queued.not_before == math.inf:
                    led.queued.not_before = -math.inf
                    self.pool.match(time.monotonic())
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
            led = self.sessions.find(session_id)
            if led is None or led.resuming:
                continue
            if register in led.legs:
                if led.legs.update(register, kwh, at) and led.legs.current != register:
                    self._reconsider(led)
            elif led.legs.update(register, kwh, at, name):  # from before this balancer's start
                self.open_legs.add(register, led)
                self._reconsider(led)

    def settle(self, client: SubstationClient, name: str) -> None:
        """Read the missing final reports of a substation that responds."""
        for led in self.open_legs.at(client.register):
            if led.dropped or led.legs.current == client.register:
                self.open_legs.close(client.register, led)  # it returned there: its end will report
            elif not led.has_lease():
                continue  # the balancer that leads it may have it charge there
            elif not self._settle(led, client, client.register, name):
                return

    def settle_all(self, led: LedSession) -> bool:
        """Read a session's missing final reports now; return False if some are still missing."""
        clients = {client.register: client for client in self.clients.values()}
        for register in self.open_legs.of(led):
            if register in led.settling:
                led.settling[register].wait()
            elif register in clients:
                self._settle(led, clients[register], register)
        return not self.open_legs.of(led)

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
        self.open_legs.close(register, led)
        rose = report is not None and led.legs.update(register, report.kwh, time.monotonic(), name)
        released = led.legs.release(register)
        if report is None:
            led.legs.lose(register)
        if rose or released:
            self._reconsider(led)
        return True

    def finish(self, led: LedSession) -> None:
        """Stop dispatching a session that is complete, or to be stopped."""
        led.queued.not_before = math.inf
        led.wake()

    def _renamed(self, before: str, now: str) -> None:
        """Handle a changed ID of a register set: it was lost, or the ID is known only now."""
        if any(one.register == before for one in self.clients.values()):
            return
        left = self.open_legs.remove_all(before)
        if not before.startswith("http://"):
            for led in left:
                if led.legs.release(before):
                    self._reconsider(led)
            return
        # If the address was used in place of the ID, sessions that charge there use it, too.
        for led in self.sessions.all():
            if before in led.legs:
                led.legs.rename(before, now)
                if led.legs.is_reserved(now):
                    gevent.spawn_later(self.last_word_wait_s, self._give_up, led, now)
        for led in left:
            self.open_legs.add(now, led)

    def disconnect(self, address: str) -> None:
        """Close a removed substation's client; it may reappear elsewhere with its registers."""
        client = self.clients.pop(address)
        gevent.spawn_later(_FORGOTTEN_AFTER_S, self._forget, client.register)
        client.close()

    def _forget(self, register: str) -> None:
        if all(one.register != register for one in self.clients.values()):
            self.open_legs.remove_all(register)

    def count_twice(self, led: LedSession) -> None:
        """Count the energy that a session received beyond its request."""
        kwh = led.legs.newly_counted_twice_kwh()
        if kwh:
            self.counted_twice_kwh += kwh
            self.log.warning(
                "energy delivered twice",
                **led.ids(),
                kwh=led.session.kwh,
                delivered_kwh=round(led.legs.delivered_kwh, 6),
                legs=[leg._asdict() for leg in led.legs.records()],
            )


def _max_kwh_per_s(led: LedSession, substation: Substation) -> float | None:
    """Return the maximum rate at which a session can charge there, or None if unknown."""
    reading = substation.reading
    if reading is None or reading.point_power_kw is None:
        return None
    power_kw = min(reading.point_power_kw, led.session.max_power_kw or math.inf)
    return power_kw * reading.time_scale / _SECONDS_PER_HOUR
