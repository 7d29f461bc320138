"""Substations whose names cannot be found, or lead to the same address."""

import json

import requests

from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import substations, wait_for_health

LOST = "no-such-name.invalid"


def test_a_name_that_cannot_be_found_is_a_substation_that_is_down(
    start_service: StartService,
) -> None:
    port = start_service("substation_service", TIME_SCALE=1e9).port
    balancer = start_service(
        "load_balancer",
        SUBSTATIONS=f"north=http://{LOST}:5002,south=http://127.0.0.1:{port}",
        METRICS_PATH="/metrics?of=all",
        RESOLVE_INTERVAL=0.1,
    )

    north = wait_for_health(balancer, "north", "down")

    assert LOST in north["reason"]
    assert "cannot be resolved" in north["reason"]
    assert scrape(balancer.url)['balancer_substation_up{substation="north"}'] == 0
    targets = requests.get(f"{balancer.url}/targets", timeout=5).json()
    assert {one["labels"]["substation"]: one["targets"] for one in targets} == {
        "north": [f"{LOST}:5002"],
        "south": [f"127.0.0.1:{port}"],
    }
    wait_for_health(balancer, "south", "up")
    answer = requests.post(f"{balancer.url}/charge", timeout=10)
    assert answer.json()["substation"] == "south"
    decision = requests.get(f"{balancer.url}/decisions", timeout=5).json()["decisions"][0]
    assert LOST in str(decision["passed_over"])
    lines = [json.loads(line) for line in balancer.log_file.read_text().splitlines()]
    reported = [line for line in lines if line["event"] == "name not found"]
    assert [line["host"] for line in reported] == [LOST]  # once, however often it is looked up


def test_a_second_name_of_an_address_is_down_and_says_whose_it_is(
    start_service: StartService,
) -> None:
    port = start_service("substation_service", TIME_SCALE=1e9).port
    balancer = start_service(
        "load_balancer",
        SUBSTATIONS=f"north=http://127.0.0.1:{port},south=http://localhost:{port}",
        RESOLVE_INTERVAL=0.1,
    )

    south = wait_for_health(balancer, "south", "down")

    assert south["reason"] == (
        f"resolves to http://127.0.0.1:{port}, which is north already: remove one of them"
    )
    wait_for_health(balancer, "north", "up")
    assert len(substations(balancer)) == 2
    assert scrape(balancer.url)['balancer_substation_up{substation="south"}'] == 0
    targets = requests.get(f"{balancer.url}/targets", timeout=5).json()
    assert [one["labels"]["substation"] for one in targets] == ["north"]
    assert requests.post(f"{balancer.url}/charge", timeout=10).json()["substation"] == "north"
