"""Substations that are removed: nothing is kept of them, and nothing asked."""

import gc
import weakref

import pytest

from load_balancer.routing.outcome import Outcome
from tests.unit.load_balancer.routing.grid import Grid


def test_nothing_is_kept_of_one_of_a_few_substations_that_is_gone() -> None:
    grid = Grid(4, 4)
    gone = weakref.ref(grid.substation("b"))
    grid.know("a")
    grid.decisions.clear()
    gc.collect()
    assert gone() is None


def test_one_that_is_gone_is_not_polled_out_of_turn() -> None:
    grid = Grid(1, 1)
    grid.poll_missed("b", times=4)
    grid.know("a")
    grid.fill("a")
    grid.polls_wanted.clear()
    grid.arrive()
    assert grid.polls_wanted == []
    grid.know("a", "b")
    assert grid.substation("b").needs_poll is False  # it is a new one


@pytest.mark.parametrize("outcome", Outcome)
def test_one_that_is_removed_is_gone_once_its_last_attempt_ends_however_that_is(
    outcome: Outcome,
) -> None:
    grid = Grid(4)
    queued = grid.arrive()
    grid.know()
    assert grid.where(queued) == "a"
    grid.end(queued, outcome, reason="reset")
    assert not grid.pool.substations
