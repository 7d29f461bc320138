"""Finds sessions from before this balancer's start through the substations' registers."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from prometheus_client import Counter

from grid_common.http.client import UpstreamError
from grid_common.logs import Log
from load_balancer.led_session import LedSession
from load_balancer.registers import Registers
from load_balancer.routing.health import Health
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Substation
from load_balancer.substation_client import SessionReport, SubstationClient

# How an earlier session continues: where it is charging, with what it has, or with the rest.
HOW = ("attached", "complete", "dispatched")
_LOOK_AGAIN_S = 0.05
# Maximum number of searches at once: thousands of sessions return together.
_MAX_AT_ONCE = 16
# How often a healthy substation is asked, and the pause between two tries, seconds.
_TRIES, _TRY_AGAIN_S = 5, 0.2
_FORGOTTEN_AFTER_S, _MAX_STOPPED = 60.0, 10_000
_CHARGING = "charging"


@dataclass(eq=False, repr=False)
class Resume:
    """Asks every substation for a session, once each has responded or is known to be down."""

    pool: Pool
    registers: Registers
    resumed: Counter
    log: Log
    _turns: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(_MAX_AT_ONCE), init=False
    )
    # Until when stopped sessions wait for substations that do not respond.
    _stopped: OrderedDict[str, float] = field(default_factory=OrderedDict, init=False)

    def look_for(self, led: LedSession) -> None:
        """Find out what a session received at each substation, and where it is charging now."""
        self._wait_until_contacted()
        session_id = led.session.session_id
        charging: list[tuple[Substation, SubstationClient]] = []
        with self._turns:
            asked_at = time.monotonic()
            responses = self._ask_all(
                lambda client: client.ask(session_id, self.registers.timeout_s)
            )
        now = time.monotonic()
        silent: list[tuple[Substation, SubstationClient]] = []
        for substation, client, report in responses:
            if isinstance(report, SessionReport):
                at = asked_at - report.age_s
                led.legs.update(client.register, report.kwh, at, substation.name)
                if report.state == _CHARGING:
                    charging.append((substation, client))
            elif isinstance(report, UpstreamError) and client.keeps_registers is not False:
                silent.append((substation, client))
        if charging and led.stop_reason is None:
            led.attach_to = charging.pop(0)[0]
        for substation, client in silent:  # queried once they respond
            self.registers.open_legs.add(client.register, led)
            if led.attach_to is None and not led.is_complete:
                self.registers.lost(led, client.register, substation, now)
        for _, client in charging:
            self.registers.open_legs.add(client.register, led)
        how = "attached" if led.attach_to else "complete" if led.is_complete else "dispatched"
        self.resumed.labels(how).inc()
        self.log.info(
            "session resumed",
            session_id=session_id,
            vehicle_id=led.session.vehicle_id,
            how=how,
            substation=led.attach_to.name if led.attach_to else None,
            delivered_kwh=round(led.legs.delivered_kwh, 6),
        )
        led.update_demand()
        led.resuming = False

    def stop_everywhere(self, session_id: str) -> dict[str, Any] | None:
        """Stop a session that this balancer does not lead, and return its result.

        The result is final, so substations that do not respond are waited for. None if no
        substation that responds knows the session.
        """
        deadline = self._stop_deadline(session_id)
        self._wait_until_contacted(deadline)
        reports: dict[SubstationClient, tuple[str, SessionReport]] = {}
        while True:
            responses = self._ask_all(
                lambda client: client.stop(session_id, self.registers.timeout_s)
            )
            for substation, client, report in responses:
                if isinstance(report, SessionReport):
                    reports[client] = (substation.name, report)
            silent = [
                client
                for _, client, report in responses
                if isinstance(report, UpstreamError) and client not in reports
            ]
            if not silent or time.monotonic() >= deadline:
                break
            gevent.sleep(_TRY_AGAIN_S)
        if not reports:
            return None
        # By register as it is known now: while a substation was asked, its id may have become so.
        registers = {client.register: one for client, one in reports.items()}
        states = {report.state for _, report in registers.values()}
        return {
            "status": "charged" if states == {"charged"} else "stopped",
            "session_id": session_id,
            "energy_kwh": sum(report.kwh for _, report in registers.values()),
            "legs": [
                {"substation": name, "energy_kwh": report.kwh}
                for name, report in registers.values()
                if report.kwh
            ],
        }

    def is_stopped(self, session_id: str) -> bool:
        """Return whether an earlier session was stopped recently, or is being stopped."""
        return session_id in self._stopped

    def _stop_deadline(self, session_id: str) -> float:
        """Return until when to wait for silent substations, however often this is asked."""
        now, stopped = time.monotonic(), self._stopped
        while stopped and (
            len(stopped) > _MAX_STOPPED or next(iter(stopped.values())) < now - _FORGOTTEN_AFTER_S
        ):
            stopped.popitem(last=False)
        return stopped.setdefault(session_id, now + self.registers.last_word_wait_s)

    def _wait_until_contacted(self, deadline: float = math.inf) -> None:
        """Wait until each substation has responded, or is known to be down."""
        while (
            not self.pool.substations
            or any(map(self._is_uncontacted, self.pool.substations.values()))
        ) and time.monotonic() < deadline:
            gevent.sleep(_LOOK_AGAIN_S)

    def _is_uncontacted(self, substation: Substation) -> bool:
        client = self.registers.clients.get(substation.address)
        if client is None or substation.health is Health.DOWN:
            return False
        return substation.health is Health.UNKNOWN or client.keeps_registers is None

    def _ask_all(
        self, ask: Callable[[SubstationClient], SessionReport | None]
    ) -> list[tuple[Substation, SubstationClient, SessionReport | UpstreamError | None]]:
        def one(
            substation: Substation, client: SubstationClient
        ) -> SessionReport | UpstreamError | None:
            for turn in range(_TRIES):
                try:
                    return ask(client)
                except UpstreamError as error:
                    if turn == _TRIES - 1 or substation.health is Health.DOWN:
                        return error
                gevent.sleep(_TRY_AGAIN_S)
            return None

        asked = [
            (substation, client, gevent.spawn(one, substation, client))
            for substation in list(self.pool.substations.values())
            if (client := self.registers.clients.get(substation.address)) is not None
            and client.keeps_registers is not False
        ]
        gevent.joinall([greenlet for _, _, greenlet in asked])
        return [(substation, client, greenlet.value) for substation, client, greenlet in asked]
