"""Of many substations each is polled less often, and its gauge trusted for longer."""

from random import Random

import pytest

from load_balancer.routing.health import HealthCheck
from tests.unit.load_balancer.routing.grid import Grid

BUDGET = HealthCheck(interval_s=0.5, max_pause_s=2, polls_per_s=100)
NAMES = [f"s{number}" for number in range(400)]


def grid_of(substations: int) -> Grid:
    """Create a grid with a budget of 100 polls a second."""
    return Grid(*[4] * substations, names=NAMES, health_check=BUDGET)


@pytest.mark.parametrize(
    ("substations", "interval_s"), [(1, 0.5), (50, 0.5), (51, 0.51), (400, 4.0)]
)
def test_all_together_are_polled_as_often_as_the_budget_allows(
    substations: int, interval_s: float
) -> None:
    pool = grid_of(substations).pool
    random = Random(2)
    pauses = [
        pool.pause_s(substation, random)
        for substation in pool.substations.values()
        for _ in range(200)
    ]
    assert pool.health_check.interval_s == pytest.approx(interval_s)
    assert sum(pauses) / len(pauses) == pytest.approx(interval_s, rel=0.02)
    assert len({round(pause, 6) for pause in pauses}) > 20  # not in step


def test_a_gauge_is_trusted_for_three_intervals_of_those_that_there_are() -> None:
    grid = grid_of(400)
    pool, soon, late = grid.pool, grid.now + 11.9, grid.now + 12.1
    assert pool.health_check.trust_s == 12
    assert all(
        substation.is_available(soon) and not substation.is_available(late)
        for substation in pool.substations.values()
    )
    # There is one, and no session to go by.
    assert pool.retry_after_s(soon) == pool.health_check.trust_s
    assert pool.retry_after_s(late) == 2


@pytest.mark.parametrize("urgent", [False, True])
def test_substations_that_are_down_are_not_probed_more_often_than_that(urgent: bool) -> None:
    substation = grid_of(400).substation("s0")
    for _ in range(3):
        substation.missed("no answer")
    random = Random(2)
    assert all(substation.pause_s(random, urgent=urgent) >= 4 for _ in range(50))


def test_those_that_missed_a_poll_are_not_all_asked_again_at_once() -> None:
    pool = grid_of(400).pool
    random = Random(2)
    for substation in pool.substations.values():
        substation.missed("no answer")
    pauses = [pool.pause_s(substation, random) for substation in pool.substations.values()]
    assert 0 <= min(pauses) < 0.1
    assert 1.9 < max(pauses) <= 2
    few = grid_of(3).pool
    for substation in few.substations.values():
        substation.missed("no answer")
    assert {few.pause_s(substation, random) for substation in few.substations.values()} == {0}


def test_where_most_are_gone_the_others_are_polled_at_once() -> None:
    grid = grid_of(400)
    grid.know("s0", "s1", "s2")
    assert grid.pool.health_check == BUDGET
    assert {*grid.polls_wanted} >= {"s0", "s1", "s2"}
    assert not grid.substation("s0").is_available(grid.now + 1.6)
    grid.polls_wanted.clear()
    grid.know(*NAMES)
    assert not grid.polls_wanted
    assert grid.substation("s399").health_check.interval_s == 4
