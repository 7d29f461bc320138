"""The pool and sessions that charged before: attached, stopped early, held back."""

from math import inf

from load_balancer.routing.queue import QueuedSession
from tests.unit.load_balancer.routing.grid import TEN_KWH, Grid


def queued(grid: Grid, name: str = "EV") -> QueuedSession:
    return QueuedSession(name, name, arrived=grid.now, deadline=grid.now + 60, demand=TEN_KWH)


def test_one_that_charges_at_a_full_substation_is_attached_there_and_is_no_longer_foreign() -> None:
    grid = Grid(2, 2)
    grid.poll("a", load=2)
    found = queued(grid)

    grid.pool.attach(found, grid.substation("a"), grid.now)

    assert grid.where(found) == "a"
    assert (grid.substation("a").own, grid.substation("a").foreign, grid.substation("a").load) == (
        1,
        1,
        2,
    )
    assert grid.decisions[-1].reason == "charges there already"
    assert found.attempts == 1
    grid.complete(found)
    assert grid.substation("a").load == 1


def test_one_that_is_attached_during_a_poll_is_not_counted_twice_after_it() -> None:
    grid = Grid(2)
    grid.poll("a", load=1)
    found = queued(grid)
    grid.poll_begins("a")
    grid.pool.attach(found, grid.substation("a"), grid.now)
    grid.poll_ends("a", load=1)

    assert (grid.substation("a").own, grid.substation("a").foreign) == (1, 0)


def test_one_that_was_stopped_early_goes_on_at_its_old_place_and_nobody_is_ejected() -> None:
    grid = Grid(1)
    first = grid.arrive("first")
    second = grid.arrive("second")
    assert first.dispatch is not None

    grid.pool.stopped(first.dispatch, grid.now, goes_on=True)

    assert grid.where(first) == "a"
    assert second.dispatch is None
    assert grid.pool.dispatches["a", "stopped"] == 1
    assert grid.pool.failovers["stopped"] == 1
    assert not grid.pool.ejections


def test_one_that_a_substation_stops_again_and_again_pauses() -> None:
    grid = Grid(1)
    stopped = grid.arrive()
    for _ in range(2):
        assert stopped.dispatch is not None
        grid.pool.stopped(stopped.dispatch, grid.now, goes_on=True)

    assert stopped.dispatch is None
    assert stopped.not_before == grid.now + 0.5


def test_one_that_was_stopped_for_good_leaves_its_point_to_the_line() -> None:
    grid = Grid(1)
    first, second = grid.arrive("first"), grid.arrive("second")
    assert first.dispatch is not None

    grid.pool.stopped(first.dispatch, grid.now, goes_on=False)

    assert first.dispatch is None
    assert grid.where(second) == "a"
    assert not grid.pool.failovers


def test_one_that_is_held_back_stays_so_when_its_attempt_fails() -> None:
    grid = Grid(1, 1)
    held = grid.arrive()
    for _ in range(2):
        held.not_before = inf
        if held.dispatch is not None:
            grid.fail(held)

    assert held.dispatch is None
    assert held.not_before == inf


def test_one_that_has_charged_is_not_turned_away_for_the_length_of_the_line() -> None:
    grid = Grid(1, queue_limit=0)
    grid.fill("a")
    begun = queued(grid)

    grid.pool.arrive(begun, grid.now, has_begun=True)

    assert list(grid.pool.waiting) == [begun]
