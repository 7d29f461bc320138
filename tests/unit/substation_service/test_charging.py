"""One vehicle at a point: the taper of its battery, and its predicted course."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from substation_service.charging import Charging, Demand


def charging(demand: Demand, point_power_kw: float = 50) -> Charging:
    """Plug a vehicle in at 0, under a clock that counts hours."""
    return Charging(demand, point_power_kw, now=0, hours_per_s=1)


def hours_by_linear_taper(demand: Demand, point_power_kw: float) -> float:
    """Integrate in tiny steps of energy how long a power takes that falls linearly."""
    full = demand.max_power_kw or point_power_kw
    assert demand.battery_kwh is not None
    assert demand.soc is not None
    parts, hours = 200_000, 0.0
    for part in range(parts):
        soc = demand.soc + (part + 0.5) / parts * demand.kwh / demand.battery_kwh
        taper = full * min(1, 1 - 0.9 * (soc - 0.8) / 0.2)
        hours += demand.kwh / parts / min(taper, point_power_kw)
    return hours


@pytest.mark.parametrize(
    ("demand", "point_power_kw"),
    [
        (Demand(60, 100, 60, 0.0), 150),
        (Demand(6, 50, 60, 0.9), 50),
        (Demand(10, 100, 60, 0.805), 50),  # first held back by the point, then by the battery
        (Demand(12, 400, 60, 0.8), 30),  # by the point to the end
        (Demand(3.3, None, 60, 0.777), 50),
        (Demand(0.5, 40, 60, 0.8031), 50),  # within a step
    ],
)
def test_alone_a_vehicle_is_charged_at_the_very_time_of_a_linear_taper(
    demand: Demand, point_power_kw: float
) -> None:
    expected = hours_by_linear_taper(demand, point_power_kw)

    assert charging(demand, point_power_kw).ends == pytest.approx(expected, rel=1e-8)


def test_the_cap_of_each_step_is_within_the_taper_at_its_ends() -> None:
    one = charging(Demand(60, 50, 60, 0.0))
    assert one.cap_kw(0) == 50
    hour = 48 / 50
    for percent in range(80, 100):
        here, there = (50 * (1 - 0.9 * (soc - 80) / 20) for soc in (percent, percent + 1))
        hour += 0.3 / (middle := one.cap_kw(hour))
        assert there < middle < here
        assert one.delivered_kwh(hour) == pytest.approx(0.6 * percent + 0.3)
        hour += 0.3 / middle + 1e-9
    assert one.cap_kw(hour) == 0
    assert one.power_kw(hour) == 0


@given(
    point_power_kw=st.floats(1, 400),
    max_power_kw=st.none() | st.floats(1, 4000),
    soc=st.sampled_from([0.0, 0.8, 0.81, 0.95]) | st.floats(0, 0.99),
)
@example(point_power_kw=51.46, max_power_kw=124.0, soc=0.0)  # the bend is as good as at 93%
@settings(max_examples=300)
def test_no_step_is_over_the_point_or_the_vehicle_or_the_step_before(
    point_power_kw: float, max_power_kw: float | None, soc: float
) -> None:
    one = charging(Demand((1 - soc) * 60, max_power_kw, 60, soc), point_power_kw)
    before, now = one.max_power_kw, 0.0
    assert before == min(point_power_kw, max_power_kw or point_power_kw)

    for _ in range(25):
        assert one.cap_kw(now) <= before  # not by a rounding error
        before, now = one.cap_kw(now), one.cap_changes
        if now == math.inf:
            break
        one.advance(now)
    assert before == 0
    assert now == math.inf


def test_a_vehicle_that_takes_more_than_it_reported_continues_at_a_tenth() -> None:
    one = charging(Demand(20, 50, 60, 0.9))  # 6 kWh fit

    assert one.cap_kw(one.ends - 0.1) == pytest.approx(5)
    assert one.ends == pytest.approx(charging(Demand(6, 50, 60, 0.9)).ends + 14 / 5)


def test_without_a_state_of_charge_nothing_tapers() -> None:
    assert charging(Demand(60, battery_kwh=60)).ends == 60 / 50
    assert charging(Demand(60, max_power_kw=11)).ends == 60 / 11


@pytest.mark.parametrize("soc", [0.0, 0.5, 0.8, 0.87, 0.999_999_9, 1.0])
@pytest.mark.parametrize("kwh", [5e-324, 1e-12, 1e-6, 0.01])
def test_a_tiny_demand_ends_too(soc: float, kwh: float) -> None:
    one = charging(Demand(kwh, 50, 100_000, soc))

    assert 0 <= one.ends < 0.01
    assert one.delivered_kwh(1) == kwh
    assert one.remaining_kwh(1) == 0


def test_mean_and_peak_are_those_of_what_it_drew() -> None:
    one = charging(Demand(50))
    one.advance(0, 10)  # for no time at all: no peak of 50
    one.advance(1, 30)
    assert (one.mean_power_kw, one.peak_power_kw) == (10, 10)
    one.advance(math.inf)
    assert (one.ends, one.peak_power_kw) == (1 + 40 / 30, 30)
    assert one.mean_power_kw == pytest.approx(50 / (1 + 40 / 30))


def test_a_charge_of_no_length_has_the_power_that_it_was_given() -> None:
    one = Charging(Demand(1e-9), 50, now=1e9, hours_per_s=1e6)
    one.advance(1e9)

    assert one.ends == 1e9
    assert (one.mean_power_kw, one.peak_power_kw) == (50, 50)


def test_a_session_that_is_amended_by_next_to_nothing_gets_it_after_that_and_not_at_once() -> None:
    """So little that it takes none of the clock's time: the meter does not jump."""
    one = charging(Demand(0.001))
    assert one.delivered_kwh(360.0) == 0.001

    one.amend(math.nextafter(0.001, 1), 360.0, 50)

    assert one.delivered_kwh(360.0) == 0.001
    assert one.ends == math.nextafter(360.0, math.inf)
    assert one.delivered_kwh(one.ends) == one.demand.kwh == math.nextafter(0.001, 1)


def test_a_vehicle_whose_taper_begins_at_once_has_the_peak_that_it_drew() -> None:
    one = charging(Demand(6, 50, 60, 0.8))
    first_kw = one.cap_kw(0)

    one.advance(one.cap_changes)

    assert one.peak_power_kw == first_kw < 50


def test_a_session_that_is_amended_goes_on_as_one_that_asked_for_all_at_once() -> None:
    one, whole = charging(Demand(6, 50, 60, 0.7)), charging(Demand(15, 50, 60, 0.7))

    one.amend(15, 0.1, 50)  # at 78%: both taper from 80% on

    assert one.ends == pytest.approx(whole.ends)
    for now in (0.11, 0.15, 0.2, 0.25, 0.3):
        assert one.delivered_kwh(now) == pytest.approx(whole.delivered_kwh(now))
        assert one.cap_kw(now) == pytest.approx(whole.cap_kw(now))


@pytest.mark.parametrize("known", [{"soc": 0.7}, {"battery_kwh": 60.0}])
def test_a_session_that_is_amended_tapers_only_if_its_battery_is_known(
    known: dict[str, float],
) -> None:
    one = charging(Demand(10, **known))
    one.amend(30, 0.1, 50)
    assert one.ends == pytest.approx(30 / 50)


def test_a_session_that_is_amended_to_what_it_has_ended_when_it_had_it() -> None:
    one = charging(Demand(50))
    one.amend(50, 3.0, 50)
    assert (one.ends, one.cap_kw(3.0)) == (1, 0)


def test_a_peak_may_be_of_little_power() -> None:
    one = charging(Demand(1, max_power_kw=0.5))
    one.advance(1)
    assert one.peak_power_kw == 0.5
