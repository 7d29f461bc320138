"""What a vehicle may tell of its battery, and what is handed on of it."""

import json
from typing import Any

import pytest

from grid_common.charge import ChargeRequest, SessionRequest
from grid_common.problems import BadRequest


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
        {"kwh": 1e-9, "battery_kwh": 1e6, "soc": 1.0},
        {"kwh": 1, "battery_kwh": None, "soc": None, "max_power_kw": None},
    ],
)
def test_what_fits_is_taken_and_handed_on_as_it_came(document: dict[str, Any]) -> None:
    session = SessionRequest.from_document(document, max_kwh=1000).session()

    handed_on = json.loads(session.body())
    again = SessionRequest.from_document(handed_on, max_kwh=1000).session()
    assert again == session
    told = {name: value for name, value in document.items() if value is not None}
    assert handed_on == {**session.members(), **told}


def test_more_than_fits_is_refused_with_what_would() -> None:
    assert refused(kwh=7, battery_kwh=60, soc=0.9) == (
        "kwh: is 7, more than fits into 60 kWh at a soc of 0.9; it takes 6 at most"
    )
    assert refused(kwh=61, battery_kwh=60).endswith("fits into 60 kWh; it takes 60 at most")
    assert "is 10 (left out), more than fits" in refused(battery_kwh=60, soc=0.9)
    assert refused(kwh=1, battery_kwh=60, soc=1).endswith("it is full")


def test_a_state_of_charge_without_a_battery_says_what_is_missing() -> None:
    assert refused(soc=0.5) == "soc: is of no use without battery_kwh; send both or neither"


def test_each_number_is_told_its_bounds() -> None:
    assert refused(soc=80, battery_kwh=9) == "soc: is 80; it takes a number from 0 to 1, 0.8 at 80%"
    assert refused(max_power_kw="11").endswith("a number from 1 to 10000 (kW), without quotes")
    assert refused(battery_kwh=0).endswith("a number over 0 and at most 1000000 (kWh)")
