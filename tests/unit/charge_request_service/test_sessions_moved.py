"""A session that moved to another balancer: it has not ended."""

import orjson

from charge_request_service.sessions.outcome import response_for
from charge_request_service.sessions.record import Kind
from grid_common.api.charge import Session
from grid_common.api.problem_type import SESSION_MOVED
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse
from tests.unit.charge_request_service.in_memory import begun, sessions_in_memory


class Balancer:
    """Answers a session's first request that it moved, and the next with its end."""

    def __init__(self) -> None:
        self.resumed: list[bool] = []

    def charge(self, session: Session, *, resumed: bool, **_: object) -> UpstreamResponse:
        self.resumed.append(resumed)
        if len(self.resumed) == 1:
            return response_for(
                Unavailable(
                    SESSION_MOVED, "it moved", retry_after_s=1, session_id=session.session_id
                )
            )
        body = orjson.dumps({"status": "charged", "energy_kwh": 8.0})
        return UpstreamResponse(200, "application/json", None, body)


def test_it_is_asked_for_again_and_its_end_alone_is_kept() -> None:
    balancer = Balancer()
    with sessions_in_memory(balancer) as (sessions, ledger):
        begin = begun(sessions, Kind.KEYED, 8.0, "k")
        reply = sessions.durable.charge(begin, request_id="r")
        kept = ledger.get("s1")

    assert balancer.resumed == [False, True]
    assert reply.response is not None
    assert reply.response.status == 200
    assert kept is not None
    assert (kept.end.state, kept.end.energy_kwh) == ("charged", 8.0)
