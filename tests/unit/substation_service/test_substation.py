"""The site's model, under a clock of the test's own."""

from threading import Barrier, Thread

import pytest

from substation_service.substation import Outcome, Substation, SubstationFull


def site(points: int = 2, *, power_limit_kw: float | None = None) -> Substation:
    return Substation(points, point_power_kw=50, power_limit_kw=power_limit_kw, time_scale=360)


def test_10_kwh_at_50_kw_take_2_seconds_at_the_default_time_scale() -> None:
    assert site().plug_in(10, now=100).ends == 102


def test_load_and_power_follow_the_vehicles() -> None:
    substation = site()

    first = substation.plug_in(10, now=0)
    substation.plug_in(10, now=0)
    assert (substation.load, substation.power_kw) == (2, 100)

    substation.unplug(first, 2, Outcome.CHARGED)
    assert (substation.load, substation.power_kw) == (1, 50)


def test_a_full_site_tells_when_its_next_point_frees() -> None:
    substation = site()
    substation.plug_in(50, now=0)
    substation.plug_in(20, now=0)

    with pytest.raises(SubstationFull) as full:
        substation.plug_in(1, now=1)

    assert full.value.free_in_s == 3
    assert substation.sessions[Outcome.REFUSED] == 1
    assert substation.load == 2


def test_the_power_limit_leaves_points_unused() -> None:
    assert site(10, power_limit_kw=149).capacity == 2
    assert site(10, power_limit_kw=150).capacity == 3
    assert site(2, power_limit_kw=1000).capacity == 2


def test_a_vehicle_that_leaves_early_got_its_share_so_far() -> None:
    substation = site()

    assert substation.unplug(substation.plug_in(10, now=0), 0.5, Outcome.ABORTED) == 2.5
    assert substation.unplug(substation.plug_in(10, now=0), 60, Outcome.ABORTED) == 10
    assert substation.energy_delivered_kwh == {Outcome.CHARGED: 0, Outcome.ABORTED: 12.5}


def test_the_check_and_the_count_are_one_step_for_threads_too() -> None:
    substation = site(points=5)
    together = Barrier(40)
    refused: list[SubstationFull] = []

    def plug_in() -> None:
        together.wait()
        try:
            substation.plug_in(1, now=0)
        except SubstationFull as full:
            refused.append(full)

    threads = [Thread(target=plug_in) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (substation.load, len(refused)) == (5, 35)
