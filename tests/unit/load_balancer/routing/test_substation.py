"""One substation's estimate and health. A `Grid` of one substation stands for it."""

from math import inf
from random import Random

import pytest

from load_balancer.routing.health import Health, HealthCheck
from load_balancer.routing.substation import Substation
from tests.unit.load_balancer.routing.grid import Grid

# The estimate


def test_a_lone_balancer_that_owns_all_traffic_is_exact_between_polls() -> None:
    grid = Grid(8)
    queued_sessions = [grid.arrive() for _ in range(5)]
    grid.complete(queued_sessions[0])
    substation = grid.substation("a")
    assert (substation.own, substation.foreign, substation.load) == (4, 0, 4)
    grid.poll("a", load=4)
    assert (substation.own, substation.foreign, substation.load) == (4, 0, 4)


def test_what_the_gauge_shows_beyond_its_own_vehicles_is_foreign() -> None:
    grid = Grid(8)
    grid.arrive()
    grid.poll("a", load=4)
    grid.arrive()
    substation = grid.substation("a")
    assert (substation.own, substation.foreign, substation.load) == (2, 3, 5)


def test_foreign_load_stays_counted_as_own_vehicles_end() -> None:
    grid = Grid(8)
    queued = grid.arrive()
    grid.poll("a", load=4)
    grid.complete(queued)
    assert grid.substation("a").load == 3


def test_vehicles_that_come_and_go_during_a_poll_are_not_taken_for_foreign_ones() -> None:
    grid = Grid(8)
    staying = grid.arrive()
    grid.poll_begins("a")
    grid.arrive()
    # The page was written here, with two vehicles; one of them ends before the answer is in.
    grid.complete(staying)
    grid.poll_ends("a", load=2)
    assert grid.substation("a").foreign == 0


def test_other_balancers_are_taken_to_have_done_what_this_one_did() -> None:
    grid = Grid(100, balancers=3)
    for _ in range(4):
        grid.arrive()
    grid.poll("a", load=10)
    for _ in range(2):
        grid.arrive()
    # 4 own and 6 foreign at the poll; 2 own since, so 2 x 2 by the other two.
    assert grid.substation("a").load == 4 + 6 + 2 + 4


def test_other_balancers_are_taken_to_have_ended_what_this_one_ended() -> None:
    grid = Grid(100, balancers=3)
    queued_sessions = [grid.arrive() for _ in range(4)]
    grid.poll("a", load=7)
    for queued in queued_sessions:
        grid.complete(queued)
    # 3 foreign at the poll, less 2 x 4: never below nothing.
    assert grid.substation("a").load == 0


def test_a_guess_at_the_other_balancers_never_makes_a_substation_full() -> None:
    grid = Grid(8, balancers=3)
    queued_sessions = [grid.arrive() for _ in range(8)]
    # By the estimate it was full after three; but the points were there, and nobody came.
    assert [grid.where(queued) for queued in queued_sessions] == ["a"] * 8
    assert grid.ineligible_reason("a") == "full (8 of 8)"


def test_one_own_vehicle_that_ends_at_a_full_substation_frees_one_point() -> None:
    grid = Grid(4, balancers=3)
    mine = grid.arrive()
    grid.poll("a", load=4)
    waiting = [grid.arrive() for _ in range(3)]
    grid.complete(mine)
    assert [grid.where(queued) for queued in waiting] == ["a", None, None]


def test_a_substation_that_answers_full_counts_as_full_until_an_own_vehicle_ends_there() -> None:
    grid = Grid(4)
    mine = grid.arrive()
    unlucky = grid.arrive()
    grid.find_full(unlucky)
    assert grid.substation("a").load == 4
    assert grid.where(unlucky) is None
    grid.complete(mine)
    assert grid.where(unlucky) == "a"


def test_a_substation_that_answers_full_counts_as_full_until_a_gauge_says_otherwise() -> None:
    grid = Grid(4)
    unlucky = grid.arrive()
    grid.find_full(unlucky)
    grid.poll("a", load=3)
    assert grid.where(unlucky) == "a"


def test_a_vehicle_accepted_with_202_counts_until_a_gauge_that_shows_it() -> None:
    grid = Grid(8)
    grid.accept(grid.arrive())
    substation = grid.substation("a")
    assert (substation.own, substation.foreign) == (1, 0)
    grid.pass_time(0.5)
    grid.poll("a", load=1)
    assert (substation.own, substation.foreign) == (0, 1)
    grid.poll("a", load=0)
    assert substation.load == 0


def test_a_vehicle_accepted_during_a_poll_counts_until_a_poll_that_began_later() -> None:
    grid = Grid(8)
    queued = grid.arrive()
    grid.poll_begins("a")
    grid.pass_time(0.01)
    grid.accept(queued)
    grid.poll_ends("a", load=1)
    assert grid.substation("a").load == 1
    grid.pass_time(0.5)
    grid.poll("a", load=1)
    assert grid.substation("a").load == 1
    assert grid.substation("a").own == 0


def test_one_on_its_way_during_a_poll_is_not_taken_for_one_that_was_accepted_before() -> None:
    grid = Grid(4)
    for _ in range(3):
        grid.accept(grid.arrive())
    grid.pass_time(0.5)
    grid.poll_begins("a")
    grid.pass_time(0.01)
    fourth = grid.arrive()
    grid.poll_ends("a", load=3)  # the page was written before it came
    grid.accept(fourth)
    assert grid.substation("a").load == 4
    assert grid.where(grid.arrive()) is None


def test_a_vehicle_that_disconnected_counts_until_a_poll_that_began_later() -> None:
    grid = Grid(1)
    queued = grid.arrive()
    grid.poll_begins("a")
    grid.pass_time(0.01)
    grid.disconnect(queued)
    grid.poll_ends("a", load=1)
    next_one = grid.arrive()
    assert grid.where(next_one) is None
    grid.pass_time(0.5)
    grid.poll("a", load=0)
    assert grid.where(next_one) == "a"


def test_a_capacity_that_shrinks_below_the_load_makes_the_substation_full() -> None:
    grid = Grid(4)
    for _ in range(3):
        grid.arrive()
    grid.poll("a", load=3, capacity=2)
    assert grid.ineligible_reason("a") == "full (3 of 2)"


def test_a_substation_without_a_point_takes_nothing() -> None:
    grid = Grid(0)
    assert grid.where(grid.arrive()) is None


# Health


def test_a_substation_takes_nothing_before_its_first_poll() -> None:
    grid = Grid(4)
    grid.know("a", "new")
    assert grid.substation("new").health is Health.UNKNOWN
    assert grid.ineligible_reason("new") == "unknown: not polled yet"


def test_a_substation_that_is_full_for_ten_minutes_is_never_ejected() -> None:
    grid = Grid(4)
    queued_sessions = grid.fill("a")
    for _ in range(1200):
        grid.pass_time(0.5)
        grid.poll("a")
        assert grid.substation("a").health is Health.UP
    assert [grid.where(queued) for queued in queued_sessions] == ["a"] * 4
    assert not grid.pool.ejections


def test_a_substation_that_answers_full_for_ten_minutes_is_never_ejected() -> None:
    grid = Grid(4)
    queued = grid.arrive(wait_s=3600)
    for _ in range(1200):
        grid.find_full(queued)
        assert grid.where(queued) is None
        grid.pass_time(0.5)
        grid.poll("a", load=3)
    assert grid.substation("a").health is Health.UP


def test_a_gauge_older_than_three_intervals_makes_a_substation_unhealthy_never_empty() -> None:
    grid = Grid(4)
    grid.pass_time(1.5)
    assert grid.substation("a").is_available(grid.now)
    grid.pass_time(0.1)
    assert not grid.substation("a").is_available(grid.now)
    assert grid.ineligible_reason("a") == "gauge is 1.6 s old"
    assert grid.where(grid.arrive()) is None


def test_a_page_that_is_no_gauge_ejects_the_substation_at_once() -> None:
    grid = Grid(4)
    grid.poll_unreadable("a", "substation_current_load is nan")
    assert grid.substation("a").health is Health.DOWN
    assert grid.ineligible_reason("a") == "down: substation_current_load is nan"
    assert grid.pool.ejections == {("a", "unreadable"): 1}


def test_a_substation_whose_page_is_no_gauge_keeps_what_charges_there() -> None:
    grid = Grid(4)
    queued = grid.arrive()
    grid.poll_unreadable("a", times=20)
    assert grid.where(queued) == "a"
    grid.complete(queued)
    assert grid.pool.dispatches == {("a", "charged"): 1}


def test_one_missed_poll_is_nothing_two_in_a_row_eject() -> None:
    grid = Grid(4)
    grid.poll_missed("a")
    assert grid.substation("a").health is Health.UP
    grid.poll("a")
    grid.poll_missed("a")
    assert grid.substation("a").health is Health.UP
    grid.poll_missed("a")
    assert grid.substation("a").health is Health.DOWN
    assert grid.pool.ejections == {("a", "missed_polls"): 1}


def test_an_answer_that_is_no_gauge_is_still_an_answer() -> None:
    grid = Grid(4, 1)
    queued = grid.arrive()
    grid.poll_missed("a")
    grid.poll_unreadable("a")
    grid.poll_missed("a")
    assert grid.where(queued) == "a"
    assert not grid.revoked


def test_an_ejected_substation_is_taken_back_on_the_first_good_poll() -> None:
    grid = Grid(4)
    grid.poll_missed("a", times=5)
    waiting = grid.arrive()
    grid.poll("a", load=0)
    assert grid.substation("a").health is Health.UP
    assert grid.substation("a").reason is None
    assert grid.where(waiting) == "a"


def test_a_page_that_was_asked_for_before_the_substation_failed_does_not_take_it_back() -> None:
    grid = Grid(4)
    queued = grid.arrive()
    grid.poll_begins("a")
    grid.fail(queued, "reset")
    grid.poll_ends("a", load=1)
    assert grid.substation("a").health is Health.DOWN
    grid.poll("a", load=0)
    assert grid.substation("a").health is Health.UP


def test_a_substation_says_by_its_gauge_that_it_drains_and_that_it_does_no_longer() -> None:
    grid = Grid(4)
    grid.poll("a", load=0, draining=True)
    assert grid.ineligible_reason("a") == "draining: the substation says so"
    waiting = grid.arrive()
    assert grid.where(waiting) is None
    grid.poll("a", load=0)
    assert grid.where(waiting) == "a"


# Pauses between polls


def pauses(substation: Substation, tries: int = 200, *, urgent: bool = False) -> list[float]:
    random = Random(7)
    return [substation.pause_s(random, urgent=urgent) for _ in range(tries)]


def test_a_substation_that_is_well_is_polled_at_its_interval_within_a_tenth() -> None:
    seen = pauses(Grid(4).substation("a"))
    assert 0.45 <= min(seen) < 0.47
    assert 0.53 < max(seen) <= 0.55


def test_a_substation_is_asked_again_at_once_after_its_first_miss() -> None:
    grid = Grid(4)
    grid.poll_missed("a")
    assert pauses(grid.substation("a"), 1) == [0.0]


def test_a_frozen_substation_is_ejected_within_three_seconds_at_the_defaults() -> None:
    health_check = HealthCheck(max_pause_s=10)
    last_good_poll_to_next = health_check.interval_s * 1.1
    poll_timeout = 0.8
    assert last_good_poll_to_next + health_check.misses * (poll_timeout + 0.05) < 3


@pytest.mark.parametrize("how", ["missed", "unreadable"])
def test_pauses_between_probes_grow_up_to_the_longest(how: str) -> None:
    grid = Grid(4)
    substation = grid.substation("a")
    grid.poll_missed("a", times=2)
    longest = []
    for _ in range(8):
        longest.append(max(pauses(substation)))
        if how == "missed":
            grid.poll_missed("a")
        else:
            grid.pool.poll_unreadable(substation, "garbled")
    assert longest == pytest.approx([0.5, 1, 2, 4, 8, 10, 10, 10], rel=0.02)


def test_pauses_do_not_grow_while_vehicles_wait_that_the_substation_might_take() -> None:
    grid = Grid(1)
    grid.poll_missed("a", times=8)
    substation, random = grid.substation("a"), Random(7)
    assert max(pauses(substation)) > 9
    assert max(pauses(substation, urgent=True)) <= 0.125  # nobody is there to be bothered
    assert max(grid.pool.pause_s(substation, random) for _ in range(200)) > 9
    assert grid.where(grid.arrive()) is None
    assert max(grid.pool.pause_s(substation, random) for _ in range(200)) <= 0.125


def test_a_substation_that_answers_nonsense_is_not_pressed_beyond_its_interval() -> None:
    grid = Grid(1)
    substation = grid.substation("a")
    for _ in range(8):
        grid.pool.poll_unreadable(substation, "garbled")
    assert 0.4 < max(pauses(substation, urgent=True)) <= 0.5


def test_pauses_between_probes_are_jittered() -> None:
    grid = Grid(4)
    grid.poll_missed("a", times=5)
    seen = pauses(grid.substation("a"))
    assert min(seen) == pytest.approx(max(seen) / 2, rel=0.05)
    assert len(set(seen)) == len(seen)


def test_one_that_fails_each_time_it_is_back_is_probed_ever_more_rarely_until_it_charges() -> None:
    grid = Grid(4)
    longest = []
    for _ in range(5):
        queued = grid.arrive()
        grid.fail(queued, "reset")
        grid.disconnect(queued)
        longest.append(max(pauses(grid.substation("a"))))
        grid.pass_time(0.1)
        grid.poll("a", load=0)
    assert longest == pytest.approx([0.5, 1, 2, 4, 8], rel=0.02)
    grid.complete(grid.arrive())
    grid.fail(grid.arrive(), "reset")
    assert max(pauses(grid.substation("a"))) <= 0.5


def test_a_substation_says_in_words_why_it_takes_no_vehicle() -> None:
    grid = Grid(2, 2)
    substation, other = grid.substation("a"), grid.substation("b")
    assert (substation.ineligible_reason(grid.now), substation.reason) == (None, None)
    grid.poll("a", load=2)
    assert substation.ineligible_reason(grid.now) == "full (2 of 2)"
    assert substation.unavailable_reason(grid.now) is None
    grid.pass_time(1.5)
    assert substation.ineligible_reason(grid.now) == "full (2 of 2)"
    grid.pass_time(0.06)
    assert (
        substation.ineligible_reason(grid.now)
        == substation.unavailable_reason(grid.now)
        == "gauge is 1.6 s old"
    )
    grid.poll("a", draining=True)
    assert substation.ineligible_reason(grid.now) == "draining: the substation says so"
    substation.eject("the connection was refused")
    assert substation.ineligible_reason(grid.now) == "down: the connection was refused"
    assert substation.unavailable_reason(grid.now) == "the connection was refused"
    other.drain()
    assert other.ineligible_reason(grid.now) == "draining: the substation says so"
    other.leaving = True
    assert other.ineligible_reason(grid.now) == "no longer behind its name"
    new = Substation("c", "http://c:5002", balancers=1, health_check=HealthCheck())
    assert new.ineligible_reason(grid.now) == "unknown: not polled yet"
    assert (new.capacity, new.load, new.gauge_age_s(0)) == (0, 0, float("inf"))


def test_a_page_that_can_be_read_forgets_what_was_wrong() -> None:
    grid = Grid(2)
    substation = grid.substation("a")
    grid.poll_missed("a")
    assert substation.pause_s(Random(1), urgent=False) == 0
    grid.poll("a")
    assert substation.pause_s(Random(1), urgent=False) > 0.4
    grid.poll_missed("a")
    assert substation.health is Health.UP  # the misses were not in a row


def test_vehicles_that_end_and_come_during_a_poll_leave_foreign_ones_counted() -> None:
    grid = Grid(8)
    queued = grid.arrive()
    grid.poll_begins("a")
    grid.complete(queued)
    grid.arrive()
    grid.arrive()
    grid.poll_ends("a", load=3)
    assert grid.own_and_foreign("a") == (2, 1)


def test_a_substation_that_was_never_read_has_no_vehicle() -> None:
    grid = Grid(4, balancers=3)
    grid.know("a", "z")
    assert (grid.substation("z").foreign, grid.substation("z").load) == (0, 0)


def test_thousands_of_substations_need_no_dictionary_each() -> None:
    assert not hasattr(Grid(8).substation("a"), "__dict__")


def test_one_that_failed_its_vehicles_again_after_it_was_back_is_not_probed_out_of_turn() -> None:
    grid = Grid(1)
    found = []
    for _ in range(2):
        grid.fail(grid.arrive(wait_s=0))
        grid.poll_missed("a")
        found.append(grid.substation("a").may_be_back)
        grid.pool.waiting.discard(next(iter(grid.pool.waiting)))
        grid.pass_time(0.1)
        grid.poll("a")
    assert found == [True, False]


def test_one_that_charged_a_vehicle_takes_such_a_charge() -> None:
    grid = Grid(1)
    grid.substation("a").unusable_reason = "405 Method Not Allowed"
    grid.complete(grid.arrive())
    assert grid.substation("a").unusable_reason is None


def test_of_a_substation_that_was_not_polled_yet_only_its_name_is_known() -> None:
    new = Substation("a", "http://a:5002", balancers=1, health_check=HealthCheck())
    assert (new.name, new.address, new.order, new.read_at) == ("a", "http://a:5002", 0, -inf)
    assert (new.estimate.accepts, new.leaving, new.drained) == (False, False, False)
    assert (new.warning, new.unusable_reason, new.energy, new.reading) == (None, None, None, None)
    assert (new.load, new.capacity) == (0, 0)
