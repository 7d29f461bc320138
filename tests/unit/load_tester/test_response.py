"""What an answer means for the vehicle that asked."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from load_tester.response import HttpResponse, apply_response, apply_session, retry_after
from load_tester.vehicle import Charge, Outcome
from tests.unit.load_tester.builders import TAG, charge

NOW = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
CHARGED = {
    "status": "charged",
    "session_id": "s-1",
    "vehicle_id": f"{TAG}000001",
    "kwh": 10.0,
    "substation": "substation2",
    "attempts": 2,
    "waited_s": 0.5,
    "charging_s": 2.1,
}


def answered(status: int, body: Any, **headers: str) -> Charge:
    one = charge(outcome=Outcome.CUT_SHORT)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    apply_response(one, HttpResponse(status, headers, content))
    return one


def test_a_charged_vehicle_takes_over_what_the_grid_says() -> None:
    one = answered(200, CHARGED)
    assert one.outcome is Outcome.CHARGED
    assert (one.session_id, one.substation, one.attempts) == ("s-1", "substation2", 2)
    assert (one.waited_s, one.charging_s, one.reason) == (0.5, 2.1, "")


def test_a_202_is_accepted_and_its_charging_is_not_over() -> None:
    one = answered(202, {**CHARGED, "status": "charging"})
    assert (one.outcome, one.charging_s) == (Outcome.ACCEPTED, None)
    assert not one.outcome.lost


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vehicle_id": "EV-9"}, "the answer is for another vehicle, 'EV-9'"),
        ({"kwh": 9.0}, "charged 9.0 kWh where 10 were asked for"),
        ({"kwh": "10"}, "charged '10' kWh where 10 were asked for"),
        ({"kwh": True}, "charged True kWh where 10 were asked for"),
        ({"kwh": 10**400}, "charged 1000"),
        ({"kwh": float("nan")}, "charged nan kWh where 10 were asked for"),
        ({"vehicle_id": ["x" * 500]}, "the answer is for another vehicle, ['xxx"),
    ],
)
def test_a_success_that_cannot_be_right_is_a_failure(change: dict[str, Any], reason: str) -> None:
    one = answered(200, {**CHARGED, **change})
    assert one.outcome is Outcome.FAILED
    assert one.reason.startswith(reason)
    assert len(one.reason) <= 160


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"3", b"\xff", b"[" * 100_000])
def test_a_success_without_a_json_object_is_a_failure(body: bytes) -> None:
    one = answered(200, body)
    assert one.outcome is Outcome.FAILED
    assert one.reason == "answered with a body that is not a JSON object"


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), True, "2"])
def test_a_time_that_is_not_a_number_is_ignored(value: object) -> None:
    one = answered(200, {**CHARGED, "waited_s": value, "charging_s": value})
    assert (one.outcome, one.waited_s, one.charging_s) == (Outcome.CHARGED, None, None)


def test_an_answer_may_say_less_than_ours_do() -> None:
    one = answered(200, {"status": "charged"})
    assert (one.outcome, one.substation, one.charging_s, one.delay) == (
        Outcome.CHARGED,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (503, Outcome.REFUSED),
        (429, Outcome.REFUSED),
        (400, Outcome.REJECTED),
        (404, Outcome.REJECTED),
        (500, Outcome.FAILED),
        (502, Outcome.FAILED),
        (301, Outcome.FAILED),
    ],
)
def test_every_other_answer_is_a_loss_with_its_reason(status: int, outcome: Outcome) -> None:
    one = answered(status, {"title": "No", "detail": "all points are taken"})
    assert (one.outcome, one.reason, one.status) == (outcome, "all points are taken", status)
    assert one.outcome.lost


def test_a_refusal_without_a_problem_says_so() -> None:
    assert answered(503, b"<h1>Unavailable</h1>").reason == "503 without a problem body"
    assert answered(500, b"oops").reason == "answered 500"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("2.5", 2.5),
        ("-1", None),
        ("1_5", None),
        ("soon", None),
        ("nan", None),
        ("9" * 400, None),
        (None, None),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),  # over already
        ("Sun, 06 Nov 2094 08:00:00 GMT", None),  # nobody's patience
        ("Sun, 99 Nov 1994 08:49:47 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(
    text: str | None, seconds: float | None
) -> None:
    headers = {} if text is None else {"retry-after": text}
    assert retry_after(HttpResponse(503, headers, b""), NOW) == seconds


def test_a_date_to_come_back_at_is_taken_by_the_clock_that_wrote_it() -> None:
    headers = {
        "date": "Sun, 06 Nov 1994 12:00:00 GMT",
        "retry-after": "Sun, 06 Nov 1994 12:00:07 GMT",
    }
    assert retry_after(HttpResponse(503, headers, b""), NOW) == 7.0


LEGS = [
    {"substation": "substation1", "energy_kwh": 4.0, "charging_s": 1.0},
    {"substation": "substation2", "energy_kwh": 6.0, "charging_s": 1.1},
]


def test_energy_is_reported_by_leg_or_of_the_one_substation() -> None:
    assert answered(200, {**CHARGED, "energy_kwh": 10.0}).energies == {"substation2": 10.0}
    moved = answered(200, {**CHARGED, "energy_kwh": 10.0, "legs": LEGS})
    assert moved.energies == {"substation1": 4.0, "substation2": 6.0}
    back = answered(200, {**CHARGED, "legs": [*LEGS[:1], {**LEGS[1], "substation": "substation1"}]})
    assert back.energies == {"substation1": 10.0}
    # An older gateway tells none: all that was asked for, at the one that answered.
    plain = answered(200, CHARGED)
    assert (plain.energies, plain.answered_kwh) == ({}, {"substation2": 10.0})


@pytest.mark.parametrize("legs", [3, [None], [{"substation": 1, "energy_kwh": 2}], [{}]])
def test_legs_that_are_none_are_not_taken(legs: Any) -> None:
    assert answered(200, {**CHARGED, "legs": legs}).energies == {}


def test_energies_that_do_not_add_up_are_a_failure() -> None:
    few = answered(200, {**CHARGED, "energy_kwh": 9.9})
    assert (few.outcome, few.reason) == (
        Outcome.FAILED,
        "charged 9.9 kWh where 10 were asked for",
    )
    torn = answered(200, {**CHARGED, "energy_kwh": 10.0, "legs": LEGS[1:]})
    assert torn.reason == "its legs are 6 kWh where its energy is 10"


def test_a_session_that_was_stopped_is_a_loss_with_what_it_got() -> None:
    body = {**CHARGED, "status": "stopped", "energy_kwh": 4.0, "reason": "grace"}
    one = answered(200, body)
    assert (one.outcome, one.reason) == (Outcome.STOPPED, "grace")
    assert one.outcome.lost
    assert one.answered_kwh == {"substation2": 4.0}


def test_a_refusal_may_report_what_was_delivered_before() -> None:
    assert answered(503, {"energy_kwh": 4.0, "legs": LEGS[:1]}).answered_kwh == {"substation1": 4.0}


def test_an_answer_says_that_it_was_given_before() -> None:
    assert answered(200, CHARGED, **{"idempotency-replayed": "true"}).replayed
    assert not answered(200, CHARGED).replayed


@pytest.mark.parametrize(
    ("document", "outcome", "reason"),
    [
        ({**CHARGED, "state": "charged", "energy_kwh": 10.0}, Outcome.CHARGED, ""),
        ({**CHARGED, "state": "charged", "energy_kwh": 1.0}, Outcome.FAILED, "charged 1 kWh"),
        ({**CHARGED, "state": "stopped", "energy_kwh": 1.0}, Outcome.STOPPED, "no reason"),
        ({"state": "refused", "reason": "no point"}, Outcome.REFUSED, "no point"),
        ({"state": "refused"}, Outcome.REFUSED, "no reason was given"),
    ],
)
def test_a_sessions_state_is_its_end(
    document: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    one = charge(outcome=Outcome.ACCEPTED)
    assert apply_session(one, document)
    assert one.outcome is outcome
    assert one.reason.startswith(reason)


@pytest.mark.parametrize("state", ["waiting", "charging", None, 3, ["charged"]])
def test_a_session_without_a_final_state_continues(state: object) -> None:
    one = charge(outcome=Outcome.ACCEPTED)
    assert not apply_session(one, {"state": state})
    assert one.outcome is Outcome.ACCEPTED
