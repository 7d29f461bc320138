"""A field that is not known is answered with the one that was meant."""

import re

import pytest
from flask import Request
from pydantic import BaseModel
from werkzeug.test import create_environ

from charge_request_service.control_room.rush_hour_request import RushHourRequest
from grid_common.api.charge import ChargeRequest, SessionRequest
from grid_common.api.fields import checked, meant, refuse_query, unknown_field
from grid_common.api.problems import MAX_FAULTS, BadRequest

GATEWAY = tuple(ChargeRequest.model_fields)


def refused(document: object, kind: type[ChargeRequest] = ChargeRequest) -> list[dict[str, str]]:
    with pytest.raises(BadRequest) as raised:
        kind.from_document(document, max_kwh=1000)
    return errors(raised.value)


def errors(problem: BadRequest) -> list[dict[str, str]]:
    found = problem.document()["errors"]
    assert isinstance(found, list)
    return found


VEHICLE = """
    ev_id evId EV_ID vehicleId vehicle-id VehicleID vehicle vehicl_id vehicle_ids vehcle_id
    car_id carId car vin id ev license_plate idTag
"""
ENERGY = "kWh KWH kwhs energy energy_kwh energyKwh amount energy-needed requestedEnergy"


@pytest.mark.parametrize("name", VEHICLE.split())
def test_what_others_call_the_vehicle(name: str) -> None:
    assert meant(name, GATEWAY) == "vehicle_id"
    [fault] = refused({name: "EV-1"})
    assert fault["field"] == name
    assert "did you mean vehicle_id?" in fault["detail"]


@pytest.mark.parametrize("name", ENERGY.split())
def test_what_others_call_the_energy(name: str) -> None:
    assert meant(name, GATEWAY) == "kwh"
    [fault] = refused({name: 5})
    assert "did you mean kwh?" in fault["detail"]


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ("max_power maxPowerKw MAX_POWER_KW power_kw pmax EVMaximumPowerLimit", "max_power_kw"),
        ("batteryKwh battery_capacity capacity_kwh battery", "battery_kwh"),
        ("SOC SoC state_of_charge initial_soc soc_arrival", "soc"),
    ],
)
def test_what_others_call_the_battery_and_its_power(names: str, field: str) -> None:
    assert {meant(name, GATEWAY) for name in names.split()} == {field}


def test_a_long_name_may_still_be_a_field_spelled_oddly() -> None:
    assert meant("kwh" + "_" * 61, GATEWAY) == "kwh"
    assert meant("kwh" + "_" * 62, GATEWAY) is None


UNLIKE = ["colour", "", "_", "x" * 65, "session_id", "sessionId", "é", "max_kwh", "batteries"]


@pytest.mark.parametrize("name", UNLIKE)
def test_what_is_near_to_nothing_is_to_be_left_out(name: str) -> None:
    assert meant(name, GATEWAY) is None
    [fault] = refused({name: 5})
    assert "is not known; leave it out (vehicle_id, kwh" in fault["detail"]


def test_what_is_meant_is_a_field_that_is_taken_there() -> None:
    [fault] = refused({"sessionId": "a"}, SessionRequest)
    assert "did you mean session_id?" in fault["detail"]

    with pytest.raises(BadRequest) as raised:
        RushHourRequest.from_document({"vehicles": 1, "duration": 4}, max_kwh=1000)
    [fault] = errors(raised.value)
    assert fault["field"] == "duration"
    assert "did you mean over_s?" in fault["detail"]


@pytest.mark.parametrize(
    ("value", "shown", "example"),
    [
        (7, "7", "7"),
        (17, "17", "17"),
        (1.5, "1.5", "1.5"),
        (-3, "-3", "-3"),
        (True, "true", "EV-31"),
        (-1e300, "-1e+300", "EV-31"),
        (["EV"], "a list", "EV-31"),
        ([17], "a list", "EV-31"),
        ({}, "an object", "EV-31"),
        (10**80, "1" + "0" * 39 + "…", "EV-31"),
    ],
)
def test_an_identifier_that_is_not_a_string_is_reported_with_the_string_that_was_meant(
    value: object, shown: str, example: str
) -> None:
    takes = f'it takes a string, such as "{example}": 1 to 64 characters of A-Z a-z 0-9 . _ : -'
    assert refused({"vehicle_id": value}) == [
        {"field": "vehicle_id", "detail": f"is {shown}; {takes}"}
    ]


def test_a_string_for_an_identifier_is_reported_its_characters_and_one_for_a_number_its_kind() -> (
    None
):
    bad_id, bad_number = refused({"vehicle_id": "EV 1", "kwh": "6"})

    assert bad_id["detail"] == "is 'EV 1'; it takes 1 to 64 characters of A-Z a-z 0-9 . _ : -"
    assert bad_number["detail"] == (
        "is '6'; it takes a number over 0 and at most 1000 (kWh), without quotes"
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [(7, "7"), (17, "17"), ("x", "'x'"), ([], "a list"), ([1], "a list"), (None, "null")],
)
def test_a_body_is_an_object(document: object, said: str) -> None:
    detail = f'is {said}; send a JSON object such as {{"kwh": 6}}'
    assert refused(document) == [{"field": "body", "detail": detail}]


def test_a_field_named_body_is_not_taken_for_the_whole() -> None:
    [fault] = refused({"body": 1})
    assert fault["field"] == "body"
    assert "is not known" in fault["detail"]


@pytest.mark.parametrize("name", ["x" * 60_000, "\u202e" * 100, "a\nb\x1b[31m", "'\"", "kwh\0"])
def test_a_name_is_shown_short_and_printable(name: str) -> None:
    [fault] = refused({name: name})

    assert len(fault["field"]) <= 41
    assert len(fault["detail"]) < 200
    assert (fault["field"] + fault["detail"]).isprintable()


def test_only_the_first_faults_are_listed() -> None:
    assert len(refused({f"field{number}": 0 for number in range(7000)})) == MAX_FAULTS


def in_query(query: str) -> list[dict[str, str]]:
    environ = create_environ("/charge", query_string=query, method="POST", json={"kwh": 6})
    with pytest.raises(BadRequest) as raised:
        ChargeRequest.from_request(Request(environ), max_kwh=1000)
    return errors(raised.value)


@pytest.mark.parametrize(
    ("query", "fields", "advice"),
    [
        ("kwh=6", ["kwh"], "the field kwh"),
        ("ev_id=EV-1&kwh=6", ["ev_id", "kwh"], "the field vehicle_id"),
        ("energy", ["energy"], "the field kwh"),
        ("colour=red", ["colour"], "battery_kwh and soc are taken"),
        ("k%77h=6", ["kwh"], "the field kwh"),
        ("=6", ["query"], "fields (vehicle_id"),
        ("&", ["query", "query"], "fields (vehicle_id"),
        ("%0a%1b=6", [r"\n\x1b"], "fields (vehicle_id"),
        ("%ff=6", [r"\ufffd"], "fields (vehicle_id"),
    ],
)
def test_parameters_in_the_query_are_refused_by_name(
    query: str, fields: list[str], advice: str
) -> None:
    found = in_query(query)

    assert [fault["field"] for fault in found] == fields
    assert advice in found[0]["detail"]
    assert all("send a JSON body" in fault["detail"] for fault in found)


@pytest.mark.parametrize("query", ["x" * 30_000, "&".join("abc") * 5_000, "%0a" * 9_000])
def test_a_long_query_is_not_echoed(query: str) -> None:
    found = in_query(query)

    assert len(found) <= MAX_FAULTS
    assert all(len(fault["field"]) <= 41 for fault in found)
    assert all(not re.search("x{50}", fault["detail"]) for fault in found)


def test_of_an_encoded_name_in_the_query_the_first_64_characters_count() -> None:
    assert "the field kwh" in in_query("%6B%77%68" + "%5F" * 70)[0]["detail"]
    assert "the field kwh" not in in_query("%5F" * 70 + "%6B%77%68")[0]["detail"]


class Amount(BaseModel):
    """A body with one field."""

    kw: float


@pytest.mark.parametrize(
    ("document", "field", "detail"),
    [
        (7, "body", 'is 7; send a JSON object such as {"kw": 1}'),
        ({}, "kw", "is missing; it takes a number (kW)"),
        ({"kw": "x"}, "kw", "is 'x'; it takes a number (kW), without quotes"),
    ],
)
def test_a_body_of_another_kind_is_reported_what_it_takes(
    document: object, field: str, detail: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        checked(Amount, document, takes={"kw": "a number (kW)"}, example='{"kw": 1}')
    assert errors(raised.value) == [{"field": field, "detail": detail}]


def test_where_one_field_is_taken_it_is_named_alone() -> None:
    assert unknown_field("colour", ["kw"]).detail == "is not known; leave it out (kw are taken)"


def test_of_a_long_query_the_first_parameters_are_named() -> None:
    environ = create_environ("/charge", query_string="&".join(f"p{n}=1" for n in range(12)))
    with pytest.raises(BadRequest) as raised:
        refuse_query(Request(environ), ["kwh", "soc"])
    faults = errors(raised.value)
    assert [fault["field"] for fault in faults] == [f"p{n}" for n in range(10)]
    assert faults[0]["detail"] == (
        "is in the query, which takes no parameters; send a JSON body with fields (kwh and soc are "
        "taken) and the header 'Content-Type: application/json'"
    )


def test_a_request_without_a_query_has_none_to_refuse() -> None:
    environ = create_environ("/charge")
    del environ["QUERY_STRING"]
    refuse_query(Request(environ), ["kwh"])
