"""What becomes of a session that is told to stop."""

import orjson
import pytest

from charge_request_service.sessions.outcome import stopped
from charge_request_service.sessions.record import Kind, State
from tests.support.session_rows import a_begin

BEGIN = a_begin(kwh=6.285, kind=Kind.ASYNC, key="k", digest="d", began_us=0)


@pytest.mark.parametrize(
    ("reported", "state"),
    [
        ({"status": "charged", "energy_kwh": 6.285}, State.CHARGED),
        ({"status": "charged", "energy_kwh": None}, State.CHARGED),  # one without a meter
        # Its substation charged all that it was asked for: the rest was asked for elsewhere.
        ({"status": "charged", "energy_kwh": 5.726}, State.STOPPED),
        ({"status": "stopped", "energy_kwh": 5.726}, State.STOPPED),
        ({}, State.STOPPED),
    ],
)
def test_it_is_charged_where_it_got_all_that_it_asked_for(
    reported: dict[str, object], state: State
) -> None:
    end, answer = stopped(BEGIN, reported, "stopped by its caller", 7)
    document = orjson.loads(answer.body)
    assert (end.state, document["status"]) == (state, state)
    assert end.energy_kwh == reported.get("energy_kwh")
    reason = None if state is State.CHARGED else "stopped by its caller"
    assert (end.reason, document.get("reason")) == (reason, reason)
