"""The default policy over real HTTP: different substations, predictions, vehicles left waiting."""

import json
from typing import Any

import pytest
import requests

from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import start_balancer, wait_for_health
from tests.support.deadline import eventually
from tests.support.fleet import Fleet

FAST = {"CHARGING_POINTS": 1, "POINT_POWER_KW": 150}
SLOW = {"CHARGING_POINTS": 4, "POINT_POWER_KW": 11}
# A tenth of an hour in a second: 15 kWh take 1 s at the fast point and 13.6 s at a slow one.
CAR: dict[str, Any] = {"kwh": 15, "max_power_kw": 150}


def two_kinds(start_service: StartService, **settings: Any) -> Process:
    slow, fast = (
        start_service("substation_service", TIME_SCALE=360, **one) for one in (SLOW, FAST)
    )
    balancer = start_balancer(start_service, slow.url, fast.url, **settings)
    for name in ("substation1", "substation2"):
        wait_for_health(balancer, name, "up")
    return balancer


def charge(balancer: Process, **charge_request: object) -> dict[str, Any]:
    answer = requests.post(f"{balancer.url}/charge", json=CAR | charge_request, timeout=30)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def log(balancer: Process, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in balancer.log_file.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_vehicle_goes_to_the_fast_point_and_is_charged_as_promised(
    start_service: StartService,
) -> None:
    balancer = two_kinds(start_service)
    document = charge(balancer)
    assert document["substation"] == "substation2"
    assert document["predicted_charging_s"] == pytest.approx(1)
    assert document["charging_s"] == pytest.approx(1, abs=0.2)
    (decision,) = requests.get(f"{balancer.url}/decisions", timeout=5).json()["decisions"]
    assert decision["predicted"] == {"start_s": 0, "charging_s": 1, "finish_s": 1}
    assert decision["next_best"]["substation"] == "substation1"
    assert decision["next_best"]["finish_s"] == pytest.approx(13.636)
    metrics = scrape(balancer.url)
    assert metrics['balancer_prediction_error_ratio_bucket{le="0.5"}'] == 1
    assert metrics['balancer_prediction_error_ratio_bucket{le="-0.01"}'] == 0


def test_a_vehicle_is_deferred_for_the_fast_point_and_reported_so(
    start_service: StartService,
) -> None:
    balancer = two_kinds(start_service)
    fleet = Fleet(balancer.url, **CAR | {"kwh": 30}).send(2)

    def one_is_left() -> None:
        document = requests.get(f"{balancer.url}/substations", timeout=5).json()
        assert len(document["left_in_line"]) == 1
        (left,) = document["left_in_line"]
        assert left["substation"] == "substation2"
        assert 0 < left["predicted_start_s"] < left["predicted_finish_s"] < 5

    eventually(one_is_left, within_s=2)
    assert scrape(balancer.url)["balancer_left_in_line_sessions"] == 1
    fleet.wait()
    assert fleet.by_substation() == {"substation2": 2}
    (line,) = log(balancer, "left in line")
    assert (line["substation"], line["next_best"]["substation"]) == ("substation2", "substation1")
    first, second = log(balancer, "dispatched")
    assert (first["left_in_line_for"], second["left_in_line_for"]) == (None, "substation2")
    assert second["session_id"] == line["session_id"]


def test_a_vehicle_that_may_not_wait_long_takes_a_slow_point_and_is_not_refused(
    start_service: StartService,
) -> None:
    balancer = two_kinds(start_service, MAX_WAIT=1.5)
    Fleet(balancer.url, **CAR | {"kwh": 1000}).send(1)  # keeps the fast point for a minute

    def is_taken() -> None:
        assert scrape(balancer.url)['balancer_substation_load{substation="substation2"}'] == 1

    eventually(is_taken, within_s=2)
    document = charge(balancer, kwh=1)
    assert (document["substation"], document["attempts"]) == ("substation1", 1)
    assert document["waited_s"] < 1.5


def test_least_loaded_is_still_to_be_had(start_service: StartService) -> None:
    balancer = two_kinds(start_service, ROUTING_POLICY="least-loaded")
    document = charge(balancer, kwh=1)
    assert document["substation"] == "substation1"
    assert "predicted_charging_s" not in document
