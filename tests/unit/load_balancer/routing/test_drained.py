"""Substations that an operator drains: they finish what they have and get nothing new."""

from load_balancer.routing.health import Health
from tests.unit.load_balancer.routing.grid import Grid


def test_a_drained_substation_gets_nothing_new_and_keeps_what_it_has() -> None:
    grid = Grid(4, 4)
    first = [grid.arrive() for _ in range(4)]
    there = [queued for queued in first if grid.where(queued) == "a"]
    assert there

    grid.pool.set_drained("a", True, grid.now)
    later = [grid.arrive() for _ in range(2)]

    substation = grid.substation("a")
    assert (substation.health, substation.reason) == (Health.DRAINING, "drained by an operator")
    assert {grid.where(queued) for queued in later} == {"b"}
    assert all(grid.where(queued) == "a" for queued in there)


def test_a_poll_does_not_end_a_drain_nor_does_a_time_of_silence() -> None:
    grid = Grid(4)
    grid.pool.set_drained("a", True, grid.now)

    grid.poll("a", load=0)
    assert grid.substation("a").health is Health.DRAINING
    grid.substation("a").eject("no answer")
    grid.pool.set_drained("a", True, grid.now)
    assert (grid.substation("a").health, grid.substation("a").reason) == (Health.DOWN, "no answer")
    grid.poll("a", load=0)
    assert grid.substation("a").health is Health.DRAINING


def test_who_waits_is_sent_there_as_soon_as_it_is_drained_no_more() -> None:
    grid = Grid(4)
    grid.pool.set_drained("a", True, grid.now)
    queued = grid.arrive()
    assert grid.where(queued) is None

    grid.pool.set_drained("a", False, grid.now)

    assert grid.where(queued) == "a"
    assert grid.substation("a").reason is None


def test_one_that_drains_by_itself_does_so_after_an_operators_drain_too() -> None:
    grid = Grid(4)
    grid.substation("a").drain()
    grid.pool.set_drained("a", True, grid.now)

    grid.pool.set_drained("a", False, grid.now)

    assert (grid.substation("a").health, grid.substation("a").reason) == (
        Health.DRAINING,
        "the substation says so",
    )


def test_a_container_that_is_replaced_stays_drained() -> None:
    grid = Grid(4)
    grid.pool.set_drained("a", True, grid.now)

    grid.pool.set_substations([("a", "http://10.0.0.9:5002")], grid.now)

    assert [substation.drained for substation in grid.pool.substations.values()] == [True]
    assert grid.pool.set_drained("b", True, grid.now) == []
    assert grid.pool.drained == {"a"}


def test_one_that_is_gone_need_not_come_back_drained() -> None:
    grid = Grid(4)
    grid.pool.set_drained("a", True, grid.now)
    grid.pool.set_substations([], grid.now)

    assert grid.pool.set_drained("a", False, grid.now) == []

    grid.pool.set_substations([("a", "http://10.0.0.9:5002")], grid.now)
    assert [substation.drained for substation in grid.pool.substations.values()] == [False]
