"""The body of `POST /charge`: what it may contain, error messages, and what is forwarded."""

import json
import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from grid_common.api.charge import ChargeRequest, SessionRequest
from grid_common.api.json_body import parse_body, read_body, read_document
from grid_common.api.problems import BadRequest, BodyTooLarge, NotJson


def refused(**document: object) -> str:
    with pytest.raises(BadRequest) as raised:
        ChargeRequest.from_document(document, max_kwh=1000)
    return raised.value.detail


@pytest.mark.parametrize(
    "document",
    [
        {"max_power_kw": 1},
        {"max_power_kw": 10_000, "battery_kwh": 10},
        {"kwh": 6, "battery_kwh": 60, "soc": 0.9},  # (1 - 0.9) · 60 is just below 6 in floats
        {"kwh": 60, "battery_kwh": 60, "soc": 0},
        {"kwh": 1 + 1e-9, "battery_kwh": 1},
        {"kwh": 1e-9, "battery_kwh": 1e6, "soc": 1.0},
        {"kwh": 1, "battery_kwh": None, "soc": None, "max_power_kw": None},
    ],
)
def test_what_fits_is_taken_and_handed_on_as_it_came(document: dict[str, Any]) -> None:
    session = SessionRequest.from_document(document, max_kwh=1000).session()

    handed_on = json.loads(session.body())
    again = SessionRequest.from_document(handed_on, max_kwh=1000).session()
    assert again == session
    reported = {name: value for name, value in document.items() if value is not None}
    assert handed_on == {**session.members(), **reported}


def test_more_than_fits_is_refused_with_what_would() -> None:
    assert refused(kwh=7, battery_kwh=60, soc=0.9) == (
        "kwh: is 7, more than fits into 60 kWh at a soc of 0.9; it takes 6 at most"
    )
    assert refused(kwh=61, battery_kwh=60).endswith("fits into 60 kWh; it takes 60 at most")
    assert "is 10 (omitted), more than fits" in refused(battery_kwh=60, soc=0.9)
    assert refused(kwh=1, battery_kwh=60, soc=1).endswith("it is full")
    assert refused(kwh=2, battery_kwh=1).endswith("it takes 1 at most")


def test_a_state_of_charge_without_a_battery_says_what_is_missing() -> None:
    assert refused(soc=0.5) == "soc: has no meaning without battery_kwh; send both or neither"


def test_each_number_is_reported_its_bounds() -> None:
    assert refused(soc=80, battery_kwh=9) == "soc: is 80; it takes a number from 0 to 1, 0.8 at 80%"
    assert refused(max_power_kw="11").endswith("a number from 1 to 10000 (kW), without quotes")
    assert refused(battery_kwh=0).endswith("a number over 0 and at most 1000000 (kWh)")


# Names


@pytest.mark.parametrize("name", ["x", "7", "a.B-c_d:9", "x" * 64])
def test_a_name_has_1_to_64_characters(name: str) -> None:
    assert ChargeRequest.from_document({"vehicle_id": name}, max_kwh=1000).vehicle_id == name
    request = SessionRequest.from_document({"session_id": name}, max_kwh=1000)
    assert request.session().session_id == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "é", "x\n", "a/b"])
def test_another_string_is_not_an_identifier(name: str) -> None:
    takes = "it takes 1 to 64 characters of A-Z a-z 0-9 . _ : -"
    assert refused(vehicle_id=name).endswith(f"; {takes}")
    with pytest.raises(BadRequest, match=r"session_id: is .*; it takes 1 to 64 characters"):
        SessionRequest.from_document({"session_id": name}, max_kwh=1000)


def test_a_session_without_names_has_them_made_up() -> None:
    session = ChargeRequest.from_document({}, max_kwh=1000).start_session()
    again = ChargeRequest.from_document({}, max_kwh=1000).start_session()
    assert re.fullmatch(r"[0-9a-f]{16}", session.session_id)
    assert session.session_id != again.session_id
    assert session.vehicle_id == f"EV-{session.session_id[-8:]}"
    assert session.kwh == 10


def test_a_session_has_the_names_that_it_was_given() -> None:
    charge_request = ChargeRequest.from_document({"vehicle_id": "mine", "kwh": 3}, max_kwh=1000)
    assert charge_request.start_session("trip").members() == {
        "session_id": "trip",
        "vehicle_id": "mine",
        "kwh": 3.0,
    }
    named = SessionRequest.from_document({"session_id": "trip-of-today"}, max_kwh=1000)
    assert named.session().vehicle_id == "EV-of-today"


# Energy


def test_energy_is_bounded_by_the_setting() -> None:
    assert ChargeRequest.from_document({"kwh": 1000}, max_kwh=1000).kwh == 1000
    takes = "it takes a number over 0 and at most 1000 (kWh)"
    assert refused(kwh=1000.1) == f"kwh: is 1000.1; {takes}"
    assert refused(kwh=0) == f"kwh: is 0; {takes}"
    assert refused(kwh="6") == f"kwh: is '6'; {takes}, without quotes"
    assert refused(kwh=float("inf")) == f"kwh: is inf; {takes}"


def test_the_default_too_is_held_to_the_setting() -> None:
    with pytest.raises(BadRequest, match=r"kwh: is 10.0; it takes a number .* at most 5 \(kWh\)"):
        ChargeRequest.from_document({}, max_kwh=5)


def test_each_fault_is_reported_up_to_ten() -> None:
    with pytest.raises(BadRequest) as raised:
        ChargeRequest.from_document({"kwh": -1, "vehicle_id": "", "speed": 3}, max_kwh=1000)
    faults = cast("list[dict[str, str]]", raised.value.members["errors"])
    assert [fault["field"] for fault in faults] == ["vehicle_id", "kwh", "speed"]
    assert "is not known; leave it out (vehicle_id, kwh, max_power_kw" in faults[2]["detail"]

    with pytest.raises(BadRequest) as raised:
        ChargeRequest.from_document({f"field{n}": n for n in range(11)}, max_kwh=1000)
    assert len(cast("list[object]", raised.value.members["errors"])) == 10


# Requests


def request(
    body: bytes = b"", content_type: str | None = None, *, query: str = "", limit: int | None = 256
) -> Request:
    """Build a request as the service's app would hand it on."""
    built = Request(
        EnvironBuilder(
            method="POST", data=body, content_type=content_type, query_string=query
        ).get_environ()
    )
    built.max_content_length = limit
    return built


def test_no_body_asks_for_every_default() -> None:
    charge_request = ChargeRequest.from_request(request(), max_kwh=1000)
    assert charge_request == ChargeRequest()
    assert isinstance(SessionRequest.from_request(request(), max_kwh=1000), SessionRequest)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_body_declared_as_json_is_read(content_type: str) -> None:
    charge_request = ChargeRequest.from_request(request(b'{"kwh": 6}', content_type), max_kwh=1000)
    assert charge_request.kwh == 6
    with pytest.raises(BadRequest, match="at most 5"):
        ChargeRequest.from_request(request(b'{"kwh": 6}', content_type), max_kwh=5)


BODIES = [
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    b"{",
    b'{"kwh": 6} more',
    b'{"kwh": 6, "kwh": 7}',
    b'{"kwh": "6", "kwh": 7}',
    b'{"kwh": 7, "kwh": "6"}',
    b' {"kwh"\n:\t6}\r',
    b'\xef\xbb\xbf{"kwh": 6}',
    b'{"kwh": 6, "vehicle_id": "\xff"}',
    b'{"vehicle_id": "\\ud800"}',
    b'{"vehicle_id": "EV\\u002d1"}',
    b'{"vehicle_id": 31}',
    b'{"vehicle_id": null, "session_id": "s-1"}',
    b'{"session_id": "s 1"}',
    b'{"kwh": true}',
    b'{"kwh": "6"}',
    b'{"kwh": null}',
    b'{"kwh": 6}',
    b'{"kwh": 6.0}',
    b'{"kwh": 6e0}',
    b'{"kwh": 06}',
    b'{"kwh": -0.0}',
    b'{"kwh": 5e-324}',
    b'{"kwh": 1e400}',
    b'{"kwh": NaN}',
    b'{"kwh": Infinity}',
    b'{"kwh": 9007199254740993}',
    b'{"kwh": 18446744073709551616}',
    b'{"kwh": 1%s}' % (b"0" * 400),
    b'{"kwh": 1001}',
    b'{"kwh": [6]}',
    b'{"kwh": %s6%s}' % (b"[" * 230, b"]" * 230),
    b'{"kwh": 6, "soc": 1}',
    b'{"kwh": 6, "battery_kwh": 60, "soc": 0.95}',
    b'{"kwh": 6, "battery_kwh": 60, "soc": 0.5, "max_power_kw": 11}',
    b'{"amount": 6, "Kwh": 6}',
    b'{"__class__": 6}',
    b"{%s}" % b",".join(b'"%d":0' % number for number in range(60)),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_read_in_one_step_is_taken_as_in_two(body: bytes) -> None:
    def outcome(read: Callable[[], ChargeRequest]) -> object:
        try:
            charge_request = read()
        except BadRequest as problem:
            return problem.document()
        return charge_request, repr(charge_request.kwh), charge_request.model_fields_set

    for kind in (ChargeRequest, SessionRequest):
        asked = request(body, "application/json", limit=None)
        in_one = outcome(lambda: kind.from_request(asked, max_kwh=1000))  # noqa: B023 - called now
        in_two = outcome(lambda: kind.from_document(parse_body(body), max_kwh=1000))  # noqa: B023 - likewise
        assert in_one == in_two


def test_a_body_of_another_type_is_reported_the_header_to_send() -> None:
    with pytest.raises(NotJson) as raised:
        ChargeRequest.from_request(request(b'{"kwh": 6}', "text/plain"), max_kwh=1000)
    assert raised.value.detail == (
        "content type 'text/plain': send the body as JSON with the "
        "header 'Content-Type: application/json', or send no body."
    )


def test_query_parameters_are_refused() -> None:
    with pytest.raises(BadRequest, match="the field kwh"):
        ChargeRequest.from_request(request(query="kwh=6"), max_kwh=1000)


def test_a_body_may_be_as_large_as_the_limit_and_no_larger() -> None:
    assert read_body(request(b"x" * 256)) == b"x" * 256
    assert read_body(request(b"x" * 257, limit=None)) == b"x" * 257
    with pytest.raises(BodyTooLarge) as raised:
        read_body(request(b"x" * 257))
    assert raised.value.detail == "The body is over 256 bytes; a charge needs far less."


def test_a_length_that_nobody_reported_is_none() -> None:
    bare = request()
    bare.environ.pop("CONTENT_LENGTH", None)
    bare.max_content_length = 0
    assert read_body(bare) == b""


def test_a_document_has_to_be_declared_as_json() -> None:
    assert read_document(request(b"[1]", "application/json")) == [1]
    with pytest.raises(NotJson) as raised:
        read_document(request(b"[1]"))
    assert raised.value.detail == (
        "Send the body as JSON with the header 'Content-Type: application/json'."
    )


def test_invalid_json_is_answered_with_the_position_of_the_error() -> None:
    with pytest.raises(BadRequest) as raised:
        parse_body(b'{"kwh": 6,}')
    assert re.fullmatch(
        r"body: is not JSON \(.+ at line 1 column 11\); send a JSON object", raised.value.detail
    )
