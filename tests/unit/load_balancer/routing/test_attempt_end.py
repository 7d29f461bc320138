"""What the end of an attempt does to the pool; the pool's own tests say more of each."""

import pytest

from load_balancer.routing.health import Health, Reading
from load_balancer.routing.outcome import Outcome
from tests.unit.load_balancer.routing.grid import Grid


@pytest.mark.parametrize(
    ("outcome", "counted", "goes_to"),
    [
        (Outcome.CHARGED, "charged", None),
        (Outcome.ACCEPTED, "accepted", None),
        (Outcome.STOPPED, "stopped", "b"),
        (Outcome.FULL, "full", "b"),
        (Outcome.DRAINING, "draining", "b"),
        (Outcome.REJECTED, "rejected", "b"),
        (Outcome.FAILED, "failed", "b"),
    ],
)
def test_each_end_is_counted_and_the_session_goes_on_if_it_has_to(
    outcome: Outcome, counted: str, goes_to: str | None
) -> None:
    grid = Grid(8, 4)
    queued = grid.arrive()
    dispatch = grid.dispatch_of(queued)
    assert dispatch.substation.name == "a"
    grid.poll("a", 8)  # so that it does not return there
    grid.pool.end(dispatch, outcome, grid.now, reason="reset", why="it broke")
    assert grid.pool.dispatches == {("a", counted): 1}
    assert grid.where(queued) == goes_to
    substation = grid.substation("a")
    assert substation.estimate.accepts == (outcome is Outcome.ACCEPTED)
    assert substation.health is {
        Outcome.DRAINING: Health.DRAINING,
        Outcome.FAILED: Health.DOWN,
    }.get(outcome, Health.UP)
    if outcome is Outcome.FAILED:
        assert substation.reason == "it broke"
        assert grid.pool.failovers == {"reset": 1}
        assert grid.pool.ejections == {("a", "reset"): 1}


def test_the_point_of_an_accepted_session_is_taken_until_a_later_poll() -> None:
    grid = Grid(1)
    dispatch = grid.dispatch_of(grid.arrive())
    grid.poll_begins("a")
    grid.pass_time(0.1)
    grid.pool.end(dispatch, Outcome.ACCEPTED, grid.now)
    grid.poll_ends("a", 0)
    assert grid.substation("a").load == 1
    grid.pass_time(0.1)
    grid.poll("a", 0)
    assert grid.substation("a").load == 0


def test_a_stopped_session_that_is_to_end_goes_nowhere() -> None:
    grid = Grid(4)
    queued = grid.arrive()
    grid.pool.end(grid.dispatch_of(queued), Outcome.STOPPED, grid.now, goes_on=False)
    assert (grid.where(queued), len(grid.pool.waiting)) == (None, 0)


def test_the_load_report_of_a_charged_session_is_taken_in() -> None:
    grid = Grid(4)
    dispatch = grid.dispatch_of(grid.arrive())
    grid.pool.end(dispatch, Outcome.CHARGED, grid.now, reading=Reading(3, 5))
    assert (grid.substation("a").load, grid.substation("a").capacity) == (3, 5)


def test_a_failure_that_is_a_response_is_counted_as_an_error() -> None:
    grid = Grid(4)
    dispatch = grid.dispatch_of(grid.arrive())
    grid.pool.end(dispatch, Outcome.FAILED, grid.now, why="answered 500")
    assert grid.pool.failovers == {"error": 1}
