"""A vehicle by itself takes as long as at a real substation, taper and all."""

from itertools import product

import pytest

from load_balancer.routing.demand import ChargingStage, Demand
from load_balancer.routing.prediction import Supply, alone_s
from substation_service import charging
from substation_service.substation import Substation


def real_s(demand: Demand, point_power_kw: float) -> float:
    """Charge it at a real substation with one point."""
    substation = Substation(1, point_power_kw, time_scale=360)
    return substation.plug_in(charging.Demand(*demand), 0.0).ends


def reported_s(demand: Demand, point_power_kw: float) -> float:
    supply = Supply(0, 0.0, 0.0, point_power_kw, point_power_kw, 360 / 3600)
    return alone_s(supply, demand.stages(point_power_kw))


def test_a_vehicle_that_tells_nothing_draws_all_that_the_point_gives() -> None:
    assert Demand(20).stages(50) == (ChargingStage(20, 50),)
    assert Demand(20).cap_kw(50) == 50


def test_a_vehicle_draws_no_more_than_its_maximum() -> None:
    assert Demand(20, 11).stages(50) == (ChargingStage(20, 11),)
    assert Demand(20, 150).stages(50) == (ChargingStage(20, 50),)
    assert (Demand(20, 11).cap_kw(50), Demand(20, 150).cap_kw(50)) == (11, 50)


def test_power_falls_from_four_fifths_of_the_battery_on() -> None:
    below = Demand(40, 100, battery_kwh=100, soc=0.4)
    assert below.stages(150) == (ChargingStage(40, 100),)
    beyond = below._replace(kwh=50)
    full, falling = beyond.stages(150)
    assert tuple(full) == pytest.approx((40, 100))
    assert falling.kwh == pytest.approx(10)
    assert 55 < falling.cap_kw < 100  # at 0.9 it is down to 55 kW


def test_a_weak_point_hides_the_beginning_of_the_fall() -> None:
    strong = Demand(19, 100, battery_kwh=100, soc=0.75)
    full, falling = strong.stages(55)  # all that it could draw falls to 55 kW at 0.9
    assert tuple(full) == pytest.approx((15, 55))
    assert 37 < falling.cap_kw < 55


@pytest.mark.parametrize(
    ("soc", "share", "max_power_kw", "point_power_kw"),
    list(
        product(
            [0.0, 0.3, 0.79, 0.8, 0.85, 0.97], [0.1, 0.6, 1.0], [11, 50, 250, None], [11, 50, 350]
        )
    ),
)
def test_it_takes_as_long_as_at_a_real_substation(
    soc: float, share: float, max_power_kw: float | None, point_power_kw: float
) -> None:
    demand = Demand(share * (1 - soc) * 75, max_power_kw, 75, soc)
    assert reported_s(demand, point_power_kw) == pytest.approx(
        real_s(demand, point_power_kw), rel=1e-9
    )
    assert sum(stage.kwh for stage in demand.stages(point_power_kw)) == pytest.approx(demand.kwh)


@pytest.mark.parametrize(("battery_kwh", "soc"), [(None, None), (60.0, None), (None, 0.9)])
def test_of_a_battery_of_which_not_all_is_reported_nothing_is_made(
    battery_kwh: float | None, soc: float | None
) -> None:
    assert Demand(6, 40, battery_kwh, soc).stages(50) == ((6, 40),)


def test_a_full_battery_takes_a_tenth_of_its_power() -> None:
    [stage] = Demand(1, 40, 60, 1.0).stages(50)
    assert tuple(stage) == pytest.approx((1, 4))


def test_a_battery_at_its_taper_has_no_stage_before_it() -> None:
    [stage] = Demand(1, 40, 60, 0.8).stages(50)
    assert stage.kwh == 1
    assert 4 < stage.cap_kw < 40
