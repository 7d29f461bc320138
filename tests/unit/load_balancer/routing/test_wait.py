"""What becomes of a session at each step of its wait."""

import pytest

from load_balancer.routing import wait
from load_balancer.routing.wait import Refusal
from tests.unit.load_balancer.routing.grid import Grid


def test_it_waits_until_its_deadline() -> None:
    grid = Grid(1)
    grid.fill("a")
    queued = grid.arrive(wait_s=9)
    deadline = queued.deadline
    grid.pass_time(8.9)
    assert wait.step(grid.pool, queued, grid.now) is None
    assert (queued.dispatch, queued.deadline) == (None, deadline)
    grid.pass_time(0.1)
    assert wait.step(grid.pool, queued, deadline) is Refusal.DEADLINE


def test_at_its_deadline_it_takes_a_point_that_is_free() -> None:
    grid = Grid(1)
    (filler,) = grid.fill("a")
    queued = grid.arrive(wait_s=9)
    queued.not_before = grid.now + 9
    grid.complete(filler)
    grid.pass_time(8.5)
    grid.poll("a")
    assert grid.where(queued) is None
    grid.pass_time(0.5)
    assert wait.step(grid.pool, queued, grid.now) is None
    assert grid.where(queued) == "a"


@pytest.mark.parametrize("extension_s", [None, 60])
def test_what_every_substation_rejected_is_refused_at_once(extension_s: float | None) -> None:
    grid = Grid(1)
    queued = grid.arrive()
    grid.reject(queued)
    assert wait.step(grid.pool, queued, grid.now, extension_s=extension_s) is Refusal.REJECTED


def test_one_that_is_not_to_be_refused_waits_on() -> None:
    grid = Grid(1)
    grid.fill("a")
    queued = grid.arrive(wait_s=9)
    grid.pass_time(10)
    assert wait.step(grid.pool, queued, grid.now, extension_s=60) is None
    assert (queued.dispatch, queued.deadline) == (None, grid.now + 60)
