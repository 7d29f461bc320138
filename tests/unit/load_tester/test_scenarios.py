"""Who comes when, and wanting how much."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tester.arrivals import RateCurve, Spacing, Streams, arrivals
from load_tester.command_line import parse_options
from load_tester.demand import FAST_CHARGING, WORKPLACE, FixedDemand
from load_tester.scenarios import make_plan
from load_tester.vehicle import Plan, PlanError


def plan(*arguments: str) -> Plan:
    return make_plan(parse_options(arguments))


def count_between(plan: Plan, start: float, end: float) -> int:
    return sum(start <= vehicle.due < end for vehicle in plan.vehicles)


def test_without_options_a_hundred_vehicles_come_at_ten_a_second() -> None:
    default = plan()
    assert len(default.vehicles) == 100
    assert 8 < default.duration < 10
    assert len({vehicle.kwh for vehicle in default.vehicles}) > 50


def test_the_same_seed_gives_the_same_vehicles_and_another_seed_others() -> None:
    assert plan("--seed", "7").vehicles == plan("--seed", "7").vehicles
    assert plan("--seed", "7").vehicles != plan("--seed", "8").vehicles


def test_the_vehicles_of_seed_1_stay_as_they_are() -> None:
    first = [(vehicle.due, vehicle.kwh) for vehicle in plan().vehicles[:3]]
    assert first == SEED_1


# Changing these changes what everybody measured with a seed before.
SEED_1 = [(0.230278, 0.883), (0.234202, 3.927), (0.267503, 3.633)]


def test_changing_the_energy_leaves_the_arrivals() -> None:
    due = [vehicle.due for vehicle in plan("--kwh", "5").vehicles]
    assert due == [vehicle.due for vehicle in plan("--kwh", "fast").vehicles]


def test_even_arrivals_come_like_a_clock() -> None:
    steady = plan("--arrivals", "even", "--vehicles", "50", "--rate", "20")
    gaps = {round(b.due - a.due, 6) for a, b in pairwise(steady.vehicles)}
    assert gaps == {0.05}


def test_poisson_gaps_vary_as_much_as_they_are_long() -> None:
    steady = plan("--vehicles", "20000", "--rate", "100")
    gaps = [b.due - a.due for a, b in pairwise(steady.vehicles)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.01, rel=0.02)
    assert deviation / mean == pytest.approx(1.0, abs=0.05)


def test_two_of_vehicles_rate_and_duration_make_the_third() -> None:
    assert len(plan("--rate", "5", "--duration", "20").vehicles) == 100
    by_time = plan("--vehicles", "100", "--duration", "20", "--arrivals", "even")
    assert by_time.duration == pytest.approx(20, rel=0.02)
    rush = plan("rush-hour", "--rate", "30", "--duration", "60")
    assert len(rush.vehicles) == 1200  # two thirds of 30 a second


def test_a_rush_hour_climbs_holds_and_falls() -> None:
    rush = plan("rush-hour", "--vehicles", "12000", "--rate", "200")
    sixth = 15.0  # of 90 s
    counts = [count_between(rush, index * sixth, (index + 1) * sixth) for index in range(6)]
    # A triangle's lower and upper half have a quarter and three quarters of its area.
    for found, wanted in zip(counts, [750, 2250, 3000, 3000, 2250, 750], strict=True):
        assert found == pytest.approx(wanted, rel=0.12)


def test_a_spike_brings_its_share_at_one_moment_in_the_middle() -> None:
    spike = plan("spike", "--vehicles", "100", "--rate", "10", "--share", "0.6")
    moments = [vehicle.due for vehicle in spike.vehicles]
    assert moments.count(2.0) == 60
    assert len(moments) == 100
    assert spike.duration <= 4.0


def test_a_spike_of_all_brings_everybody_at_once() -> None:
    spike = plan("spike", "--vehicles", "5000", "--share", "1")
    assert {vehicle.due for vehicle in spike.vehicles} == {0.0}


def test_stress_raises_the_rate_step_by_step() -> None:
    steps = plan("stress", "--rate", "4", "--factor", "2", "--max-rate", "32")
    assert [stage.rate for stage in steps.stages] == [4, 8, 16, 32]
    due = [count_between(steps, stage.start, stage.end) for stage in steps.stages]
    assert due == [40, 80, 160, 320]


def test_stress_may_be_wanted_to_hold_to_its_last_step() -> None:
    options = ("--rate", "4", "--factor", "2", "--max-rate", "32", "--min-rate", "32")
    assert plan("stress", *options).stages[-1].rate == 32


def test_callers_have_no_due_times() -> None:
    callers = plan("--concurrency", "32", "--vehicles", "200")
    assert callers.concurrency == 32
    assert {vehicle.due for vehicle in callers.vehicles} == {0.0}


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--rate", "1e5", "--duration", "1e5"), "--rate and --duration: make 10,000,000,000"),
        (("stress", "--rate", "9", "--max-rate", "3"), "--max-rate 3: is below"),
        (
            ("stress", "--max-rate", "10", "--min-rate", "10"),
            "--min-rate 10: is above the last step's rate, 9.76562; give at most that, or a higher",
        ),
        (("stress", "--max-rate", "1e5"), "--max-rate, --step and --factor: make"),
    ],
)
def test_a_run_that_cannot_be_planned_says_why(arguments: Sequence[str], fault: str) -> None:
    with pytest.raises(PlanError, match=fault.replace(".", r"\.")):
        plan(*arguments)


@pytest.mark.parametrize(("name", "median"), [("fast", 28.5), ("workplace", 7.1)])
def test_drawn_energies_have_the_median_of_the_fit(name: str, median: float) -> None:
    energies = sorted(
        vehicle.kwh for vehicle in plan("--vehicles", "20000", "--kwh", name).vehicles
    )
    assert energies[10_000] == pytest.approx(median, rel=0.03)


@pytest.mark.parametrize("demand", [FAST_CHARGING, WORKPLACE])
def test_no_drawn_energy_lies_outside_what_was_seen(demand: object) -> None:
    assert isinstance(demand, type(WORKPLACE))
    rng = Streams.from_seed(3).energies
    drawn = [demand.draw(rng).kwh for _ in range(20_000)]
    assert min(drawn) >= demand.least
    assert max(drawn) <= demand.most


def test_a_fixed_energy_is_the_same_for_all() -> None:
    assert {vehicle.kwh for vehicle in plan("--kwh", "6.5").vehicles} == {6.5}
    assert str(FixedDemand(6.5)) == "6.5 kWh each"


@given(
    st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 50)), min_size=2, max_size=6).filter(
        lambda pieces: sum(rate for _, rate in pieces) > 1
    ),
    st.integers(1, 200),
    st.sampled_from(Spacing),
)
def test_arrivals_are_in_order_within_the_curve_and_as_many_as_asked(
    pieces: list[tuple[float, float]], count: int, spacing: Spacing
) -> None:
    time, knots = 0.0, []
    for length, rate in pieces:
        knots.append((time, rate))
        time += length
    moments = arrivals(RateCurve(knots), count, spacing, Streams.from_seed(1).arrivals)
    assert len(moments) == count
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] <= knots[-1][0] + 1e-6


@given(st.floats(0, 1))
def test_a_moment_of_a_rate_curve_has_its_share_of_vehicles_before_it(share: float) -> None:
    curve = RateCurve([(0.0, 0.0), (10.0, 20.0), (20.0, 20.0), (30.0, 0.0)])

    def expected(at: float) -> float:
        if at <= 10:
            return at * at
        return 100 + 20 * (at - 10) if at <= 20 else 400 - (30 - at) ** 2

    assert expected(curve.moment(share * curve.total)) == pytest.approx(share * 400, abs=1e-6)
