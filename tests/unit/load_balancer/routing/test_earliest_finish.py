"""The default policy: each vehicle goes, or waits, where it will be charged first."""

from math import inf
from random import Random
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.routing import earliest_finish
from load_balancer.routing.demand import Demand
from load_balancer.routing.earliest_finish import EarliestFinish
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.policy import Choice, Option, Request
from load_balancer.routing.prediction import Prediction, Supply, predict
from tests.unit.load_balancer.routing.grid import candidate

HOURS_PER_S = 0.1  # a second is six minutes
POLICY = EarliestFinish()
CAR = Demand(30, 150)


def option(
    name: str,
    load: int = 0,
    *,
    points: int = 4,
    point_power_kw: float | None = 50,
    limit_kw: float = inf,
    each_kw: float = 50,
    each_kwh: float = 20,
    last_chosen: int = 0,
) -> Option:
    """Give a substation with so many vehicles; one without a point power publishes none."""
    supply = None
    if point_power_kw is not None:
        supply = Supply(
            load,
            load * min(each_kw, point_power_kw),
            load * each_kwh,
            point_power_kw,
            limit_kw,
            HOURS_PER_S,
        )
    return Option(candidate(name, load, points, last_chosen), points - load, supply)


def choose(
    *options: Option, demand: Demand = CAR, max_deferral_s: float = 0.0, waiting: int = 0
) -> Choice:
    return POLICY.choose(options, Request(demand, max_deferral_s, waiting), Random(1))


def chosen(*options: Option, demand: Demand = CAR) -> str:
    choice = choose(*options, demand=demand)
    assert not choice.waits
    return choice.candidate.name


def predicted_start_s(*options: Option) -> float:
    prediction = choose(*options, max_deferral_s=60).prediction
    assert prediction is not None
    return prediction.start_s


def next_best(choice: Choice) -> tuple[str, Prediction]:
    assert choice.next_best is not None
    return choice.next_best


# Where


def test_a_vehicle_goes_to_the_fastest_point_rather_than_to_the_emptiest_substation() -> None:
    assert chosen(option("slow", 0), option("fast", 3, point_power_kw=150)) == "fast"


def test_a_fast_point_that_shares_its_power_with_many_is_no_fast_point() -> None:
    crowded = option("fast", 7, points=8, point_power_kw=350, limit_kw=200, each_kw=100)
    assert chosen(option("slow", 0), crowded) == "slow"


def test_what_it_cannot_use_is_worth_nothing_to_a_slow_vehicle() -> None:
    slow = Demand(30, 11)
    fast = option("fast", 1, point_power_kw=350)
    assert chosen(option("slow", 1, point_power_kw=22), fast, demand=slow) == "slow"


def test_the_choice_tells_the_finish_and_what_the_next_best_would_have_been() -> None:
    choice = choose(option("slow"), option("fast", point_power_kw=150), option("slower", 1))
    assert choice.prediction is not None
    assert tuple(choice.prediction) == pytest.approx((0, 30 / 150 / HOURS_PER_S, 0))
    name, prediction = next_best(choice)
    assert name == "slow"
    assert prediction.finish_s == pytest.approx(30 / 50 / HOURS_PER_S)


def test_of_next_bests_that_finish_at_the_same_time_the_first_is_reported() -> None:
    choice = choose(option("best"), option("c", 1), option("b", 1), option("d", 1))
    assert choice.candidate.name == "best"
    assert next_best(choice)[0] == "c"


def test_the_reason_tells_whether_a_finish_was_the_earliest_or_one_of_equals() -> None:
    alone, fast = option("slow"), option("fast", point_power_kw=150)
    assert choose(alone).reason == choose(alone, fast).reason == "earliest predicted finish"
    of_equals = "equal predicted finish, least (load + 1) / capacity"
    assert choose(alone, option("other")).reason == of_equals
    assert choose(alone, option("other"), option("third")).reason == of_equals


def test_finishes_that_differ_by_a_rounding_alone_are_equal() -> None:
    one = option("emptier", 0, point_power_kw=50)
    assert chosen(one, option("faster", 1, point_power_kw=50 * (1 + 5e-10))) == "emptier"
    assert chosen(one, option("faster", 1, point_power_kw=50 * (1 + 5e-9))) == "faster"


def predicted(monkeypatch: pytest.MonkeyPatch, *options: Option, demand: Demand = CAR) -> int:
    """Count the substations that are looked at closely."""
    looks = Mock(wraps=predict)
    monkeypatch.setattr(earliest_finish, "predict", looks)
    choose(*options, demand=demand)
    return looks.call_count


def test_once_two_fast_points_are_found_no_slow_one_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = [option(f"slow{number}") for number in range(9)]
    fast = [option(f"fast{number}", point_power_kw=150) for number in range(2)]
    assert predicted(monkeypatch, *slow, *fast) == 2


def test_nor_one_of_which_the_vehicle_leaves_more_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At all of them it takes as long; what it leaves counts by how full they are.
    fast = [option(f"fast{number}", points=40, point_power_kw=350) for number in range(2)]
    full = option("slow", 3, point_power_kw=50)
    assert predicted(monkeypatch, *fast, full, demand=Demand(30, 40)) == 2


def test_the_only_substation_has_no_next_best() -> None:
    assert choose(option("only")).next_best is None


def test_without_power_anywhere_the_least_loaded_substation_is_as_good_as_any() -> None:
    assert chosen(option("a", 2, limit_kw=0), option("b", 1, limit_kw=0)) == "b"


# Waiting


def test_a_vehicle_is_deferred_for_a_fast_point_that_frees_soon() -> None:
    full = option("fast", 4, point_power_kw=150, each_kw=150, each_kwh=5)
    choice = choose(option("slow"), full, max_deferral_s=60)
    assert (choice.candidate.name, choice.waits) == ("fast", True)
    assert choice.prediction is not None
    assert 0 < choice.prediction.start_s < 2
    assert next_best(choice)[0] == "slow"


def test_it_is_not_where_that_frees_late() -> None:
    full = option("fast", 4, point_power_kw=150, each_kw=150, each_kwh=500)
    assert choose(option("slow"), full, max_deferral_s=600).candidate.name == "slow"


def test_it_is_not_where_it_may_not_wait_for_so_long() -> None:
    full = option("fast", 4, point_power_kw=150, each_kw=150, each_kwh=20)
    start_s = predicted_start_s(option("slow"), full)
    assert start_s > 0
    assert choose(option("slow"), full, max_deferral_s=2.01 * start_s).waits
    assert not choose(option("slow"), full, max_deferral_s=1.99 * start_s).waits


def test_it_is_where_that_frees_at_half_the_time_that_it_may_wait_to_the_moment() -> None:
    # Of 4 sessions with 80 kWh, at 150 kW each, the first has 20 left.
    full = option("fast", 4, point_power_kw=150, each_kw=150, each_kwh=15)
    start_s = predicted_start_s(option("slow"), full)
    assert choose(option("slow"), full, max_deferral_s=2 * start_s).waits


def test_of_a_full_substation_a_vehicle_leaves_no_more_unused_than_of_one_that_it_fills() -> None:
    # 30 kWh at 75 kW take 4 s; half of the point unused counts for 35% of that, not for 70%.
    full = option("fast", 1, points=1, point_power_kw=150, each_kw=150, each_kwh=0.1)
    choice = choose(option("slow"), full, demand=Demand(30, 75), max_deferral_s=60)
    assert (choice.candidate.name, choice.waits) == ("fast", True)


def test_a_point_that_is_kept_for_another_is_free_one_end_later() -> None:
    full = option("fast", 4, point_power_kw=150, each_kw=150, each_kwh=5)
    first_s = predicted_start_s(option("slow"), full)
    assert predicted_start_s(option("slow"), full._replace(free=-1)) > 2 * first_s


def test_among_equals_a_free_point_comes_before_one_to_wait_for() -> None:
    full = option("full", 4, each_kwh=0)
    assert chosen_or_waits(full, option("free", 3)) == ("free", False)


def test_a_point_that_is_kept_for_another_is_none_that_is_free() -> None:
    kept = option("kept", 1, each_kwh=0)._replace(free=0)
    assert chosen_or_waits(kept, option("free", 3)) == ("free", False)


def chosen_or_waits(*options: Option) -> tuple[str, bool]:
    choice = choose(*options, max_deferral_s=60)
    return choice.candidate.name, choice.waits


# Others


def test_it_goes_where_it_is_a_little_later_if_it_costs_others_less() -> None:
    # At one it gets 21.9 kW, which is the others' loss, at the other 20, which they leave.
    others = option("others", 7, points=8, limit_kw=350, each_kw=50, each_kwh=1e6)
    half = Demand(30, 0.5 * 350 / 8)
    crowded = choose(others, demand=half).prediction
    assert crowded is not None
    room = option("room", 7, points=8, limit_kw=160, each_kw=20, each_kwh=1e6)
    assert choose(others, room, demand=half).candidate.name == "room"
    roomy = choose(room, demand=half).prediction
    assert roomy is not None
    assert roomy.charging_s > crowded.charging_s
    assert (roomy.slows_s, crowded.slows_s > 0) == (0, True)


def test_a_slow_vehicle_leaves_the_fast_point_to_others_the_more_of_them_wait() -> None:
    slow = Demand(30, 60)
    fast = option("fast", 3, point_power_kw=350)
    assert choose(option("slow"), fast, demand=slow).candidate.name == "slow"
    empty = option("fast", 0, point_power_kw=350, points=40)
    assert choose(option("slow"), empty, demand=slow).candidate.name == "fast"
    assert choose(option("slow"), empty, demand=slow, waiting=30).candidate.name == "fast"
    fuller = option("fast", 8, point_power_kw=350, points=40)
    assert choose(option("slow"), fuller, demand=slow).candidate.name == "fast"
    assert choose(option("slow"), fuller, demand=slow, waiting=30).candidate.name == "slow"


# Substations that publish only load and capacity


def test_a_substation_that_publishes_no_power_gets_the_vehicle_where_it_is_the_least_loaded() -> (
    None
):
    fast = option("fast", 1, point_power_kw=350)
    assert chosen(option("silent", 0, point_power_kw=None), fast) == "silent"
    assert chosen(option("silent", 2, point_power_kw=None), fast) == "fast"
    assert choose(option("silent", 0, point_power_kw=None), fast).prediction is None


def test_the_others_are_ranked_by_finish_among_themselves() -> None:
    options = [
        option("silent", 3, point_power_kw=None),
        option("slow", 1),
        option("fast", 2, point_power_kw=350),
    ]
    assert chosen(*options) == "fast"


OPTIONS = st.lists(
    st.tuples(st.integers(1, 30), st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=8
)
DEMANDS = st.one_of(
    st.floats(0.01, 100).map(Demand),
    st.tuples(st.floats(0.01, 100), st.floats(1, 300)).map(lambda reported: Demand(*reported)),
    st.tuples(st.floats(0.01, 20), st.floats(1, 300), st.just(100.0), st.floats(0, 0.8)).map(
        lambda reported: Demand(*reported)
    ),
)


@given(substations=OPTIONS, demand=DEMANDS, silent=st.booleans(), waiting=st.integers(0, 50))
def test_where_substations_are_alike_and_unlimited_or_silent_it_is_least_loaded(
    substations: list[tuple[int, float, int]], demand: Demand, silent: bool, waiting: int
) -> None:
    options = [
        option(
            str(number),
            int(share * points),
            points=points,
            point_power_kw=None if silent else 50,
            limit_kw=50 * points,
            last_chosen=last_chosen,
        )
        for number, (points, share, last_chosen) in enumerate(substations)
    ]
    if not any(one.free > 0 for one in options):
        return
    request = Request(demand, 3600.0, waiting)
    ours, least_loaded = (
        policy.choose(options, request, Random(1)) for policy in (POLICY, POLICIES["least-loaded"])
    )
    assert not ours.waits
    assert ours.candidate == least_loaded.candidate


@given(
    substations=st.lists(
        st.builds(
            option,
            st.sampled_from("abcdefgh"),
            st.integers(0, 8),
            points=st.just(8),
            point_power_kw=st.sampled_from([11.0, 50.0, 150.0, 350.0, None]),
            limit_kw=st.sampled_from([0.0, 100.0, 400.0, inf]),
            each_kw=st.floats(0, 300),
            each_kwh=st.floats(0, 100),
            last_chosen=st.integers(0, 9),
        ),
        min_size=1,
        max_size=12,
    ),
    demand=DEMANDS,
    max_deferral_s=st.sampled_from([0.0, 1.0, 60.0]),
)
def test_substations_that_are_not_looked_at_are_not_among_the_best_two(
    substations: list[Option], demand: Demand, max_deferral_s: float
) -> None:
    if not any(one.free > 0 for one in substations):
        return
    request = Request(demand, max_deferral_s)
    choice = POLICY.choose(substations, request, Random(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(earliest_finish, "alone_s", lambda *_: 0.0)  # so that none is left out
        assert POLICY.choose(substations, request, Random(1)) == choice
    free = [one.candidate for one in substations if one.free > 0]
    assert any(choice.candidate is one for one in free) != choice.waits


def test_it_has_a_name_and_falls_back_on_the_least_loaded_in_so_many_words() -> None:
    policy = EarliestFinish()
    assert (policy.name, policy.reason) == ("earliest-finish", "least (load + 1) / capacity")
    silent = [option("full", 3, point_power_kw=None), option("free", 1, point_power_kw=None)]
    choice = policy.choose(silent, Request(CAR), Random(1))
    assert (choice.candidate.name, choice.reason) == ("free", "least (load + 1) / capacity")
