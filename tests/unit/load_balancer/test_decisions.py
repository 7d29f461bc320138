"""The record of decisions: at hand at once, in the log once the vehicles are on their way."""

import json

import gevent
import pytest

from grid_common.logs import configure_logs
from grid_common.settings import ServiceSettings
from load_balancer.decisions import DecisionRecord
from load_balancer.policy import Candidate
from load_balancer.vehicle import Decision


def decision(sequence: int) -> Decision:
    return Decision(
        sequence=sequence,
        at=0.0,
        session_id=f"session-{sequence}",
        vehicle_id="EV-1",
        request_id="request",
        substation="north",
        attempt=1,
        waited_s=0.0,
        policy="least-loaded",
        reason="least (load + 1) / capacity of 1 with a free point",
        candidates=(Candidate("http://north", "north", 1, 4, 0.5, 0.25, 0),),
        passed_over=(("south", "full (4 of 4)"),),
    )


def test_a_decision_is_at_hand_at_once_and_in_the_log_a_moment_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = ServiceSettings.model_validate({"port": 0, "log_format": "json"})
    record = DecisionRecord(configure_logs("balancer", settings))

    for sequence in (1, 2):
        record.add(decision(sequence))
    first, second = record.since(0)["decisions"]
    assert capsys.readouterr().out == ""
    gevent.sleep(0.05)
    record.add(decision(3))
    gevent.sleep(0.05)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["session_id"] for line in lines] == ["session-1", "session-2", "session-3"]
    # The line tells when the choice was made, not when it was written.
    assert [line["time"] for line in lines[:2]] == [first["time"], second["time"]]
    assert lines[0]["candidates"] == first["candidates"]
    assert lines[0]["passed_over"] == {"south": "full (4 of 4)"}
