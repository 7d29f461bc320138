"""The substation's model, under a clock of the test's own."""

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from substation_service.power import ALLOCATIONS
from substation_service.substation import (
    Charging,
    Demand,
    Outcome,
    Sharing,
    Substation,
    SubstationFull,
)


def make_substation(
    points: int = 2, *, power_limit_kw: float | None = None, sharing: Sharing = Sharing.EQUAL
) -> Substation:
    return Substation(points, 50, power_limit_kw, sharing, time_scale=360)


def test_10_kwh_at_50_kw_take_2_seconds_at_the_default_time_scale() -> None:
    assert make_substation().plug_in(Demand(10), now=100).ends == 102


def test_load_and_power_follow_the_vehicles() -> None:
    substation = make_substation()

    first = substation.plug_in(Demand(10), now=0)
    substation.plug_in(Demand(20), now=0)
    assert (substation.load, substation.power_kw) == (2, 100)

    substation.unplug(first, 2, Outcome.CHARGED)
    assert (substation.load, substation.power_kw) == (1, 50)


def test_a_full_substation_reports_when_its_next_point_frees() -> None:
    substation = make_substation()
    substation.plug_in(Demand(50), now=0)
    substation.plug_in(Demand(20), now=0)

    with pytest.raises(SubstationFull) as full:
        substation.plug_in(Demand(1), now=1)

    assert full.value.free_in_s == 3
    assert substation.sessions[Outcome.REFUSED] == 1
    assert substation.load == 2


def test_capacity_is_the_number_of_points_whatever_the_limit() -> None:
    assert make_substation(10, power_limit_kw=149).capacity == 10
    assert make_substation(2, power_limit_kw=1).capacity == 2
    assert make_substation(10).power_limit_kw == 500


def test_two_vehicles_share_a_limit_and_the_one_that_stays_has_what_the_other_leaves() -> None:
    substation = make_substation(power_limit_kw=60)
    first = substation.plug_in(Demand(10), now=0)
    assert substation.power_kw == 50
    assert not substation.is_shared

    second = substation.plug_in(Demand(10), now=1)  # the first has 5 kWh of its 10
    assert substation.is_shared
    assert substation.power_kw == 60
    assert substation.next_event(1) == pytest.approx(1 + 5 / 3)
    assert substation.finished(2.6) == []
    assert substation.finished(2.7) == [first]
    assert substation.power_kw == 50  # the second alone, from the very moment

    assert substation.unplug(first, 2.7, Outcome.CHARGED) == 10
    assert second.ends == pytest.approx(1 + 5 / 3 + 1)
    assert (first.mean_power_kw, first.peak_power_kw) == (pytest.approx(10 / (8 / 3) * 10), 50)


def test_a_newcomer_hardly_slows_who_was_there_before_and_does_not_starve() -> None:
    substation = make_substation(power_limit_kw=60, sharing=Sharing.FIRST_COME)
    first = substation.plug_in(Demand(10), now=0)
    second = substation.plug_in(Demand(10), now=0)

    assert (first.power_kw(0), second.power_kw(0)) == (45, 15)


def test_a_lowered_limit_holds_at_once_and_the_standing_one_returns() -> None:
    substation = make_substation(power_limit_kw=60)
    charging = [substation.plug_in(Demand(100), now=0) for _ in "ab"]

    substation.set_limit(10, now=1, until=3)
    assert substation.power_kw == 10
    assert [one.power_kw(1) for one in charging] == [5, 5]
    assert (substation.power_limit_kw, substation.limit_ends) == (10, 3)
    assert substation.next_event(1) == 3

    substation.advance(4)
    assert (substation.power_limit_kw, substation.power_kw) == (60, 60)
    assert charging[0].delivered_kwh(4) == pytest.approx(0.1 * (30 * 1 + 5 * 2 + 30 * 1))

    substation.set_limit(20, now=4)
    substation.set_limit(40, now=4, until=5)
    substation.advance(6)
    assert substation.power_limit_kw == 20


def test_at_a_limit_of_0_everything_stands_still_until_it_is_lifted() -> None:
    substation = make_substation()
    charging = substation.plug_in(Demand(10), now=0)
    substation.set_limit(0, now=1)

    assert substation.power_kw == 0
    assert substation.next_event(1) is None
    assert substation.remaining_s(charging, 1000) == math.inf
    substation.plug_in(Demand(10), now=1000)
    with pytest.raises(SubstationFull) as full:
        substation.plug_in(Demand(10), now=1000)
    assert full.value.free_in_s == math.inf

    substation.set_limit(100, now=1000)
    assert charging.ends == 1001


@pytest.mark.parametrize("limit", [-1, math.inf, math.nan])
def test_a_limit_is_a_number_of_kilowatts(limit: float) -> None:
    with pytest.raises(ValueError, match="not a power limit"):
        make_substation().set_limit(limit, now=0)


def test_who_loses_power_loses_it_before_another_gains_it(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [[50.0, 10.0], [10.0, 50.0], [50.0, 10.0], [20.0, 20.0, 20.0]]
    monkeypatch.setitem(ALLOCATIONS, Sharing.EQUAL, lambda _caps, _limit: turns.pop(0))
    substation = make_substation(3, power_limit_kw=60)
    drawn: list[float] = []
    advance = Charging.advance

    def watched(one: Charging, now: float, share_kw: float | None = None) -> float:
        kwh = advance(one, now, share_kw)
        drawn.append(substation.power_kw)
        return kwh

    monkeypatch.setattr(Charging, "advance", watched)
    substation.plug_in(Demand(100), now=0)
    substation.plug_in(Demand(100), now=0)
    for _ in "ab":
        substation.set_limit(60, now=1)
    substation.plug_in(Demand(100), now=2)

    assert drawn == [50, 50, 60, 20, 60, 20, 60, 60, 30, 40, 60]


def test_a_limit_until_a_time_that_is_over_is_over_at_once() -> None:
    substation = make_substation()
    charging = substation.plug_in(Demand(10), now=10)

    substation.set_limit(10, now=11, until=10.5)
    substation.advance(11)

    assert substation.power_limit_kw == 100
    assert charging.ends == 12


def test_a_clock_that_goes_back_counts_as_standing_still() -> None:
    substation = make_substation()
    charging = substation.plug_in(Demand(10), now=10)
    substation.advance(11)

    assert substation.remaining_energy_kwh(5) == 5
    assert substation.unplug(charging, 0, Outcome.ABORTED) == 5


def test_committed_power_is_what_vehicles_could_draw_and_remaining_energy_what_they_lack() -> None:
    substation = make_substation(power_limit_kw=60)
    substation.plug_in(Demand(10, max_power_kw=11), now=0)
    substation.plug_in(Demand(10, max_power_kw=150), now=0)

    assert substation.committed_power_kw == 61
    assert substation.power_kw == 60
    assert substation.remaining_energy_kwh(1) == 14


def test_a_vehicle_that_leaves_early_got_its_share_so_far() -> None:
    substation = make_substation()

    assert substation.unplug(substation.plug_in(Demand(10), now=0), 0.5, Outcome.ABORTED) == 2.5
    assert substation.unplug(substation.plug_in(Demand(10), now=0), 60, Outcome.ABORTED) == 10
    assert substation.energy_delivered_kwh == {Outcome.CHARGED: 0, Outcome.ABORTED: 12.5}


def test_the_check_and_the_count_are_one_step_for_threads_too() -> None:
    substation = make_substation(points=5)
    together = Barrier(40)

    def is_refused(_: int) -> bool:
        together.wait()
        try:
            substation.plug_in(Demand(1), now=0)
        except SubstationFull:
            return True
        return False

    with ThreadPoolExecutor(40) as pool:
        refused = sum(pool.map(is_refused, range(40)))

    assert (substation.load, refused) == (5, 35)


def test_the_time_that_is_left_falls_to_nothing() -> None:
    substation = make_substation()
    charging = substation.plug_in(Demand(10), now=100)
    assert [substation.remaining_s(charging, now) for now in (100, 101.5, 102, 200)] == [
        2,
        0.5,
        0,
        0,
    ]


def test_a_full_substation_says_how_many_points_are_taken() -> None:
    full = SubstationFull(4, 1.5)
    assert (str(full), full.free_in_s) == ("all 4 charging points are taken", 1.5)


def test_each_end_of_a_attempt_and_each_limit_that_ended_is_counted() -> None:
    substation = make_substation(1)
    assert (substation.time_scale, substation.limits_ended) == (360, 0)
    assert Substation(1, 50).time_scale == 1
    for count in (1, 2, 3):
        now = 10.0 * count
        charging = substation.plug_in(Demand(10), now=now)
        with pytest.raises(SubstationFull) as full:
            substation.plug_in(Demand(1), now=now + 1.5)
        assert (str(full.value), full.value.free_in_s) == ("all 1 charging points are taken", 0.5)
        substation.unplug(charging, now + 2, Outcome.CHARGED)
        substation.unplug(substation.plug_in(Demand(10), now=now + 3), now + 4, Outcome.ABORTED)
        assert set(substation.sessions.values()) == {count}
        substation.set_limit(10, now=now + 4, until=now + 5)
        substation.advance(now + 5)
        assert (substation.limits_ended, substation.power_limit_kw) == (count, 50)


def test_a_vehicle_that_was_charged_when_the_limit_changed_goes_on_if_it_is_amended() -> None:
    substation = make_substation()
    first = substation.plug_in(Demand(10), now=0)
    substation.set_limit(100, 3)

    substation.amend(first, 20, 4)

    assert first.ends == 6


def test_a_limit_that_is_just_enough_slows_nobody() -> None:
    substation = make_substation()
    for _ in range(2):
        substation.plug_in(Demand(10), now=0)
    substation.set_limit(100, 0)
    assert not substation.is_shared


def test_a_vehicle_that_is_charged_and_has_not_gone_is_no_event_to_come() -> None:
    substation = make_substation()
    substation.plug_in(Demand(10), now=0)
    assert substation.next_event(0) == 2
    assert substation.next_event(2) is None


def test_the_others_have_the_power_at_once_of_one_that_is_amended_to_what_it_has() -> None:
    substation = make_substation(power_limit_kw=50)
    first, second = (substation.plug_in(Demand(100), now=0) for _ in range(2))
    assert second.power_kw(1) == 25

    substation.amend(first, 1, 1)

    assert second.power_kw(1) == 50


def test_what_is_too_little_to_be_shared_is_given_to_nobody() -> None:
    least_kw = math.ulp(0.0)
    assert ALLOCATIONS[Sharing.EQUAL]([least_kw] * 3, 2 * least_kw) == [0.0, 0.0, 0.0]
