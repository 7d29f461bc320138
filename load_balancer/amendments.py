"""Reduces the targets of running charges by the energy that was delivered elsewhere."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import gevent

from grid_common.http.client import UpstreamError, UpstreamResponse
from grid_common.logs import Log
from load_balancer.led_session import LedSession
from load_balancer.routing.legs import NOTHING_KWH
from load_balancer.routing.outcome import Outcome
from load_balancer.substation_client import SubstationClient


@dataclass(eq=False, repr=False)
class Amendments:
    """Sends amendments to substations."""

    clients: Mapping[str, SubstationClient]  # of the substations, by address
    timeout_s: float  # maximum time for a substation's response to a stop, seconds
    log: Log
    # Charges with a reduced target, by substation.
    sent: Counter[str] = field(default_factory=Counter, init=False)

    def amend(self, led: LedSession) -> None:
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
        self.log.info(
            "amended", **led.ids(), substation=name, kwh=led.session.kwh, target_kwh=session.kwh
        )
        try:
            if session.kwh > 0:
                self.sent[name] += 1
                return client.charge(session, request_id=led.queued.request_id, grace_s=led.grace_s)
            client.stop(session.session_id, self.timeout_s)
        except UpstreamError:
            pass  # the attempt itself will report
        return None
