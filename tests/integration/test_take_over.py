"""Durable sessions whose balancer is frozen, killed or cut off: another one alone leads them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from local_stack.grid import Grid
from local_stack.scrape import scrape
from tests.conftest import StartGrid
from tests.support.loads import load_of, wait_for_load

# 50 kW at 360 times real time: 5 kWh a second.
_KWH = 30.0


class Callers:
    """Vehicles with keys, all at once; each waits for its answer."""

    def __init__(self, url: str, count: int, kwh: float = _KWH) -> None:
        self._pool = ThreadPoolExecutor(count)
        self._jobs = [self._pool.submit(self._charge, url, f"k{n}", kwh) for n in range(count)]

    @staticmethod
    def _charge(url: str, key: str, kwh: float) -> requests.Response:
        headers = {"Idempotency-Key": key}
        return requests.post(f"{url}/charge", json={"kwh": kwh}, headers=headers, timeout=60)

    def answers(self) -> list[requests.Response]:
        """Wait for all of them."""
        return [job.result() for job in self._jobs]


def metered_kwh(grid: Grid) -> float:
    return sum(scrape(one.url)["substation_meter_kwh"] for one in grid.substations)


def check(grid: Grid, answers: Sequence[requests.Response], kwh: float = _KWH) -> None:
    """Hold the answers to what was asked for, and the substations' meters to the answers."""
    reported = [answer.json() for answer in answers]
    assert [one.get("status") for one in reported] == ["charged"] * len(reported), reported
    assert [one["energy_kwh"] for one in reported] == pytest.approx([kwh] * len(reported))
    time.sleep(2)  # whoever would charge one twice begins now
    assert load_of(*grid.substations) == 0
    assert metered_kwh(grid) == pytest.approx(kwh * len(reported))


@pytest.fixture
def grid(start_grid: StartGrid) -> Grid:
    return start_grid((6, 6), balancer_count=2)


def test_sessions_of_a_frozen_balancer_continue_through_another_and_stay_there(grid: Grid) -> None:
    callers = Callers(grid.url, 8, 60)
    wait_for_load(8, *grid.substations)
    grid.balancers[0].freeze()
    time.sleep(7)  # noticed after 4 s at most
    assert load_of(*grid.substations) == 8  # the lease ended at 2.8 s; they charge on
    grid.balancers[0].thaw()

    check(grid, callers.answers(), 60)
    assert '"sessions moved on"' in grid.gateway.log_file.read_text()


def test_sessions_that_wait_at_a_frozen_balancer_are_dispatched_once(start_grid: StartGrid) -> None:
    grid = start_grid((2, 2), balancer_count=2)
    callers = Callers(grid.url, 12)
    wait_for_load(4, *grid.substations)
    grid.balancers[0].freeze()
    time.sleep(6)
    grid.balancers[0].thaw()

    check(grid, callers.answers())


def test_sessions_of_a_killed_balancer_continue_through_another(start_grid: StartGrid) -> None:
    grid = start_grid((4, 4), balancer_count=2)
    callers = Callers(grid.url, 12)
    wait_for_load(8, *grid.substations)
    grid.balancers[0].kill()
    time.sleep(1.5)
    grid.balancers[0].start()

    check(grid, callers.answers())


def test_a_balancer_that_thaws_before_it_is_given_up_leads_its_sessions_on(grid: Grid) -> None:
    callers = Callers(grid.url, 8)
    wait_for_load(8, *grid.substations)
    grid.balancers[0].freeze()
    time.sleep(1.5)
    grid.balancers[0].thaw()

    check(grid, callers.answers())
    assert '"sessions moved on"' not in grid.gateway.log_file.read_text()
