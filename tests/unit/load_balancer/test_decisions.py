"""The record of decisions: at hand at once, in the log once the vehicles are on their way."""

import math
from collections.abc import Iterator

import gevent
import orjson
import pytest

from charge_request_service.balancers.openapi import schemas
from load_balancer.decisions import DecisionRecord
from load_balancer.routing.demand import Demand
from load_balancer.routing.matching import Deferred
from load_balancer.routing.policy import Candidate, Choice, Decision
from load_balancer.routing.prediction import Prediction
from load_balancer.routing.substation import QueuedSession
from tests.support.logs import logged, service_log


def decision(sequence: int, name: str = "north", substations: int = 1) -> Decision:
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
        candidates=(Candidate("http://north", name, 1, 4, 0.5, 0.25, 0),) * substations,
        ineligible=(("south", "full (4 of 4)"),),
    )


@pytest.fixture
def record() -> Iterator[DecisionRecord]:
    yield DecisionRecord(service_log(log_level="error"))
    gevent.sleep(0.01)  # what it has to log is not left for the next test


def read(page: bytes) -> tuple[list[int], int | None, int]:
    """Return a page's sequence numbers, its `next` and its `last`."""
    document = orjson.loads(page)
    return [one["sequence"] for one in document["decisions"]], document["next"], document["last"]


def test_a_record_without_a_decision_has_an_empty_page(record: DecisionRecord) -> None:
    assert read(record.page(0)) == ([], None, 0)
    assert read(record.page(17)) == ([], None, 0)


def test_the_members_of_a_decision_have_the_order_of_their_description(
    record: DecisionRecord,
) -> None:
    record.add(decision(1))

    [listed] = orjson.loads(record.page(0))["decisions"]

    assert list(listed) == list(schemas()["Decision"]["properties"])
    assert listed["passed_over"] == [{"substation": "south", "why": "full (4 of 4)"}]


def test_a_page_lists_what_came_after_a_decision_and_says_where_the_next_begins(
    record: DecisionRecord,
) -> None:
    for sequence in range(1, 251):
        record.add(decision(sequence))

    assert read(record.page(0)) == (list(range(1, 101)), 100, 250)
    assert read(record.page(100)) == (list(range(101, 201)), 200, 250)
    assert read(record.page(200)) == (list(range(201, 251)), None, 250)
    assert read(record.page(150)) == (list(range(151, 251)), None, 250)
    assert read(record.page(149)) == (list(range(150, 250)), 249, 250)
    assert read(record.page(250)) == ([], None, 250)
    assert read(record.page(10**15)) == ([], None, 250)
    assert read(record.page(0, limit=1)) == ([1], 1, 250)
    assert read(record.page(248, limit=2)) == ([249, 250], None, 250)


def test_pages_begin_with_the_oldest_that_is_kept(record: DecisionRecord) -> None:
    for sequence in range(1, 5_001):
        record.add(decision(sequence))

    assert read(record.page(0, limit=2)) == ([905, 906], 906, 5_000)
    assert read(record.page(904, limit=1)) == ([905], 905, 5_000)
    assert read(record.page(905, limit=1)) == ([906], 906, 5_000)


def test_a_page_ends_before_it_is_too_large_but_lists_one(record: DecisionRecord) -> None:
    for sequence in range(1, 101):
        record.add(decision(sequence, name="n" * 10_000, substations=8))
    record.add(decision(101, name="n" * 300_000))

    page = record.page(0)
    assert read(page) == ([1, 2, 3], 3, 101)
    assert len(page) < 262_144
    assert read(record.page(99)) == ([100], 100, 101)
    assert read(record.page(100)) == ([101], None, 101)


def test_a_decision_is_written_once_however_often_it_is_read(
    record: DecisionRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.add(decision(1))
    first = record.page(0)
    monkeypatch.delattr("load_balancer.decisions._document")
    assert record.page(0) == first


def test_a_decision_is_at_hand_at_once_and_in_the_log_a_moment_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = DecisionRecord(service_log(log_format="json"))

    for sequence in (1, 2):
        record.add(decision(sequence))
    first, second = orjson.loads(record.page(0))["decisions"]
    assert capsys.readouterr().out == ""
    gevent.sleep(0.05)
    record.add(decision(3))
    gevent.sleep(0.05)

    lines = logged(capsys)
    assert [line["session_id"] for line in lines] == ["session-1", "session-2", "session-3"]
    # The line tells when the choice was made, not when it was written.
    assert [line["time"] for line in lines[:2]] == [first["time"], second["time"]]
    assert lines[0]["candidates"] == first["candidates"]
    assert lines[0]["passed_over"] == {"south": "full (4 of 4)"}


def test_a_prediction_and_what_would_have_come_second_are_reported_where_there_are_any(
    record: DecisionRecord,
) -> None:
    predicted = decision(1)._replace(
        prediction=Prediction(0.0, 12.3456),
        next_best=("south", Prediction(2.0, math.inf)),
        deferred_for="north",
    )
    record.add(predicted)
    record.add(decision(2))
    first, second = orjson.loads(record.page(0))["decisions"]
    assert first["predicted"] == {"start_s": 0.0, "charging_s": 12.346, "finish_s": 12.346}
    # Without power it is never charged, which JSON has no number for.
    assert first["next_best"] == {
        "substation": "south",
        "start_s": 2.0,
        "charging_s": None,
        "finish_s": None,
    }
    assert first["left_in_line_for"] == "north"
    assert [second[name] for name in ("predicted", "next_best", "left_in_line_for")] == [None] * 3


def test_a_vehicle_that_is_deferred_is_reported_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = DecisionRecord(service_log(log_format="json"))
    queued = QueuedSession("session-1", "EV-1", 0.0, 60.0, Demand(10.0, 50.0), request_id="request")
    north = Candidate("http://north", "north", 4, 4, 1.25, 0.25, 0)
    south = ("south", Prediction(0.0, 9.0))
    record.deferred(Deferred(queued, Choice(north, "earliest", True, Prediction(1.0, 4.0), south)))
    (line,) = logged(capsys)
    assert line["event"] == "left in line"
    assert (line["vehicle_id"], line["request_id"]) == ("EV-1", "request")
    assert line["substation"] == "north"
    assert line["predicted"] == {"start_s": 1.0, "charging_s": 4.0, "finish_s": 5.0}
    assert line["next_best"]["substation"] == "south"


def test_the_decisions_about_one_session_are_listed_by_pages_too(record: DecisionRecord) -> None:
    for sequence in range(1, 11):
        session_id = "mine" if sequence % 2 else "another"
        record.add(decision(sequence)._replace(session_id=session_id))

    assert read(record.page(0, session_id="mine")) == ([1, 3, 5, 7, 9], None, 10)
    assert read(record.page(0, 2, session_id="mine")) == ([1, 3], 4, 10)
    assert read(record.page(4, 2, session_id="mine")) == ([5, 7], 8, 10)
    assert read(record.page(8, 2, session_id="mine")) == ([9], None, 10)
    assert read(record.page(0, session_id="nobody's")) == ([], None, 10)
