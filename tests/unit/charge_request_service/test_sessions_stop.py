"""A session that is stopped while a gateway that starts goes on with it."""

from typing import Any

import gevent
from gevent.event import Event

from charge_request_service.sessions.record import Kind
from charge_request_service.sessions.sessions import Sessions
from tests.unit.charge_request_service.in_memory import begun, sessions_in_memory


class Balancer:
    """Charges without end; while it is told to stop for the first time the gateway goes on."""

    def __init__(self) -> None:
        self.charging = 0
        self.stops = 0
        self.sessions: Sessions | None = None

    def charge(self, *_: object, **__: object) -> Any:
        self.charging += 1
        try:
            Event().wait()
        finally:
            self.charging -= 1

    def stop(self, *_: object, **__: object) -> dict[str, Any]:
        self.stops += 1
        if self.stops == 1:
            assert self.sessions is not None
            self.sessions.recover()
            gevent.sleep(0.05)
        return {"status": "stopped", "energy_kwh": 3.6}


def test_it_does_not_continue_after_it_was_stopped() -> None:
    balancer = Balancer()
    with sessions_in_memory(balancer) as (sessions, ledger):
        balancer.sessions = sessions
        begin = begun(sessions, Kind.ASYNC, 7.88)
        # An earlier process of the gateway began it.
        assert ledger.begin(begin._replace(gateway="before")) is None
        record = ledger.get("s1")
        assert record is not None
        sessions.stop(record, request_id="r")
        gevent.sleep(0.2)
        ended = ledger.get("s1")

    assert balancer.charging == 0
    assert balancer.stops == 2
    assert ended is not None
    assert (ended.end.state, ended.end.energy_kwh) == ("stopped", 3.6)
