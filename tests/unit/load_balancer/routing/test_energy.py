"""Between two polls a substation's energy is known from what was handed over, ended and drawn."""

from math import inf
from typing import Any

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.prediction import Prediction, Supply
from tests.unit.load_balancer.routing.grid import Grid

# 0.1 hours of charging in a second: 50 kW are 5 kWh a second.
POWER: dict[str, Any] = {"point_power_kw": 50.0, "power_limit_kw": 200.0, "time_scale": 360.0}


def grid_of(*capacities: int, policy: str = "earliest-finish") -> Grid:
    grid = Grid(*capacities, policy=policy)
    for name in grid.capacities:
        poll(grid, name)
    return grid


def poll(
    grid: Grid,
    name: str = "a",
    load: int | None = None,
    *,
    committed_kw: float = 0.0,
    remaining_kwh: float = 0.0,
    power_kw: float | None = None,
) -> None:
    grid.poll(
        name,
        load,
        committed_power_kw=committed_kw,
        remaining_energy_kwh=remaining_kwh,
        power_kw=power_kw,
        **POWER,
    )


def test_a_substation_that_publishes_only_its_load_supplies_nothing_that_is_known() -> None:
    grid = Grid(4)
    assert grid.substation("a").supply(grid.now) is None
    grid.poll("a", point_power_kw=50.0, committed_power_kw=0.0)  # and no energy
    assert grid.substation("a").supply(grid.now) is None


def test_without_a_limit_or_a_time_scale_there_is_none_and_time_is_real() -> None:
    grid = Grid(4)
    grid.poll("a", point_power_kw=50.0, committed_power_kw=0.0, remaining_energy_kwh=0.0)
    assert grid.supply() == Supply(0, 0.0, 0.0, 50.0, float("inf"), 1 / 3600)


def test_after_a_poll_the_estimate_is_what_the_gauges_say() -> None:
    grid = grid_of(8)
    poll(grid, load=3, committed_kw=120, remaining_kwh=60)
    assert grid.supply() == Supply(3, 120, 60, 50, 200, 0.1)


def test_those_that_are_still_there_have_still_something_to_get() -> None:
    grid = grid_of(8)
    poll(grid, load=3, committed_kw=120, remaining_kwh=60)
    grid.pass_time(100)
    assert 0 < grid.supply().remaining_kwh < 5


def test_a_vehicle_that_is_handed_over_counts_at_once() -> None:
    grid = grid_of(8)
    poll(grid, load=3, committed_kw=120, remaining_kwh=60, power_kw=120)
    grid.arrive(demand=Demand(20, 30))
    assert grid.supply() == Supply(4, 150, 80, 50, 200, 0.1)
    grid.pass_time(1)
    assert grid.supply().remaining_kwh == pytest.approx(80 - 150 * 0.1)


@pytest.mark.parametrize("after_s", [4, 1], ids=["as predicted", "early"])
def test_a_vehicle_that_ends_takes_its_power_with_it_and_what_it_had_still_to_get(
    after_s: float,
) -> None:
    grid = grid_of(8)
    queued = grid.arrive(demand=Demand(20))  # 4 s at 50 kW
    grid.arrive(demand=Demand(40, 40))
    grid.pass_time(after_s)
    grid.complete(queued)
    assert tuple(grid.supply()) == pytest.approx((1, 40, 40 - 4 * after_s, 50, 200, 0.1))


def test_a_vehicle_that_was_turned_away_leaves_nothing_behind() -> None:
    grid = grid_of(8)
    poll(grid, load=4, committed_kw=160, remaining_kwh=80)
    queued = grid.arrive(demand=Demand(20))
    grid.pass_time(0.01)
    grid.find_full(queued)
    # Its four unknown vehicles are taken to be like the four that are known.
    assert tuple(grid.supply()) == pytest.approx((8, 320, 160, 50, 200, 0.1), rel=0.01)


def test_vehicles_of_which_nothing_is_known_charge_for_half_an_hour() -> None:
    grid = grid_of(4)
    grid.find_full(grid.arrive(demand=Demand(20)))
    assert grid.supply() == Supply(4, 200, 100, 50, 200, 0.1)


def test_a_page_written_before_a_vehicle_came_counts_it_all_the_same() -> None:
    grid = grid_of(8)
    grid.arrive(demand=Demand(30, 40))
    poll(grid, load=0)
    assert grid.supply() == Supply(1, 40, 30, 50, 200, 0.1)


def test_a_page_written_before_a_vehicle_went_counts_the_others_alone() -> None:
    grid = grid_of(8)
    queued_sessions = [grid.arrive(demand=Demand(30, 40)) for _ in range(4)]
    grid.poll_begins("a")
    grid.complete(queued_sessions[0])
    grid.poll_ends(
        "a", 4, committed_power_kw=160.0, remaining_energy_kwh=120.0, power_kw=None, **POWER
    )
    assert grid.supply() == Supply(3, 120, 90, 50, 200, 0.1)


def test_a_poll_sets_right_what_was_estimated() -> None:
    grid = grid_of(8)
    for _ in range(3):
        grid.arrive(demand=Demand(30))
    grid.pass_time(1)
    poll(grid, load=3, committed_kw=150, remaining_kwh=77)
    assert grid.supply().remaining_kwh == 77


def test_a_vehicle_of_which_nothing_was_predicted_takes_no_energy_with_it() -> None:
    grid = grid_of(8, policy="least-loaded")
    queued = grid.arrive(demand=Demand(20))
    grid.arrive(demand=Demand(20))
    grid.complete(queued)
    assert grid.supply() == Supply(1, 50, 40, 50, 200, 0.1)


@pytest.mark.parametrize(
    ("charging_s", "remaining_kwh"), [(0.0, 37.5), (inf, 37.5), (0.5, 27.5), (0.2, 37.5)]
)
def test_what_a_vehicle_takes_with_it_is_what_was_left_of_its_prediction(
    charging_s: float, remaining_kwh: float
) -> None:
    grid = grid_of(8)
    queued = grid.arrive(demand=Demand(20))
    grid.arrive(demand=Demand(20))
    dispatch = grid.dispatch_of(queued)
    dispatch.decision = dispatch.decision._replace(prediction=Prediction(0.0, charging_s))
    grid.pass_time(0.25)  # in which 2.5 kWh are drawn
    grid.complete(queued)
    assert grid.supply().remaining_kwh == pytest.approx(remaining_kwh)


def test_what_comes_and_goes_leaves_the_little_that_there_was() -> None:
    grid = grid_of(8)
    poll(grid, load=1, committed_kw=0.5, remaining_kwh=0.5, power_kw=0.5)
    grid.complete(grid.arrive(demand=Demand(20)))
    assert tuple(grid.supply()) == pytest.approx((1, 0.5, 0.5, 50, 200, 0.1))
    grid.pass_time(0.2)
    assert grid.supply().remaining_kwh == pytest.approx(0.5 - 0.5 * 0.02)


@pytest.mark.parametrize(
    ("load", "committed_kw", "remaining_kwh", "power_kw", "drawn_kw"),
    [
        (3, 120, 60, 90, 90),
        (6, 300, 200, 200, 200),
        (6, 300, 200, 199, 199),
        (6, 300, 200, 0.999 * 200, 200),  # almost at the limit: it is held back by that
    ],
)
def test_energy_falls_by_what_is_drawn(
    load: int, committed_kw: float, remaining_kwh: float, power_kw: float, drawn_kw: float
) -> None:
    grid = grid_of(8)
    poll(grid, "a", load, committed_kw=committed_kw, remaining_kwh=remaining_kwh, power_kw=power_kw)
    for _ in range(2):
        grid.pass_time(1)
        remaining_kwh -= 0.1 * drawn_kw
        assert grid.supply().remaining_kwh == pytest.approx(remaining_kwh)


def test_what_is_asked_for_an_earlier_moment_is_what_was_known_last() -> None:
    grid = grid_of(8)
    poll(grid, load=3, committed_kw=120, remaining_kwh=60, power_kw=90)
    grid.now -= 1
    assert grid.supply().remaining_kwh == 60
