"""How a substation that others built is asked, and what may be said about it."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from grid_common.api.charge import Session
from load_balancer.profile import SubstationProfile

SESSION = Session("s-1", "EV-1", 10.0)


def posted(session: Session = SESSION, **fields: Any) -> tuple[str, Any]:
    call = SubstationProfile(**fields).call(session)
    return call.path, json.loads(call.body)


def test_a_substation_of_the_grid_is_asked_as_the_grid_asks() -> None:
    call = SubstationProfile().call(SESSION)
    assert (call.path, call.body) == ("/charge", SESSION.body())


def test_a_template_gives_other_fields_and_keeps_the_kind_of_each_value() -> None:
    body = {
        "ev_id": "{vehicle_id}",
        "label": "{vehicle_id} wants {kwh} kWh",
        "energy_wh": "{wh}",
        "kwh": "{kwh}",
        "connector": "CCS",
        "priority": 3,
        "nested": {"session": "{session_id}", "list": ["{kwh}", True, {"x": "{vehicle_id}"}]},
        "braces": "{{kwh}}",
    }
    path, document = posted(charge_path="/v1/{vehicle_id}/charge?energy={kwh}", body=body)
    assert path == "/v1/EV-1/charge?energy=10"
    assert document == {
        "ev_id": "EV-1",
        "label": "EV-1 wants 10 kWh",
        "energy_wh": 10000,
        "kwh": 10,
        "connector": "CCS",
        "priority": 3,
        "nested": {"session": "s-1", "list": [10, True, {"x": "EV-1"}]},
        "braces": "{kwh}",
    }


@pytest.mark.parametrize(
    ("kwh", "vehicle_kw", "max_power_kw", "kw", "minutes", "seconds"),
    [
        (10.0, 11.0, None, 11, 55, 3273),  # rounded up: the energy is given
        (22.0, 11.0, None, 11, 120, 7200),
        (0.1, 22.0, None, 22, 1, 17),
        (10.0, 50.0, 11.0, 11, 55, 3273),  # a slower vehicle takes longer
        (10.0, 50.0, 100.0, 50, 12, 720),
        (7.7, 7.7, None, 7.7, 60, 3600),
    ],
)
def test_power_and_time_are_computed_from_the_energy(
    kwh: float, vehicle_kw: float, max_power_kw: float | None, kw: float, minutes: int, seconds: int
) -> None:
    session = Session("s-1", "EV-1", kwh, max_power_kw)
    body = {"kw": "{kw}", "minutes": "{minutes}", "seconds": "{seconds}"}
    _, document = posted(session, vehicle_kw=vehicle_kw, body=body)
    assert document == {"kw": kw, "minutes": minutes, "seconds": seconds}


def test_values_that_a_vehicle_did_not_send_are_omitted() -> None:
    body = {"id": "{vehicle_id}", "soc": "{soc}", "limits": ["{max_power_kw}", "{battery_kwh}"]}
    assert posted(body=body)[1] == {"id": "EV-1", "limits": []}
    reported = Session("s-1", "EV-1", 10.0, 150.0, 77.0, 0.25)
    assert posted(reported, body=body)[1] == {"id": "EV-1", "soc": 0.25, "limits": [150, 77]}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"metrics_port": 99_999}, "metrics_port"),
        ({"metrics_port": "9100"}, "metrics_port"),
        ({"metrics_path": "metrics"}, "metrics_path"),
        ({"metrics_path": "/métrique"}, "metrics_path"),
        ({"metrics_path": "/a b"}, "metrics_path"),
        ({"metrics_path": "/a\r\nHost: b"}, "metrics_path"),
        ({"metrics_path": "/a#b"}, "metrics_path"),
        ({"gauge_name": "a-b"}, "gauge_name"),
        ({"answer": "maybe"}, "answer"),
        ({"load_unit": "kW"}, "needs vehicle_kw"),
        ({"load_unit": "W"}, "load_unit"),
        ({"vehicle_kw": 0}, "vehicle_kw"),
        ({"vehicle_kw": 1e-320}, "vehicle_kw"),
        ({"vehicle_kw": float("nan")}, "vehicle_kw"),
        ({"default_capacity": 2.5}, "whole number"),
        ({"default_capacity": float("inf")}, "default_capacity"),
        ({"time_scale": float("inf")}, "time_scale"),
        ({"body": {"a": "{minutes}"}}, "{minutes} needs vehicle_kw"),
        ({"charge_path": "/{kw}"}, "{kw} needs vehicle_kw"),
        ({"body": {"a": ["{vehicle}"]}}, "{vehicle} is not known; it takes {vehicle_id}"),
        ({"body": {"a": "{vehicle_id.__class__}"}}, "is not known"),
        ({"body": {"a": "{kwh:.1f}"}}, "is not known"),
        ({"body": {"a": "{0}"}}, "is not known"),
        ({"body": {"a": "{vehicle_id"}}, "write a literal brace twice"),
        ({"body": {"a": "soc {soc}"}}, "so it must stand alone"),
        ({"body": {"a": 2**70}}, "cannot be written as JSON"),
        ({"charge_path": "/{soc}"}, "so it must stand alone"),
        ({"charge_path": "/{vehicle}"}, "is not known"),
        ({"gauge": "x"}, "gauge"),
        ({"gauge_name": "a", "capacity_gauge_name": "a"}, "are both a"),
        ({"gauge_name": "substation_capacity"}, "are both substation_capacity"),
    ],
)
def test_what_cannot_work_is_refused_by_name(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as raised:
        SubstationProfile(**fields)
    assert why in str(raised.value)
