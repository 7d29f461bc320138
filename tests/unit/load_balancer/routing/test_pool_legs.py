"""The pool and sessions that charged before: attached, stopped early, held back."""

from math import inf

import pytest

from load_balancer.routing.policy import Candidate
from load_balancer.routing.substation import Dispatch
from tests.unit.load_balancer.routing.grid import Grid


def test_one_that_charges_at_a_full_substation_is_attached_there_and_is_no_longer_foreign() -> None:
    grid = Grid(2, 2)
    grid.poll("a", load=2)

    found = grid.attach("a")

    assert grid.where(found) == "a"
    assert grid.own_and_foreign("a") == (1, 1)
    assert grid.substation("a").load == 2
    assert grid.decisions[-1].reason == "charges there already"
    assert found.attempts == 1
    assert list(grid.substation("a").in_flight) == [found.dispatch]
    grid.complete(found)
    assert grid.substation("a").load == 1


def test_one_that_is_attached_during_a_poll_is_not_counted_twice_after_it() -> None:
    grid = Grid(2)
    grid.poll("a", load=1)
    grid.poll_begins("a")
    grid.attach("a")
    grid.poll_ends("a", load=1)

    assert grid.own_and_foreign("a") == (1, 0)


def test_the_decision_of_one_that_is_attached_shows_its_substation_as_it_stands() -> None:
    grid = Grid(4, 4)
    grid.complete(grid.arrive())
    grid.poll("a", load=2)
    grid.pass_time(0.25)
    told: list[Dispatch] = []
    found = grid.session()
    found.on_dispatch = told.append

    grid.attach("a", found)

    address = grid.substation("a").address
    decision = grid.decisions[-1]
    assert decision.candidates == (Candidate(address, "a", 2, 4, 0.5, 0.25, last_chosen=1),)
    assert decision.ineligible == ()
    assert told == [found.dispatch]


def test_one_can_be_attached_at_a_substation_that_was_not_polled_yet() -> None:
    grid = Grid()
    grid.know("a")

    grid.attach("a")

    [candidate] = grid.decisions[-1].candidates
    assert (candidate.load, candidate.capacity, candidate.score) == (0, 1, 0)


def test_one_that_was_attached_waits_in_the_order_of_arrival_once_it_is_stopped() -> None:
    grid = Grid(1)
    grid.poll("a", load=2)
    before = [grid.arrive(f"EV-{number}") for number in range(3)]
    found = grid.attach("a")
    after = grid.arrive("late")
    grid.stop(found, goes_on=True)

    assert list(grid.pool.waiting) == [*before, found, after]


def test_all_that_are_attached_are_no_longer_foreign() -> None:
    grid = Grid(4)
    grid.poll("a", load=3)
    for _ in range(2):
        grid.attach("a")

    assert grid.own_and_foreign("a") == (2, 1)


@pytest.mark.parametrize(("attached", "foreign"), [(1, 2), (2, 1), (3, 0)])
def test_those_that_are_attached_during_a_poll_are_among_those_that_it_shows(
    attached: int, foreign: int
) -> None:
    grid = Grid(4)
    grid.poll_begins("a")
    for _ in range(attached):
        grid.attach("a")
    grid.poll_ends("a", load=3)

    assert grid.own_and_foreign("a") == (attached, foreign)


def test_each_one_that_was_stopped_early_is_counted() -> None:
    grid = Grid(2)
    for vehicle in (grid.arrive("first"), grid.arrive("second")):
        grid.stop(vehicle, goes_on=True)

    assert grid.pool.failovers["stopped"] == 2


def test_what_one_that_was_stopped_early_had_still_to_get_is_no_longer_drawn() -> None:
    grid = Grid(2)
    grid.poll("a", point_power_kw=50.0, committed_power_kw=0.0, remaining_energy_kwh=0.0)
    stopped = grid.arrive()
    grid.pass_time(1.0)
    grid.stop(stopped, goes_on=False)

    supply = grid.supply("a")
    assert (supply.sessions, supply.committed_kw) == (0, 0)


def test_one_that_was_stopped_early_goes_on_at_its_old_place_and_nobody_is_ejected() -> None:
    grid = Grid(1)
    first = grid.arrive("first")
    second = grid.arrive("second")
    grid.stop(first, goes_on=True)

    assert grid.where(first) == "a"
    assert second.dispatch is None
    assert grid.pool.dispatches["a", "stopped"] == 1
    assert grid.pool.failovers["stopped"] == 1
    assert not grid.pool.ejections


def test_one_that_a_substation_stops_again_and_again_pauses() -> None:
    grid = Grid(1)
    stopped = grid.arrive()
    for _ in range(2):
        grid.stop(stopped, goes_on=True)

    assert stopped.dispatch is None
    assert stopped.not_before == grid.now + 0.5


def test_one_that_was_stopped_for_good_leaves_its_point_to_the_line() -> None:
    grid = Grid(1)
    first, second = grid.arrive("first"), grid.arrive("second")
    grid.stop(first, goes_on=False)

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
    begun = grid.session()

    grid.pool.arrive(begun, grid.now, has_begun=True)

    assert list(grid.pool.waiting) == [begun]
