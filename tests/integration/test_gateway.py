"""The gateway over real HTTP, with a real balancer and a real substation behind it."""

import json
import math
import threading
import time
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
import requests

from charge_request_service.openapi import description
from local_stack.grid import Ports
from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartGrid, StartService
from tests.integration.test_substation import BAD_BODIES, JSON
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.loads import wait_for_load
from tests.support.raw_substation import http, raw_substation

COUNTERS = ("charge_requests_total", "balancer_dispatches_total", "substation_sessions_total")


def moved(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return the counters of vehicles that differ."""
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if name.startswith(COUNTERS) and value != before.get(name, 0)
    }


def test_bad_input_gets_a_problem_and_no_counter_of_vehicles_moves(start_grid: StartGrid) -> None:
    grid = start_grid(points=(4,))
    before = [scrape(service.url) for service in grid.services]

    for what, (body, field) in BAD_BODIES.items():
        answer = requests.post(f"{grid.url}/charge", data=body, headers=JSON, timeout=10)
        assert answer.status_code == 400, what
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert field in answer.json()["errors"][0]["field"], what
    named = requests.post(f"{grid.url}/charge", json={"session_id": "mine"}, timeout=10)
    assert named.status_code == 400  # the gateway names sessions
    too_large = requests.post(f"{grid.url}/charge", data=b"[" + b" " * 2_000_000, timeout=10)
    assert too_large.status_code == 413

    after = [scrape(service.url) for service in grid.services]
    assert [moved(*pair) for pair in zip(before, after, strict=True)] == [{}] * 3
    assert requests.post(f"{grid.url}/charge", json={"kwh": 1}, timeout=10).status_code == 200


def test_each_service_names_what_was_meant_and_charges_nobody_for_it(start_grid: StartGrid) -> None:
    grid = start_grid(points=(4,))
    before = [scrape(service.url) for service in grid.services]

    for service in (grid.gateway, grid.balancer, grid.substations[0]):
        query = requests.post(f"{service.url}/charge?ev_id=EV-1&kwh=6", timeout=10)
        assert query.status_code == 400
        assert [one["field"] for one in query.json()["errors"]] == ["ev_id", "kwh"]
        assert "send a JSON body" in query.json()["detail"]
        foreign = requests.post(f"{service.url}/charge", json={"evId": "EV-1"}, timeout=10)
        assert foreign.status_code == 400
        assert "did you mean vehicle_id?" in foreign.json()["errors"][0]["detail"]
        missing = requests.post(f"{service.url}/v1/charges", timeout=10)
        wrong = requests.get(f"{service.url}/charge", timeout=10)
        assert (missing.status_code, wrong.status_code) == (404, 405)
        for answer in (missing, wrong):
            assert "POST /charge" in answer.json()["detail"]
            assert "/openapi.json" in answer.json()["detail"]
    rush = requests.post(f"{grid.url}/rush-hour?vehicles=5", json={"vehicles": 1}, timeout=10)
    assert rush.status_code == 400
    assert rush.json()["errors"][0]["field"] == "vehicles"
    file = requests.get(f"{grid.url}/control-room/none.js", timeout=10)
    assert file.json()["detail"] == "The control room has no file 'none.js'."

    after = [scrape(service.url) for service in grid.services]
    assert [moved(*pair) for pair in zip(before, after, strict=True)] == [{}] * 3


def test_the_gateway_answers_as_its_openapi_description_says(start_grid: StartGrid) -> None:
    grid = start_grid(points=(4,), env={"TIME_SCALE": "36000"})
    document = requests.get(f"{grid.url}/openapi.json", timeout=5).json()
    openapi_spec_validator.validate(document)
    schemas = {"components": document["components"]}

    def check(name: str, instance: object) -> None:
        jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", **schemas}
        ).validate(instance)

    charged = requests.post(f"{grid.url}/charge", json={"vehicle_id": "EV-1"}, timeout=10)
    check("Charged", charged.json())
    check("Grid", requests.get(f"{grid.url}/substations", timeout=5).json())

    def sampled() -> None:
        history = requests.get(f"{grid.url}/history", timeout=5).json()
        check("History", history)
        assert [one["power_limit_kw"][-1] for one in history["substations"]] == [200]

    eventually(sampled, 5)
    decisions = requests.get(f"{grid.url}/decisions?since=0", timeout=5).json()
    check("Decisions", decisions)
    assert decisions["decisions"][0]["session_id"] == charged.json()["session_id"]
    check("Problem", requests.post(f"{grid.url}/charge", json=[1], timeout=5).json())
    check("Problem", requests.get(f"{grid.url}/decisions?since=x", timeout=5).json())
    assert document == description(1000)


def test_what_a_vehicle_reported_reaches_its_substation_and_nothing_else_does(
    start_service: StartService,
) -> None:
    reported = {"kwh": 3, "max_power_kw": 22.5, "battery_kwh": 60, "soc": 0.9}
    with raw_substation(
        http(b'{"energy_kwh": 2.5, "mean_power_kw": "7", "peak_power_kw": -1}')
    ) as substation:
        balancer = start_service("load_balancer", SUBSTATIONS=substation.url)
        gateway = start_service("charge_request_service", BALANCER_URL=balancer.url)
        for charge_request in ({"kwh": 3}, reported, {"kwh": 3, "max_power_kw": 11, "soc": None}):
            answer = requests.post(f"{gateway.url}/charge", json=charge_request, timeout=10)
            assert answer.status_code == 200
            # Of what the substation says of its energy, what can be true.
            assert answer.json()["energy_kwh"] == 2.5
            assert not {"mean_power_kw", "peak_power_kw"} & set(answer.json())

        bodies = [json.loads(body) for body in substation.charges]

    names = ("vehicle_id", "session_id")
    assert all(set(names) < set(body) for body in bodies)
    assert [
        {name: value for name, value in body.items() if name not in names} for body in bodies
    ] == [{"kwh": 3}, reported, {"kwh": 3, "max_power_kw": 11}]


def test_a_charge_reports_its_energy_and_power_through_every_hop(start_grid: StartGrid) -> None:
    grid = start_grid(points=(4,), env={"TIME_SCALE": "36000"})
    charge_request = {"kwh": 6, "max_power_kw": 40, "battery_kwh": 60, "soc": 0.9}

    for service in grid.services:
        answer = requests.post(f"{service.url}/charge", json=charge_request, timeout=10).json()
        assert answer["energy_kwh"] == answer["kwh"] == 6
        # From 55% of 40 kW down to 10%: the mean over time of a line is that of its logarithm.
        assert answer["mean_power_kw"] == pytest.approx(40 * 0.45 / math.log(5.5), rel=1e-3)
        assert 20 < answer["peak_power_kw"] < 22


def test_the_gateway_waits_for_a_balancer_that_restarts(start_service: StartService) -> None:
    substation = start_service("substation_service", TIME_SCALE=3600)
    balancer = start_service("load_balancer", SUBSTATIONS=substation.url)
    gateway = start_service("charge_request_service", BALANCER_URL=balancer.url)
    balancer.stop()
    fleet = Fleet(gateway.url).send(5)
    time.sleep(0.5)
    assert fleet.statuses() == {0: 5}

    balancer.start()

    assert fleet.wait(20).statuses() == {200: 5}, fleet.troubles()


def test_a_balancer_that_stays_away_is_a_503_with_retry_after(start_service: StartService) -> None:
    nowhere = f"http://127.0.0.1:{Ports.free(0).gateway}"
    gateway = start_service("charge_request_service", path="/healthz", BALANCER_URL=nowhere)

    answer = requests.post(f"{gateway.url}/charge", headers={"Prefer": "wait=1"}, timeout=10)

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:ev-grid:problem:balancer-unreachable"
    assert answer.json()["session_id"]
    assert int(answer.headers["Retry-After"]) >= 1
    assert requests.get(f"{gateway.url}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{gateway.url}/substations", timeout=5).status_code == 503
    assert scrape(gateway.url)['charge_requests_total{status="503"}'] == 1
    [line] = answered(gateway)
    assert (line["session_id"], line["status"]) == (answer.json()["session_id"], 503)
    assert line["why"].startswith("The balancer cannot be reached")


def test_a_vehicle_that_disconnects_has_its_line_too(start_grid: StartGrid) -> None:
    grid = start_grid(points=(4,), env={"TIME_SCALE": "60"})
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{grid.url}/charge", json={"vehicle_id": "EV-1"}, timeout=0.5)

    def reported() -> None:
        lines = [(line["vehicle_id"], line["status"]) for line in answered(grid.gateway)]
        assert lines == [("EV-1", 499)]
        assert '"event":"disconnected"' in grid.balancer.log_file.read_text()

    eventually(reported)


def answered(gateway: Process) -> list[dict[str, Any]]:
    """Read what the gateway's log tells of each vehicle."""
    events = [json.loads(line) for line in gateway.log_file.read_text().splitlines()]
    return [event for event in events if event["event"] == "answered"]


def test_a_balancer_that_dies_with_vehicles_in_flight_frees_every_point(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(points=(4, 4), env={"TIME_SCALE": "60"})
    fleet = Fleet(grid.url).send(6)
    wait_for_load(6, *grid.substations)
    grid.balancer.kill()

    assert fleet.wait(10).statuses() == {503: 6}
    assert {session.document["type"] for session in fleet.sessions} == {
        "urn:ev-grid:problem:balancer-lost"
    }
    wait_for_load(0, *grid.substations, within_s=2)


def test_an_invalid_preference_is_named(start_service: StartService) -> None:
    balancer = "http://127.0.0.1:9"
    gateway = start_service("charge_request_service", path="/healthz", BALANCER_URL=balancer)

    for header in ("wait=soon", "wait=-1", "wait=1e3", "wait"):
        answer = requests.post(f"{gateway.url}/charge", headers={"Prefer": header}, timeout=10)

        assert answer.status_code == 400, header
        assert answer.json()["errors"][0]["field"] == "Prefer", header


def test_one_grep_for_the_request_id_finds_the_vehicle_in_every_log(start_grid: StartGrid) -> None:
    grid = start_grid(points=(2,), env={"TIME_SCALE": "36000"})

    requests.post(f"{grid.url}/charge", headers={"X-Request-ID": "trip-42"}, timeout=10)

    for service in grid.services:
        assert '"request_id":"trip-42"' in service.log_file.read_text(), service.name


def test_readers_do_not_wait_for_charging_vehicles(start_grid: StartGrid) -> None:
    grid = start_grid(points=(400,), env={"TIME_SCALE": "120"})
    fleet = Fleet(grid.url).send(300)
    answers: list[int] = []

    def look(service: Process) -> None:
        answers.append(requests.get(f"{service.url}/metrics", timeout=5).status_code)

    lookers = [threading.Thread(target=look, args=(one,)) for one in grid.services * 5]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join(10)

    assert answers == [200] * 15
    assert fleet.wait().statuses() == {200: 300}
