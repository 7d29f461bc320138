"""A rush hour through the whole grid, asked for over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid
from tests.support.deadline import eventually
from tests.support.decisions import all_decisions
from tests.support.loads import wait_for_load


@pytest.fixture(scope="module")
def whole_grid(start_shared_grid: StartGrid) -> Grid:
    return start_shared_grid(gateway_env={"MAX_WAIT": "2"})


def ask(grid: Grid, **rush_request: object) -> requests.Response:
    return requests.post(f"{grid.url}/rush-hour", json=rush_request, timeout=10)


def reaches(grid: Grid, is_there: Callable[[dict[str, Any]], bool], within_s: float = 15) -> Any:
    """Wait until the rush hour's progress is as wanted, and return it."""

    def check() -> dict[str, Any]:
        progress: dict[str, Any] = grid.get("/rush-hour")
        assert is_there(progress), progress
        return progress

    return eventually(check, within_s)


def at_the_substations(grid: Grid, sample: str) -> float:
    return sum(scrape(substation.url)[sample] for substation in grid.substations)


def answered(grid: Grid, status: int) -> float:
    return scrape(grid.url).get(f'charge_requests_total{{status="{status}"}}', 0)


def test_all_of_its_vehicles_are_charged_and_counted_like_any_other(grid: Grid) -> None:
    before = answered(grid, 200)

    answer = ask(grid, vehicles=80, kwh=1, over_s=1.5)  # 0.2 s at a point for each

    assert answer.status_code == 202
    assert answer.json()["state"] == "running"
    end = reaches(grid, lambda progress: progress["state"] == "finished")
    assert (end["arrived"], end["charged"], end["lost"], end["hung_up"]) == (80, 80, 0, 0)
    assert end["elapsed_s"] >= 1.4
    assert answered(grid, 200) - before == 80
    assert len({one["vehicle_id"] for one in all_decisions(grid.url)}) == 80
    request_id = answer.headers["X-Request-ID"]
    for service in grid.services:  # one grep finds the whole rush hour
        assert request_id in service.log_file.read_text(), service.name


def test_there_is_one_at_a_time_and_stopping_it_disconnects_on_its_vehicles(grid: Grid) -> None:
    before = answered(grid, 499)
    ask(grid, vehicles=40, kwh=500, over_s=0)
    reaches(grid, lambda progress: progress["arrived"] == 40)
    wait_for_load(24, *grid.substations)

    second = ask(grid, vehicles=1)
    assert second.status_code == 409
    assert second.json()["type"] == "urn:ev-grid:problem:rush-hour-running"

    stopped = requests.delete(f"{grid.url}/rush-hour", timeout=10).json()
    assert (stopped["state"], stopped["hung_up"], stopped["in_progress"]) == ("stopped", 40, 0)
    wait_for_load(0, *grid.substations, within_s=2)
    assert answered(grid, 499) - before == 40
    assert grid.get("/substations")["waiting"] == 0
    assert ask(grid, vehicles=1, kwh=0.01, over_s=0).status_code == 202  # the next may begin
    reaches(grid, lambda progress: progress["state"] == "finished")


def test_vehicles_that_no_substation_can_take_in_time_are_lost_with_the_reason(grid: Grid) -> None:
    ask(grid, vehicles=27, kwh=500, over_s=0)  # 24 points, and MAX_WAIT is 2 s

    end = reaches(grid, lambda progress: progress["lost"] == 3)
    assert (end["charged"], end["in_progress"]) == (0, 24)
    assert "No charging point became free" in end["why_lost"]
    requests.delete(f"{grid.url}/rush-hour", timeout=10)
    wait_for_load(0, *grid.substations, within_s=2)


def test_sigterm_ends_it_but_finishes_the_vehicles_that_are_here(grid: Grid) -> None:
    charged, aborted = (
        f'substation_sessions_total{{outcome="{outcome}"}}' for outcome in ("charged", "aborted")
    )
    before = at_the_substations(grid, charged), at_the_substations(grid, aborted)
    ask(grid, vehicles=400, kwh=10, over_s=30)  # 2 s at a point for each
    here = reaches(grid, lambda progress: progress["arrived"] >= 6)["arrived"]

    status = grid.gateway.stop(timeout_s=20)
    counts = (
        at_the_substations(grid, charged) - before[0],
        at_the_substations(grid, aborted) - before[1],
    )

    assert status == 0
    assert counts[1] == 0
    assert here <= counts[0] < 60  # far from all: those that were still to come did not


def test_its_sessions_stand_in_the_ledger_in_the_order_in_which_they_came(grid: Grid) -> None:
    ask(grid, vehicles=20, kwh=0.01, over_s=1)
    reaches(grid, lambda reported: reported["state"] == "finished")

    found = [one["began"] for one in grid.get("/sessions?limit=20")["sessions"]]

    assert len(found) == 20
    assert found == sorted(found, reverse=True)
