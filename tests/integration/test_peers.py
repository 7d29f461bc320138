"""Balancers that share substations know what each of them holds there."""

import time
from typing import Any

import pytest
import requests

from local_stack.grid import Grid
from tests.conftest import StartGrid
from tests.support.deadline import eventually
from tests.support.fleet import Fleet

# Gauges are read so rarely that only what balancers tell each other can be known in time.
_RARELY = {"POLL_INTERVAL": "60"}


@pytest.fixture
def grid(start_grid: StartGrid) -> Grid:
    return start_grid((10, 10), balancer_count=3, balancer_env=_RARELY)


def loads(grid: Grid, balancer: int) -> list[Any]:
    view = grid.get("/substations", of=grid.balancers[balancer])
    return [one["load"] for one in view["substations"]]


def know_of_each_other(grid: Grid) -> None:
    for balancer in grid.balancers:
        log = balancer.log_file.read_text()
        assert log.count('"event":"balancer found"') >= 2


def test_what_one_holds_the_others_know_within_a_quarter_of_a_second(grid: Grid) -> None:
    eventually(lambda: know_of_each_other(grid))
    Fleet(grid.balancers[0].url, kwh=30).send(6)  # 6 s each
    eventually(lambda: sum_is(grid, 0, 6))
    began = time.monotonic()
    for number in (1, 2):
        eventually(lambda one=number: sum_is(grid, one, 6), 1)  # type: ignore[misc] # the loop's
    assert time.monotonic() - began < 0.25


def sum_is(grid: Grid, balancer: int, load: int) -> None:
    assert sum(loads(grid, balancer)) == load


def test_vehicles_through_all_of_them_are_spread_as_through_one(grid: Grid) -> None:
    eventually(lambda: know_of_each_other(grid))
    fleets = [Fleet(one.url, kwh=30) for one in grid.balancers]
    for _ in range(6):
        for fleet in fleets:
            fleet.send(1)
            time.sleep(0.12)
    charging = [one["own_load"] for fleet in grid.balancers for one in own_of(grid, fleet)]
    first, second = sum(charging[::2]), sum(charging[1::2])
    assert abs(first - second) <= 2, charging


def own_of(grid: Grid, balancer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = grid.get("/substations", of=balancer)["substations"]
    return found


def test_one_that_is_killed_holds_nothing_any_more(grid: Grid) -> None:
    eventually(lambda: know_of_each_other(grid))
    Fleet(grid.balancers[0].url, kwh=100).send(4)
    eventually(lambda: sum_is(grid, 1, 4))
    grid.balancers[0].kill()
    eventually(lambda: sum_is(grid, 1, 0))
    assert '"event":"balancer lost"' in grid.balancers[1].log_file.read_text()


def test_a_substation_reports_its_load_in_its_response(grid: Grid) -> None:
    answer = requests.post(f"{grid.substations[0].url}/charge", json={"kwh": 1}, timeout=10)
    reported = answer.headers["endpoint-load-metrics"]
    assert reported.startswith("TEXT application_utilization=0,")
    assert "named_metrics.substation_current_load=0," in reported
