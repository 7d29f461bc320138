"""The pool by example: waiting, capacity, failover, draining, discovery, what is explained."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from random import Random
from unittest.mock import Mock

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Health
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.pool import QueueFull
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Dispatch, QueuedSession
from tests.unit.load_balancer.routing.grid import Grid

# Choosing


def test_vehicles_are_spread_by_capacity() -> None:
    grid = Grid(4, 8, 12)
    for _ in range(12):
        grid.arrive()
    assert [grid.substation(name).load for name in "abc"] == [2, 4, 6]


def test_choosing_and_counting_are_one_step_so_a_burst_fills_each_substation_and_no_more() -> None:
    grid = Grid(4, 8, 12)
    queued_sessions = [grid.arrive() for _ in range(300)]
    assert [grid.substation(name).load for name in "abc"] == [4, 8, 12]
    assert sum(grid.where(queued) is not None for queued in queued_sessions) == 24
    assert len(grid.pool.waiting) == 276


def test_foreign_load_makes_a_substation_less_liked() -> None:
    grid = Grid(8, 8)
    grid.poll("a", load=5)
    assert [grid.where(grid.arrive()) for _ in range(6)] == ["b"] * 5 + ["a"]


@pytest.mark.parametrize("policy", ["round-robin", "random", "power-of-two-choices"])
def test_no_policy_sends_a_vehicle_to_a_full_substation(policy: str) -> None:
    grid = Grid(1, 2, 3, policy=policy)
    queued_sessions = [grid.arrive() for _ in range(10)]
    assert sorted(str(grid.where(queued)) for queued in queued_sessions[:6]) == list("abbccc")
    assert [grid.where(queued) for queued in queued_sessions[6:]] == [None] * 4


# Waiting


def test_a_vehicle_waits_when_all_substations_are_full_and_goes_as_soon_as_a_point_frees() -> None:
    grid = Grid(1)
    first, second = grid.arrive(), grid.arrive()
    assert grid.where(second) is None
    grid.pass_time(3)
    grid.complete(first)
    assert grid.where(second) is None  # the gauge is too old to send anything there
    grid.poll("a")
    assert grid.where(second) == "a"


def test_an_own_vehicle_that_ends_makes_room_at_once() -> None:
    grid = Grid(1)
    first, second = grid.arrive(), grid.arrive()
    grid.complete(first)
    assert grid.where(second) == "a"


def test_a_foreign_vehicle_that_ends_makes_room_at_the_next_poll() -> None:
    grid = Grid(1)
    grid.poll("a", load=1)
    waiting = grid.arrive()
    grid.poll("a", load=0)
    assert grid.where(waiting) == "a"


def test_the_line_is_first_come_first_served() -> None:
    grid = Grid(1)
    current, *line = [grid.arrive() for _ in range(5)]
    for following in line:
        grid.complete(current)
        assert grid.where(following) == "a"
        current = following


def test_a_newcomer_does_not_overtake_the_line() -> None:
    grid = Grid(1)
    grid.poll("a", load=1)
    first = grid.arrive()
    grid.poll_begins("a")
    second = grid.arrive()
    grid.poll_ends("a", load=0)
    assert (grid.where(first), grid.where(second)) == ("a", None)


def test_nothing_is_dispatched_after_its_deadline() -> None:
    grid = Grid(1)
    first = grid.arrive()
    late, patient = grid.arrive(wait_s=1), grid.arrive(wait_s=10)
    grid.pass_time(1.2)
    grid.complete(first)
    assert (grid.where(late), grid.where(patient)) == (None, "a")


def test_a_vehicle_that_does_not_want_to_wait_is_dispatched_if_it_can_be_now() -> None:
    grid = Grid(1)
    assert grid.where(grid.arrive(wait_s=0)) == "a"
    assert grid.where(grid.arrive(wait_s=0)) is None


def test_a_vehicle_that_does_not_want_to_wait_may_still_be_sent_on() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive(wait_s=0)
    grid.pass_time(0.003)
    grid.find_full(queued)
    assert grid.where(queued) == "b"


def test_nothing_is_dispatched_after_its_caller_disconnected() -> None:
    grid = Grid(1)
    first, gone, patient = (grid.arrive() for _ in range(3))
    grid.disconnect(gone)
    grid.complete(first)
    assert (grid.where(gone), grid.where(patient)) == (None, "a")


def test_the_line_has_a_bound() -> None:
    grid = Grid(1, queue_limit=2)
    grid.fill("a")
    grid.arrive()
    grid.arrive()
    with pytest.raises(QueueFull):
        grid.arrive()
    assert len(grid.pool.waiting) == 2


def test_a_line_with_no_room_still_lets_vehicles_through_to_free_points() -> None:
    grid = Grid(2, queue_limit=0)
    grid.arrive()
    assert grid.where(grid.arrive()) == "a"
    with pytest.raises(QueueFull):
        grid.arrive()


def test_a_substation_is_polled_at_once_where_a_disconnect_may_have_freed_a_point() -> None:
    grid = Grid(1)
    first = grid.arrive()
    grid.arrive()
    grid.disconnect(first)
    assert grid.polls_wanted == ["a"]


def test_a_substation_is_polled_at_once_when_a_vehicle_comes_after_the_disconnect() -> None:
    grid = Grid(1)
    grid.disconnect(grid.arrive())
    assert grid.polls_wanted == []
    grid.arrive()
    assert grid.polls_wanted == ["a"]


def test_a_substation_that_has_just_failed_is_not_polled_out_of_turn() -> None:
    grid = Grid(1)
    grid.fail(grid.arrive())
    grid.arrive()
    assert grid.polls_wanted == []


def test_substations_that_are_gone_are_probed_at_once_when_the_line_begins() -> None:
    grid = Grid(1, 1)
    grid.poll_missed("a", times=3)
    first = grid.arrive()
    assert grid.where(first) == "b"
    assert grid.polls_wanted == []
    waiting = grid.arrive()
    assert grid.polls_wanted == ["a"]
    grid.arrive()
    assert grid.polls_wanted == ["a"]  # from here on its pauses are short
    grid.disconnect(waiting)
    grid.complete(first)
    assert len(grid.pool.waiting) == 0
    grid.arrive()
    assert grid.polls_wanted == ["a", "a"]


def test_the_line_begins_anew_after_the_last_in_it_disconnected() -> None:
    grid = Grid(1)
    grid.poll_missed("a", times=3)
    grid.disconnect(grid.arrive())
    grid.arrive()
    assert grid.polls_wanted == ["a", "a"]


def test_a_substation_that_came_back_and_failed_its_vehicle_waits_for_its_turn() -> None:
    grid = Grid(1)
    for _ in range(2):
        vehicle = grid.arrive()
        grid.fail(vehicle)
        grid.disconnect(vehicle)
        grid.pass_time(1)
        grid.poll("a")
    vehicle = grid.arrive()
    grid.fail(vehicle)
    grid.poll_missed("a")
    grid.disconnect(vehicle)
    grid.polls_wanted.clear()
    grid.arrive()
    assert grid.polls_wanted == []


def test_a_substation_that_restarted_often_while_idle_is_still_probed_at_once() -> None:
    grid = Grid(1)
    for _ in range(5):
        grid.poll_missed("a", times=2)
        grid.poll("a")
    grid.poll_missed("a", times=3)
    grid.arrive()
    assert grid.polls_wanted == ["a"]
    assert max(grid.substation("a").pause_s(Random(1), urgent=True) for _ in range(50)) <= 0.125


# Retry-After


def test_retry_after_is_what_the_line_takes_by_littles_law() -> None:
    grid = Grid(10)
    queued_sessions = grid.fill("a")
    grid.pass_time(1)
    grid.poll("a")
    grid.pass_time(1)
    grid.complete(queued_sessions[0])  # the first session that ends tells their length: 2 s
    for _ in range(50):
        grid.arrive()
    # 49 wait beside 10 points that free every 2 s; a fiftieth is served after 50 x 2 / 10.
    assert grid.pool.retry_after_s(grid.now) == pytest.approx(10)


def test_retry_after_follows_the_length_of_sessions() -> None:
    grid = Grid(1)
    for _ in range(200):
        grid.charge(1)
    for _ in range(200):
        queued = grid.arrive()
        grid.pass_time(1)
        grid.poll("a")
        grid.pass_time(1)
        grid.poll("a")
        grid.complete(queued)
    assert grid.pool.retry_after_s(grid.now) == pytest.approx(2, rel=0.01)


def test_retry_after_counts_no_substation_that_takes_nothing() -> None:
    grid = Grid(5, 5)
    grid.charge(1)
    grid.poll_all()
    both = grid.pool.retry_after_s(grid.now)
    grid.poll("b", load=0, draining=True)
    assert grid.pool.retry_after_s(grid.now) == pytest.approx(2 * both)


def test_retry_after_without_a_substation_is_the_longest_pause_between_probes() -> None:
    assert Grid().pool.retry_after_s(0) == 10


# Full after all


def test_a_full_answer_costs_nothing_but_a_re_choice() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    assert grid.where(queued) == "a"
    grid.find_full(queued)
    assert grid.where(queued) == "b"
    assert queued.attempts == 2
    assert grid.pool.dispatches == {("a", "full"): 1}
    assert not grid.pool.failovers
    assert not grid.pool.ejections
    assert grid.substation("a").health is Health.UP


def test_full_answers_cost_no_budget() -> None:
    grid = Grid(4, 4, budget=RetryBudget(share=0, floor_per_s=0.001, burst=1))
    queued = grid.arrive()
    for _ in range(50):
        grid.find_full(queued)
        grid.poll_all()
        assert grid.where(queued) is not None


# Failover


def test_a_refused_dispatch_goes_elsewhere_at_once_and_ejects_the_substation() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive("EV-1")
    grid.fail(queued, "refused")
    assert grid.where(queued) == "b"
    assert (queued.session_id, queued.attempts) == ("EV-1", 2)
    assert grid.substation("a").health is Health.DOWN
    assert grid.pool.failovers == {"refused": 1}
    assert grid.pool.ejections == {("a", "refused"): 1}
    assert grid.pool.dispatches == {("a", "failed"): 1}


def test_a_substation_without_an_address_gets_nothing_and_says_why() -> None:
    grid = Grid(4)
    grid.pool.cannot_be_reached(grid.substation("a"), "the name a cannot be resolved")
    assert grid.where(grid.arrive()) is None
    assert grid.ineligible_reason("a") == "down: the name a cannot be resolved"


def test_an_ejected_substation_gets_nothing() -> None:
    grid = Grid(4, 4)
    grid.fail(grid.arrive())
    assert [grid.where(grid.arrive()) for _ in range(5)] == ["b", "b", "b", None, None]


def test_a_substation_that_is_back_takes_the_waiting_line_at_once() -> None:
    grid = Grid(3)
    grid.poll_missed("a", times=2)
    waiting = [grid.arrive() for _ in range(4)]
    assert [grid.where(queued) for queued in waiting] == [None] * 4
    grid.pass_time(5)
    grid.poll("a")
    assert [grid.where(queued) for queued in waiting] == ["a", "a", "a", None]


def test_all_that_a_lost_substation_held_is_taken_back_and_goes_elsewhere() -> None:
    grid = Grid(4, 20)
    queued_sessions = [grid.arrive(f"EV-{number}") for number in range(12)]
    lost = [queued for queued in queued_sessions if grid.where(queued) == "a"]
    assert len(lost) == 2
    grid.poll_missed("a", times=2)
    assert [grid.where(queued) for queued in queued_sessions] == ["b"] * 12
    assert [dispatch.queued for dispatch in grid.revoked] == lost
    assert grid.pool.failovers == {"lost": 2}
    assert grid.pool.dispatches == {("a", "taken_back"): 2}


def test_vehicles_that_are_taken_back_have_their_old_places_in_line() -> None:
    grid = Grid(2, 2)
    early = [grid.arrive() for _ in range(4)]
    waiting = grid.arrive()
    grid.poll_missed("a", times=2)
    moved = [queued for queued in early if grid.where(queued) is None]
    assert list(grid.pool.waiting) == [*moved, waiting]


def test_a_thousand_vehicles_of_a_lost_substation_go_on_at_once_where_there_is_room() -> None:
    grid = Grid(1000, 2000, budget=RetryBudget(share=0.2, floor_per_s=20, burst=200))
    queued_sessions = [grid.arrive() for _ in range(1200)]
    assert grid.substation("a").own == 400
    grid.poll_missed("a", times=2)
    assert [grid.where(queued) for queued in queued_sessions] == ["b"] * 1200


def test_time_at_a_substation_that_was_lost_is_no_waiting_time() -> None:
    grid = Grid(1, 1)
    other = grid.arrive()
    queued = grid.arrive(wait_s=5)
    for _ in range(240):
        grid.pass_time(0.5)
        grid.poll_all()
    grid.poll_missed("b", times=2)
    assert grid.where(queued) is None
    grid.pass_time(1.4)
    grid.complete(other)
    assert grid.where(queued) == "a"  # two minutes after it came, of which it waited 1.4 s
    assert grid.decisions[-1].waited_s == pytest.approx(1.4)


def test_time_spent_waiting_stays_spent_when_a_vehicle_comes_back() -> None:
    grid = Grid(1)
    first = grid.arrive()
    queued = grid.arrive(wait_s=2)
    grid.pass_time(1.5)
    grid.poll("a")
    grid.complete(first)
    grid.poll_missed("a", times=2)
    grid.pass_time(0.6)
    grid.poll("a", load=0)
    assert grid.where(queued) is None


def test_a_late_answer_from_a_substation_that_was_lost_changes_no_count() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    stale = queued.dispatch
    assert stale is not None
    grid.poll_missed("a", times=2)
    grid.pool.end(stale, Outcome.FAILED, grid.now, reason="reset", why="reset")
    grid.pool.end(stale, Outcome.FULL, grid.now)
    grid.pool.end(stale, Outcome.CHARGED, grid.now)
    assert grid.where(queued) == "b"
    assert grid.pool.dispatches == {("a", "taken_back"): 1}
    assert grid.substation("b").load == 1


def test_what_fails_at_once_is_sent_on_only_within_the_budget() -> None:
    grid = Grid(4, 4, 4, budget=RetryBudget(share=0, floor_per_s=0.001, burst=1))
    queued = grid.arrive()
    grid.fail(queued)
    assert grid.where(queued) == "b"  # by the one token
    grid.fail(queued)
    grid.pass_time(30)
    for name in "abc":
        grid.poll(name, load=0)
    assert grid.where(queued) is None
    assert grid.where(grid.arrive()) is not None  # it holds up nobody else


def test_what_had_charged_for_a_while_is_sent_on_for_nothing() -> None:
    grid = Grid(40, 80, budget=RetryBudget(share=0, floor_per_s=0.001, burst=1))
    queued_sessions = [grid.arrive(f"EV-{number}") for number in range(60)]
    held = [queued for queued in queued_sessions if grid.where(queued) == "a"]
    grid.pass_time(1)
    for queued in held:  # a is killed: every connection breaks
        grid.fail(queued, "reset")
    assert [grid.where(queued) for queued in queued_sessions] == ["b"] * 60


def test_a_vehicle_that_keeps_failing_pauses_for_longer_each_time() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive(wait_s=600)
    moments = []
    for _ in range(8):
        moments.append(grid.now)
        grid.fail(queued, "error")
        while grid.where(queued) is None:
            grid.pass_time(0.25)
            grid.poll_all()
    pauses = [after - before for before, after in pairwise(moments)]
    assert pauses == [0, 0.5, 1, 2, 4, 8, 8]


def test_a_vehicle_that_breaks_each_substation_does_not_keep_the_others_from_charging() -> None:
    grid = Grid(4, 4, 4)
    poison = grid.arrive(wait_s=3600)
    served = 0
    for _ in range(240):
        if grid.where(poison):
            grid.fail(poison, "error")
        queued = grid.arrive(wait_s=0)
        served += grid.where(queued) is not None
        grid.disconnect(queued)
        grid.pass_time(0.25)
        grid.poll_all()
    assert served >= 238


def test_a_rejected_vehicle_goes_to_the_substations_that_have_not_rejected_it() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    grid.reject(queued)
    assert grid.where(queued) == "b"
    assert grid.substation("a").health is Health.UP
    grid.reject(queued)
    assert grid.where(queued) is None
    assert grid.pool.is_rejected_everywhere(queued)
    assert grid.pool.failovers == {"rejected": 2}
    assert grid.pool.dispatches == {("a", "rejected"): 1, ("b", "rejected"): 1}


def test_what_is_rejected_is_sent_on_only_within_the_budget() -> None:
    grid = Grid(4, 4, 4, budget=RetryBudget(share=0, floor_per_s=0.001, burst=1))
    queued = grid.arrive()
    grid.reject(queued)
    assert grid.where(queued) == "b"
    grid.reject(queued)
    assert grid.where(queued) is None


def test_a_vehicle_that_one_substation_rejected_waits_while_the_others_are_full() -> None:
    grid = Grid(2, 1)
    queued = grid.arrive()
    other = grid.arrive()
    assert (grid.where(queued), grid.where(other)) == ("a", "b")
    grid.reject(queued)
    assert grid.where(queued) is None
    assert list(grid.pool.waiting) == [queued]
    assert not grid.pool.is_rejected_everywhere(queued)
    grid.poll_all()
    assert grid.where(queued) is None  # the other substation has points, and will not have it
    newcomer = grid.arrive()
    assert grid.where(newcomer) == "a"  # nor does it keep others from them
    grid.complete(other)
    assert grid.where(queued) == "b"


def test_a_substation_that_is_about_to_go_need_not_have_rejected_it_too() -> None:
    grid = Grid(4, 4)
    grid.arrive()
    queued = grid.arrive()
    assert grid.where(queued) == "b"
    grid.know("b")
    grid.reject(queued)
    assert grid.pool.is_rejected_everywhere(queued)


def test_a_vehicle_that_nobody_rejected_is_not_rejected_everywhere() -> None:
    grid = Grid(4)
    assert not grid.pool.is_rejected_everywhere(grid.arrive())


# Draining


def test_a_draining_substation_gets_nothing_new_and_finishes_what_it_has() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    assert grid.where(queued) == "a"
    grid.poll("a", draining=True)
    assert [grid.where(grid.arrive()) for _ in range(3)] == ["b"] * 3
    assert grid.where(queued) == "a"
    grid.complete(queued)
    assert grid.pool.dispatches == {("a", "charged"): 1}


def test_a_vehicle_that_meets_a_substation_on_its_way_out_goes_elsewhere_for_nothing() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    grid.find_draining(queued)
    assert grid.where(queued) == "b"
    assert grid.substation("a").health is Health.DRAINING
    assert grid.pool.dispatches == {("a", "draining"): 1}
    assert not grid.pool.ejections
    assert not grid.pool.failovers


# Discovery


def test_a_new_substation_is_used_after_its_first_poll() -> None:
    grid = Grid(1)
    grid.fill("a")
    waiting = grid.arrive()
    grid.know("a", "b")
    assert grid.where(waiting) is None
    grid.poll("b", load=0, capacity=4)
    assert grid.where(waiting) == "b"


def test_a_substation_that_vanished_is_let_go_when_its_last_vehicle_is_done() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    grid.know("b")
    assert grid.ineligible_reason("a") == "no longer behind its name"
    assert grid.where(grid.arrive()) == "b"
    grid.complete(queued)
    assert not grid.knows("a")


def test_an_idle_substation_that_vanished_is_let_go_at_once() -> None:
    grid = Grid(4, 4)
    grid.know("b")
    assert not grid.knows("a")


def test_a_substation_that_comes_back_before_it_was_let_go_is_used_again() -> None:
    grid = Grid(4, 4)
    grid.arrive()
    grid.know("b")
    grid.know("a", "b")
    assert grid.ineligible_reason("a") is None


def test_a_vanished_substation_that_dies_gives_its_vehicles_back() -> None:
    grid = Grid(4, 4)
    queued = grid.arrive()
    grid.know("b")
    grid.poll_missed("a", times=2)
    assert grid.where(queued) == "b"
    assert not grid.knows("a")


# 202, and what a restarted balancer finds


def test_an_accepted_vehicle_is_done_with_and_its_point_stays_taken() -> None:
    grid = Grid(1)
    queued = grid.arrive()
    grid.accept(queued)
    grid.disconnect(queued)  # its request ends with the answer
    waiting = grid.arrive()
    assert grid.where(waiting) is None
    assert grid.pool.dispatches == {("a", "accepted"): 1}
    grid.pass_time(0.5)
    grid.poll("a", load=1)
    assert grid.where(waiting) is None
    grid.poll("a", load=0)
    assert grid.where(waiting) == "a"


def test_a_balancer_that_starts_under_load_knows_it_from_the_first_poll() -> None:
    grid = Grid()
    grid.know("a", "b")
    waiting = [grid.arrive() for _ in range(4)]
    grid.poll("a", load=4, capacity=4)
    assert [grid.where(queued) for queued in waiting] == [None] * 4
    grid.poll("b", load=6, capacity=8)
    assert [grid.where(queued) for queued in waiting] == ["b", "b", None, None]


# Explained


def test_a_decision_tells_who_was_chosen_among_whom_and_why_not_the_others() -> None:
    grid = Grid(4, 8, 2)
    grid.poll("a", load=4)
    grid.poll("c", load=0, draining=True)
    grid.pass_time(0.2)
    grid.arrive("EV-7")
    (decision,) = grid.decisions
    assert (decision.sequence, decision.vehicle_id, decision.substation) == (1, "EV-7", "b")
    assert (decision.attempt, decision.waited_s, decision.policy) == (1, 0, "least-loaded")
    assert decision.reason == "least (load + 1) / capacity of 1 with a free point"
    (candidate,) = decision.candidates
    assert (candidate.name, candidate.load, candidate.capacity) == ("b", 0, 8)
    assert candidate.score == pytest.approx(1 / 8)
    assert candidate.gauge_age_s == pytest.approx(0.2)
    assert decision.ineligible == (
        ("a", "full (4 of 4)"),
        ("c", "draining: the substation says so"),
    )


def test_decisions_are_numbered_without_gaps_and_tell_the_wait() -> None:
    grid = Grid(1)
    first = grid.arrive()
    grid.arrive()
    grid.pass_time(1.25)
    grid.complete(first)
    assert [decision.sequence for decision in grid.decisions] == [1, 2]
    assert grid.decisions[1].waited_s == pytest.approx(1.25)


def by_reason(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
    """Add up what was counted by substation and a reason, by the reason alone."""
    added: Counter[str] = Counter()
    for (_, reason), count in counts.items():
        added[reason] += count
    return added


def test_each_end_of_a_dispatch_and_each_ejection_is_counted() -> None:
    grid = Grid(4, 4)
    for _ in range(2):
        grid.complete(grid.arrive())
        grid.accept(grid.arrive())
        grid.disconnect(grid.arrive())
        grid.pass_time(1)
        grid.poll_all()
        for name in "ab":
            grid.poll_unreadable(name, times=2)
        grid.pass_time(1)
        grid.poll_all()
        queued = grid.arrive()
        grid.fail(queued, "reset")
        grid.complete(queued)
        grid.pass_time(1)
        grid.poll_all()
        charging = [grid.arrive() for _ in range(2)]
        grid.poll_missed("a", times=3)
        grid.pass_time(1)
        grid.poll_all()
        for queued in charging:
            grid.complete(queued)
    assert by_reason(grid.pool.dispatches) == {
        "charged": 8,
        "accepted": 2,
        "aborted": 2,
        "failed": 2,
        "taken_back": 2,
    }
    assert grid.pool.failovers == {"reset": 2, "lost": 2}
    assert by_reason(grid.pool.ejections) == {"unreadable": 4, "reset": 2, "missed_polls": 2}
    assert grid.pool.ejections["a", "missed_polls"] == 2


def test_a_vehicle_that_can_wait_no_longer_is_placed_by_whatever_policy() -> None:
    grid = Grid(1, 1, policy="random")
    fillers = [grid.arrive() for _ in range(2)]
    late = grid.arrive(wait_s=1)
    grid.pass_time(1.2)
    grid.complete(fillers[0])
    assert grid.where(late) is None  # its deadline is over
    grid.pool.last_call(late, grid.now)
    assert grid.where(late) is not None


def test_retry_after_goes_by_a_mean_in_which_the_newest_session_weighs_a_twentieth() -> None:
    grid = Grid(4)
    assert grid.pool.retry_after_s(grid.now) == grid.pool.health_check.trust_s == 1.5
    for session_s, mean_s in ((10, 10), (30, 11)):
        grid.charge(session_s)
        assert grid.pool.retry_after_s(grid.now) == pytest.approx(mean_s / 4)
    grid.fail(grid.arrive())
    assert grid.pool.retry_after_s(grid.now) == 10


def test_a_line_that_goes_on_after_one_disconnected_does_not_begin_anew() -> None:
    grid = Grid(1)
    grid.poll_missed("a", times=3)
    first, _ = grid.arrive(), grid.arrive()
    assert grid.polls_wanted == ["a"]
    grid.disconnect(first)
    grid.arrive()
    assert grid.polls_wanted == ["a"]


def test_a_vehicle_that_is_taken_back_again_pauses() -> None:
    grid = Grid(1, 1)
    queued = grid.arrive()
    for name, other in (("a", "b"), ("b", "a")):
        assert grid.where(queued) == name
        grid.poll_missed(name, times=2)
        grid.poll(other)
    assert grid.where(queued) is None
    grid.pass_time(0.5)
    grid.poll("a")
    assert grid.where(queued) == "a"


def test_what_happened_to_a_substation_is_why_it_takes_nothing() -> None:
    grid = Grid(4, 4)
    grid.poll_missed("a", times=2)
    grid.fail(grid.arrive())
    assert [grid.substation(name).reason for name in "ab"] == [
        "no response within 0.8 s",
        "the connection was refused",
    ]


@pytest.mark.parametrize(("after_s", "goes_to"), [(0.49, None), (0.5, "b")])
def test_what_fails_within_an_interval_of_polls_failed_at_once(
    after_s: float, goes_to: str | None
) -> None:
    grid = Grid(4, 4, budget=RetryBudget(share=0, floor_per_s=0.001, burst=0))
    queued = grid.arrive()
    grid.pass_time(after_s)
    grid.fail(queued)
    assert grid.where(queued) == goes_to


def test_those_whom_the_only_free_substation_rejected_cost_next_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = Grid(4, 1)
    charging = grid.arrive("charging")
    grid.reject(charging)
    assert grid.where(charging) == "b"
    for number in range(100):
        grid.reject(grid.arrive(f"EV-{number}"))
    take = Mock(return_value=True)
    monkeypatch.setattr(RetryBudget, "take", take)

    grid.pool.match(grid.now)

    assert grid.ineligible_reason("a") is None
    assert len(grid.pool.waiting) == 100
    assert not take.called


# What a decision tells


def test_a_decision_tells_whose_it_is_and_who_hears_of_it() -> None:
    grid = Grid(1)
    told: list[Dispatch] = []
    queued = QueuedSession(
        "session", "EV", grid.now, grid.now, Demand(10.0), request_id="r1", on_dispatch=told.append
    )
    grid.pool.arrive(queued, grid.now)
    decision = grid.decisions[-1]
    assert (decision.session_id, decision.vehicle_id, decision.request_id) == (
        "session",
        "EV",
        "r1",
    )
    assert told == [queued.dispatch]


def test_a_decision_among_many_counts_those_that_it_does_not_list() -> None:
    free, full = ([f"{kind}{number}" for number in range(40)] for kind in ("free", "full"))
    grid = Grid(*[1] * 80, names=[*free, *full])
    for name in full:
        grid.poll(name, load=1)

    grid.arrive()

    decision = grid.decisions[-1]
    assert decision.reason.endswith(" of 40 with a free point")
    assert 0 < len(decision.candidates) == 40 - decision.candidates_left_out < 40
    assert 0 < len(decision.ineligible) == 40 - decision.ineligible_left_out < 40


def test_each_first_dispatch_allows_its_share_of_repeats() -> None:
    grid = Grid(8, 8, budget=RetryBudget(share=1.0, floor_per_s=0, burst=1))
    for _ in range(3):
        repeated = grid.arrive()
        grid.reject(repeated)
        assert grid.where(repeated) is not None


def test_repeats_are_allowed_again_as_time_passes() -> None:
    grid = Grid(1, 1, 1, budget=RetryBudget(share=0, floor_per_s=1, burst=1))
    repeated = grid.arrive()
    grid.reject(repeated)
    grid.reject(repeated)
    assert grid.where(repeated) is None
    grid.pass_time(1)
    grid.poll_all()
    assert grid.where(repeated) == "c"
