"""Percentiles, windows, thresholds, and the rate at which a stress run breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tester.latency import Spread, percentile, windows, worst_windows
from load_tester.limits import Breaking, ServiceWatch, Thresholds
from load_tester.vehicle import Outcome, Stage
from tests.unit.load_tester.builders import charge


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(value) for value in range(1, 101)]
    assert [percentile(ordered, percent) for percent in (50, 90, 99, 100)] == [50, 90, 99, 100]
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0], 50) == 1.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(
    values: list[float], percent: float
) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100 - 1e-9
    assert sum(value < found for value in values) <= len(values) * percent / 100


def test_no_vehicles_have_no_spread() -> None:
    assert Spread.of([]) is None


def test_time_to_charge_runs_from_due_however_late_the_vehicle_was_sent() -> None:
    late = charge(due=1.0, took=6.0, charging_s=2.0)
    late.started = 4.0
    assert late.time_to_charge == 6.0
    assert late.delay == 4.0
    assert late.lag == 3.0


def test_windows_hold_vehicles_by_when_they_were_due() -> None:
    charges = [charge(index, due=index * 0.5, took=1.0 + index) for index in range(8)]
    charges.append(charge(9, due=3.9, outcome=Outcome.REFUSED))
    cut = windows(charges, most=4)
    assert [(w.start, w.end, w.due, w.charged, w.lost) for w in cut] == [
        (0, 1, 2, 2, 0),
        (1, 2, 2, 2, 0),
        (2, 3, 2, 2, 0),
        (3, 4, 3, 2, 1),
    ]


def test_the_worst_windows_are_those_that_lost_most_then_the_slowest() -> None:
    charges = [
        charge(1, due=0.5, took=9.0, charging_s=1.0),
        charge(2, due=1.5, took=2.0, charging_s=1.0),
        charge(3, due=2.5, outcome=Outcome.FAILED),
        charge(4, due=3.5, took=5.0, charging_s=1.0),
    ]
    assert [w.start for w in worst_windows(windows(charges), most=3)] == [2, 0, 3]


def test_thresholds_name_what_was_missed() -> None:
    slow = Spread.of([1.0] * 90 + [8.0] * 10)
    limits = Thresholds(max_lost=2, max_p99=5.0, max_p99_delay=9.0)
    assert limits.missed(2, slow, slow) == ("p99 time to charge 8.00 s; at most 5 s",)
    assert limits.missed(3, None, slow) == (
        "3 vehicles lost; at most 2 may be",
        "no time to charge to hold against 5 s: no vehicle was charged",
    )
    assert Thresholds().missed(0, slow, slow) == ()


STAGES = [Stage("2/s", 0, 10, 2), Stage("4/s", 10, 20, 4), Stage("8/s", 20, 30, 8)]
DUE = [index / 2 for index in range(20)] + [10 + index / 20 for index in range(400)]


def test_stress_breaks_where_over_one_percent_of_a_step_is_late() -> None:
    watch = ServiceWatch(STAGES, Thresholds(max_p99_delay=2.0), DUE)
    late = [charge(index, due=11.0, took=5.0, charging_s=1.0) for index in range(3)]
    assert [watch.observe(one) for one in late[:2]] == [False, False]  # 2 of 200 may be
    assert watch.observe(late[2])
    breaking = Breaking.from_watch(watch, STAGES)
    assert (breaking.held, breaking.broke) == (2, 4)
    assert breaking.reason == "3 of 200 were delayed by over 2 s"


def test_stress_breaks_in_the_step_in_which_the_vehicle_was_due_not_where_it_ended() -> None:
    watch = ServiceWatch(STAGES, Thresholds(max_p99=5.0), DUE)
    watch.observe(charge(due=9.5, took=15.0))
    breaking = Breaking.from_watch(watch, STAGES)
    assert (breaking.held, breaking.broke) == (None, 2)
    assert breaking.reason == "1 of 20 took over 5 s to charge"


def test_stress_breaks_on_a_lost_vehicle() -> None:
    watch = ServiceWatch(STAGES, Thresholds(max_lost=0), DUE)
    assert watch.observe(charge(due=25.0, outcome=Outcome.REFUSED))
    assert Breaking.from_watch(watch, STAGES).held == 4


def test_stress_that_does_not_break_held_to_its_last_step() -> None:
    watch = ServiceWatch(STAGES, Thresholds(max_p99_delay=2.0), DUE)
    for index, due in enumerate(DUE):
        watch.observe(charge(index, due=due, took=1.0))
    breaking = Breaking.from_watch(watch, STAGES)
    assert (breaking.held, breaking.broke, breaking.reason) == (8, None, "no step broke it")


@pytest.mark.parametrize(("ended", "held"), [(19, None), (20, 2), (219, 2), (220, 4), (221, 4)])
def test_stress_that_was_interrupted_held_to_the_last_step_that_was_finished(
    ended: int, held: float | None
) -> None:
    watch = ServiceWatch(STAGES, Thresholds(max_p99_delay=2.0), DUE)
    for index, due in enumerate(DUE[: ended + 1]):
        outcome = Outcome.CHARGED if index < ended else Outcome.CUT_SHORT
        watch.observe(charge(index, due=due, took=1.0, outcome=outcome))
    breaking = Breaking.from_watch(watch, STAGES)
    assert (breaking.held, breaking.broke, breaking.reason) == (
        held,
        None,
        "stopped before it broke",
    )


def test_a_stress_run_says_what_it_held_to() -> None:
    watch = ServiceWatch(STAGES, Thresholds(1, 3.0, 2.0), DUE)
    level = "at most 1 lost, p99 time to charge at most 3 s, p99 delay at most 2 s"
    assert Breaking.from_watch(watch, STAGES).level == level
