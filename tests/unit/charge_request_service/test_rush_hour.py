"""A rush hour's pure parts: arrivals, requests, counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charge_request_service.control_room.rush_hour import RushHour, State, arrival_times
from charge_request_service.control_room.rush_hour_request import RushHourRequest
from grid_common.api.problems import BadRequest


@given(vehicles=st.integers(1, 500), over_s=st.floats(0, 600))
def test_every_vehicle_is_due_within_the_time_and_in_order(vehicles: int, over_s: float) -> None:
    times = arrival_times(vehicles, over_s)

    assert len(times) == vehicles
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= over_s


def test_the_middle_of_a_rush_hour_sees_twice_the_mean_rate_and_its_ends_far_less() -> None:
    times = arrival_times(400, 100)  # on the mean 4 a second

    assert 76 <= sum(45 <= at < 55 for at in times) <= 80  # 10 s near the middle
    assert sum(at < 10 for at in times) == sum(at > 90 for at in times) == 8


def test_what_is_left_out_gets_its_default() -> None:
    rush_request = RushHourRequest.from_document({"vehicles": 3}, max_kwh=1000)

    assert (rush_request.vehicles, rush_request.kwh, rush_request.over_s) == (3, 10, 20)


@pytest.mark.parametrize(
    ("document", "field", "says"),
    [
        ({}, "vehicles", "is missing; it takes a whole number from 1 to 500"),
        ({"vehicles": 0}, "vehicles", "is 0; it takes a whole number from 1 to 500"),
        ({"vehicles": 501}, "vehicles", "is 501;"),
        ({"vehicles": 2.5}, "vehicles", "is 2.5;"),
        ({"vehicles": True}, "vehicles", "is true;"),
        ({"vehicles": "ten\n"}, "vehicles", r"is 'ten\n';"),
        ({"vehicles": [1]}, "vehicles", "is a list;"),
        ({"vehicles": 1, "kwh": 0}, "kwh", "is 0; it takes a number over 0 and at most 40 (kWh)"),
        ({"vehicles": 1, "kwh": 41}, "kwh", "is 41; it takes a number over 0 and at most 40 (kWh)"),
        ({"vehicles": 1, "kwh": None}, "kwh", "is null;"),
        ({"vehicles": 1, "over_s": 601}, "over_s", "is 601; it takes a number from 0 to 600"),
        ({"vehicles": 1, "over_s": float("nan")}, "over_s", "is nan;"),
        ({"vehicles": 1, "speed": 2}, "speed", "is not known; leave it out"),
        ([7], "body", "is a list; send a JSON object such as"),
    ],
)
def test_a_fault_is_reported_by_its_field_with_what_it_takes(
    document: object, field: str, says: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        RushHourRequest.from_document(document, max_kwh=40)

    assert raised.value.document()["errors"][0]["field"] == field
    assert says in raised.value.document()["errors"][0]["detail"]


def test_every_faulty_field_is_named_at_once() -> None:
    with pytest.raises(BadRequest) as raised:
        RushHourRequest.from_document({"vehicles": -1, "kwh": -1, "over_s": -1}, max_kwh=40)

    assert [fault["field"] for fault in raised.value.document()["errors"]] == [
        "vehicles",
        "kwh",
        "over_s",
    ]


@given(st.lists(st.sampled_from([200, 202, 400, 499, 500, 503]), max_size=50))
def test_every_vehicle_that_arrived_is_counted_once(answers: list[int]) -> None:
    rush = RushHour(RushHourRequest(vehicles=60), began=5.0, state=State.RUNNING)
    rush.arrived = len(answers) + 2
    for status in answers:
        rush.end_vehicle(status, "because")

    shown = rush.document(now=7.5)

    assert shown["charged"] == sum(status in (200, 202) for status in answers)
    assert shown["hung_up"] == answers.count(499)
    assert shown["lost"] == sum(status in (400, 500, 503) for status in answers)
    assert shown["in_progress"] == 2
    assert shown["why_lost"] == ("because" if shown["lost"] else None)
    assert shown["elapsed_s"] == 2.5


def test_the_clock_of_a_rush_hour_stops_at_its_end() -> None:
    rush = RushHour(RushHourRequest(vehicles=1), began=5.0, state=State.RUNNING)
    rush.end(State.FINISHED, 9.0)

    assert rush.document(now=1000.0)["elapsed_s"] == 4.0
    assert not rush.is_on


def test_before_the_first_there_is_an_idle_one() -> None:
    shown = RushHour().document(now=123.0)

    assert shown["state"] == "idle"
    assert {shown[name] for name in ("vehicles", "arrived", "in_progress", "elapsed_s")} == {0}
