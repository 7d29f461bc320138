"""Of many substations each is polled less often, and its gauge trusted for longer."""

from random import Random

import pytest

from load_balancer.routing.health import HealthCheck, Reading
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.pool import Pool
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Substation

BUDGET = HealthCheck(interval_s=0.5, max_pause_s=2, polls_per_s=100)


def pool_of(substations: int) -> tuple[Pool, list[Substation]]:
    """A pool with a budget of 100 polls a second.

    And the substations of which a poll was wanted.
    """
    wanted: list[Substation] = []
    pool = Pool(
        POLICIES["least-loaded"],
        random=Random(1),
        health_check=BUDGET,
        budget=RetryBudget(share=0.2, floor_per_s=50, burst=500),
        on_poll_wanted=wanted.append,
    )
    know(pool, substations)
    for substation in pool.substations.values():
        pool.poll_began(substation, 0.0)
        pool.poll_read(substation, Reading(0, 4), 0.0)
    return pool, wanted


def know(pool: Pool, substations: int) -> None:
    pool.set_substations(
        [(f"s{number}", f"http://s{number}") for number in range(substations)], 0.0
    )


@pytest.mark.parametrize(
    ("substations", "interval_s"), [(1, 0.5), (50, 0.5), (51, 0.51), (400, 4.0)]
)
def test_all_together_are_polled_as_often_as_the_budget_allows(
    substations: int, interval_s: float
) -> None:
    pool, _ = pool_of(substations)
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
    pool, _ = pool_of(400)
    substations = list(pool.substations.values())
    assert pool.health_check.trust_s == 12
    assert all(
        substation.is_available(11.9) and not substation.is_available(12.1)
        for substation in substations
    )
    assert (
        pool.retry_after_s(11.9) == pool.health_check.trust_s
    )  # there is one, and no session to go by
    assert pool.retry_after_s(12.1) == 2


@pytest.mark.parametrize("urgent", [False, True])
def test_substations_that_are_down_are_not_probed_more_often_than_that(urgent: bool) -> None:
    pool, _ = pool_of(400)
    substation = next(iter(pool.substations.values()))
    for _ in range(3):
        substation.missed("no answer")
    random = Random(2)
    assert all(substation.pause_s(random, urgent=urgent) >= 4 for _ in range(50))


def test_those_that_missed_a_poll_are_not_all_asked_again_at_once() -> None:
    pool, _ = pool_of(400)
    random = Random(2)
    for substation in pool.substations.values():
        substation.missed("no answer")
    pauses = [pool.pause_s(substation, random) for substation in pool.substations.values()]
    assert 0 <= min(pauses) < 0.1
    assert 1.9 < max(pauses) <= 2
    few, _ = pool_of(3)
    for substation in few.substations.values():
        substation.missed("no answer")
    assert {few.pause_s(substation, random) for substation in few.substations.values()} == {0}


def test_where_most_are_gone_the_others_are_polled_at_once() -> None:
    pool, wanted = pool_of(400)
    know(pool, 3)
    assert pool.health_check == BUDGET
    assert {substation.name for substation in wanted} >= {"s0", "s1", "s2"}
    assert not pool.substations["http://s0"].is_available(1.6)
    wanted.clear()
    know(pool, 400)
    assert not wanted
    assert pool.substations["http://s399"].health_check.interval_s == 4
