"""A balancer that is frozen: its connections stand, and nothing comes back."""

import time

import pytest
import requests

from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid, StartService
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.loads import wait_for_load
from tests.support.raw_substation import CHARGED, Bytes, http, raw_substation

_FAST = {"CHECK_INTERVAL": "0.2", "CHECK_UNHEALTHY_THRESHOLD": "2"}


def with_a_frozen_balancer(
    start_grid: StartGrid, *, vehicles: int, **gateway: str
) -> tuple[Grid, Fleet]:
    """Start a grid, let vehicles charge (2 s each), and freeze the balancer."""
    grid = start_grid(points=(8,), gateway_env={**_FAST, **gateway})
    fleet = Fleet(grid.url).send(vehicles)
    wait_for_load(vehicles, *grid.substations)
    grid.balancer.freeze()
    return grid, fleet


def is_known_to_be_silent(grid: Grid) -> None:
    assert '"balancer silent"' in grid.gateway.log_file.read_text()


def test_a_new_vehicle_is_not_given_to_a_silent_balancer(start_grid: StartGrid) -> None:
    grid, fleet = with_a_frozen_balancer(start_grid, vehicles=2)
    eventually(lambda: is_known_to_be_silent(grid))

    began = time.monotonic()
    answer = requests.post(f"{grid.url}/charge", headers={"Prefer": "wait=1"}, timeout=10)

    assert time.monotonic() - began < 2
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:ev-grid:problem:balancer-unreachable"
    assert int(answer.headers["Retry-After"]) >= 1
    late = Fleet(grid.url).send(3)
    time.sleep(2)  # those in flight are done at their substation by now
    assert fleet.statuses() == {0: 2}
    grid.balancer.thaw()
    assert fleet.wait(10).statuses() == {200: 2}, fleet.troubles()
    assert late.wait(10).statuses() == {200: 3}, late.troubles()
    assert scrape(grid.substations[0].url)['substation_sessions_total{outcome="charged"}'] == 5


def test_a_balancer_that_knows_no_health_check_is_not_silent(start_service: StartService) -> None:
    unknown, charges = http(b"", status=b"404 Not Found"), Bytes(b"", later=http(CHARGED).first)
    with raw_substation(charges, health=[unknown]) as balancer:
        gateway = start_service(
            "charge_request_service",
            path="/healthz",
            BALANCER_URL=balancer.url,
            CHECK_INTERVAL=0.05,
            CHECK_UNHEALTHY_THRESHOLD=1,
            BALANCER_PATIENCE=0.01,
        )
        answer = requests.post(f"{gateway.url}/charge", timeout=10)

        assert answer.status_code == 200
        assert balancer.asked.count("/healthz") >= 1


def test_vehicles_in_the_hands_of_a_silent_balancer_are_broken_off_after_the_patience(
    start_grid: StartGrid,
) -> None:
    grid, fleet = with_a_frozen_balancer(start_grid, vehicles=3, BALANCER_PATIENCE="1")

    assert fleet.wait(5).statuses() == {503: 3}
    for session in fleet.sessions:
        assert session.document["type"] == "urn:ev-grid:problem:balancer-lost"
        assert 0.5 < session.answered - session.sent < 3
    grid.balancer.thaw()
    wait_for_load(0, *grid.substations, within_s=1)
    assert scrape(grid.substations[0].url)['substation_sessions_total{outcome="aborted"}'] == 3
    assert Fleet(grid.url).send(1).wait().statuses() == {200: 1}


def test_a_balancer_that_woke_when_nobody_was_there_is_used_at_once(start_grid: StartGrid) -> None:
    grid, fleet = with_a_frozen_balancer(start_grid, vehicles=1, BALANCER_PATIENCE="1")
    assert fleet.wait(5).statuses() == {503: 1}
    grid.balancer.thaw()

    eventually(lambda: answers_again(grid))
    # It slept for as long as it trusts a gauge, and has to read the substation's anew.
    grid.balancer.wait_until(lambda: grid.balancer.answers("/readyz"), timeout_s=5)

    answer = requests.post(f"{grid.url}/charge", headers={"Prefer": "wait=0"}, timeout=10)
    assert answer.status_code == 200, answer.text


def answers_again(grid: Grid) -> None:
    assert '"balancer answers again"' in grid.gateway.log_file.read_text()


def test_a_balancer_that_is_only_busy_with_long_charges_is_not_silent(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(points=(8,), gateway_env={**_FAST, "BALANCER_PATIENCE": "0.4"})

    fleet = Fleet(grid.url, kwh=15).send(4).wait()  # 3 s each

    assert fleet.statuses() == {200: 4}, fleet.troubles()
    with pytest.raises(AssertionError):
        is_known_to_be_silent(grid)
