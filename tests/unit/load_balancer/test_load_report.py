"""A substation's load report in a response, in ORCA's text format."""

import pytest

from load_balancer.gauge import read_reported
from load_balancer.profile import SubstationProfile
from load_balancer.routing.health import Reading
from substation_service.charging import Demand
from substation_service.load_report import LoadReport
from substation_service.substation import Substation


def named(**values: object) -> str:
    return "TEXT " + ",".join(f"named_metrics.{name}={value}" for name, value in values.items())


def test_the_balancer_reads_what_our_substation_writes() -> None:
    now = [0.0]
    substation = Substation(4, 50, 120, time_scale=360)
    substation.plug_in(Demand(10), 0.0)
    report = LoadReport(substation, lambda: now[0])
    reading = read_reported(report.text(), SubstationProfile())
    assert reading == Reading(
        load=1,
        capacity=4,
        power_kw=50,
        power_limit_kw=120,
        point_power_kw=50,
        committed_power_kw=50,
        remaining_energy_kwh=10,
        time_scale=360,
    )
    assert report.text().startswith("TEXT application_utilization=0.25,")


def test_its_load_is_always_that_of_now_and_its_power_that_of_a_moment_ago() -> None:
    now = [0.0]
    substation = Substation(4, 50, time_scale=360)
    report = LoadReport(substation, lambda: now[0])
    report.text()
    substation.plug_in(Demand(10), 0.0)
    early = read_reported(report.text(), SubstationProfile())
    now[0] = 0.06
    late = read_reported(report.text(), SubstationProfile())
    assert early is not None
    assert late is not None
    assert (early.load, early.power_kw) == (1, 0)
    assert (late.load, late.power_kw) == (1, 50)


def test_other_makes_may_name_their_gauges_as_on_their_page() -> None:
    names = {"gauge_name": "busy", "capacity_gauge_name": "points"}
    other = SubstationProfile.model_validate(names)
    assert read_reported(named(busy=3, points=8), other) == Reading(load=3, capacity=8)
    other = SubstationProfile.model_validate({**names, "default_capacity": 12})
    assert read_reported(named(busy=3), other) == Reading(3, 12)


@pytest.mark.parametrize(
    "reported",
    [
        "",
        "TEXT ",
        "TEXT cpu_utilization=0.3",
        "JSON {}",
        "BIN AA==",
        named(substation_current_load="x", substation_capacity=4),
        named(substation_current_load="nan", substation_capacity=4),
        named(substation_current_load=-1, substation_capacity=4),
        named(substation_current_load=1.5, substation_capacity=4),
        named(substation_current_load=1),
        named(substation_current_load=1, substation_capacity=4) + ",x" * 5000,
    ],
)
def test_an_unreadable_load_report_is_ignored(reported: str) -> None:
    assert read_reported(reported, SubstationProfile()) is None


FREE = named(substation_current_load=1, substation_capacity=4)


@pytest.mark.parametrize(
    ("reported", "is_read"),
    [
        (FREE, True),
        (f"{FREE}, other=1", True),
        (f"{FREE},named_metrics.other=1=2", False),
        (f"{FREE},".ljust(len("TEXT ") + 4096, "x"), True),
        (f"{FREE},".ljust(len("TEXT ") + 4097, "x"), False),
    ],
)
def test_what_else_a_substation_tells_is_passed_over_unless_it_is_broken_or_too_long(
    reported: str, *, is_read: bool
) -> None:
    assert (read_reported(reported, SubstationProfile()) is not None) is is_read
