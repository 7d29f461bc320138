"""The lower bound of what a vehicle costs at similar substations, and the prediction for each."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.routing.demand import ChargingStage, Demand
from load_balancer.routing.index.lower_bound import (
    SupplyRange,
    min_cost_hours,
    min_start_hours,
)
from load_balancer.routing.prediction import Supply, predict

POINT_POWER_KW = 150.0
DEMANDS = st.sampled_from(
    [
        Demand(10.0),
        Demand(60.0, 11.0),
        Demand(30.0, 120.0),
        Demand(20.0, 250.0, 60.0, 0.6),
        Demand(12.0, 100.0, 60.0, 0.8),
    ]
)
FACTORS = st.sampled_from([1.0, 1.7, 3.5])


def supplies(sessions: int) -> st.SearchStrategy[Supply]:
    """Draw a substation with this many sessions; an hour is a second there."""
    return st.builds(
        lambda each_kw, kwh, limit_kw: Supply(
            sessions, sessions * each_kw, kwh, POINT_POWER_KW, limit_kw, 1.0
        ),
        st.sampled_from([4.0, 11.0, 50.0, 150.0]) | st.floats(1, 150),
        st.floats(0.5, 400),
        st.sampled_from([10.0, 43.0, 150.0, 700.0]) | st.floats(5, 900),
    )


def range_of(*supplies: Supply) -> SupplyRange:
    each_kw = [one.committed_kw / one.sessions for one in supplies]
    limits_kw = [one.limit_kw for one in supplies]
    return SupplyRange(
        supplies[0].sessions,
        min(each_kw),
        max(each_kw),
        min(limits_kw),
        max(limits_kw),
        min(one.remaining_kwh for one in supplies),
    )


def cost_hours(
    supply: Supply, stages: tuple[ChargingStage, ...], factor: float, *, waits: bool
) -> float:
    found = predict(supply, stages, after_ends=int(waits))
    return found.start_s + found.charging_s * factor + found.slows_s


@given(st.integers(1, 12).flatmap(supplies), DEMANDS, FACTORS, st.booleans())
def test_the_bound_of_a_single_substation_is_its_cost(
    supply: Supply, demand: Demand, factor: float, waits: bool
) -> None:
    stages = demand.stages(POINT_POWER_KW)
    bound = min_cost_hours(range_of(supply), stages, factor, waits=waits)
    assert bound == pytest.approx(cost_hours(supply, stages, factor, waits=waits), rel=1e-9)


@given(
    st.integers(1, 12).flatmap(lambda sessions: st.tuples(*[supplies(sessions)] * 3)),
    DEMANDS,
    FACTORS,
    st.booleans(),
)
def test_the_bound_of_several_substations_is_below_the_cost_at_each(
    several: tuple[Supply, ...], demand: Demand, factor: float, waits: bool
) -> None:
    stages = demand.stages(POINT_POWER_KW)
    bound = min_cost_hours(range_of(*several), stages, factor, waits=waits)
    for supply in several:
        assert bound <= cost_hours(supply, stages, factor, waits=waits) * (1 + 1e-9)


@given(st.integers(1, 12).flatmap(supplies))
def test_the_first_point_becomes_free_as_early_as_predicted(supply: Supply) -> None:
    stages = Demand(10.0).stages(POINT_POWER_KW)
    start_s = predict(supply, stages, after_ends=1).start_s
    assert min_start_hours(range_of(supply)) == pytest.approx(start_s, rel=1e-9)


def test_where_no_power_is_the_bound_is_infinite() -> None:
    nothing = SupplyRange(2, 11.0, 11.0, 0.0, 0.0, 5.0)
    assert min_cost_hours(nothing, Demand(10.0).stages(150.0), 1.0, waits=False) == inf
    assert min_start_hours(nothing) == inf
    assert min_start_hours(nothing._replace(min_kwh=0.0)) == 0


def test_where_some_may_have_no_power_the_first_kwh_count_only_at_the_best_of_them() -> None:
    # Beside two sessions it may get nothing until the last of them has ended.
    weak = SupplyRange(2, 40.0, 50.0, 0.0, 60.0, 5.0)
    stages = Demand(30.0).stages(POINT_POWER_KW)
    assert min_cost_hours(weak, stages, 2.0, waits=False) == pytest.approx(2 * 30 / 60)


def test_of_a_million_sessions_so_many_ends_are_followed_as_in_a_prediction() -> None:
    supply = Supply(1_000_000, 11e6, 1e6, POINT_POWER_KW, 700.0, 1.0)
    stages = Demand(1000.0).stages(POINT_POWER_KW)
    bound = min_cost_hours(range_of(supply), stages, 1.0, waits=False)
    assert 0 < bound <= cost_hours(supply, stages, 1.0, waits=False)
