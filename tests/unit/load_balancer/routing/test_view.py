"""What a scan of a few substations offers to a vehicle."""

from dataclasses import replace

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import HealthCheck, Reading
from load_balancer.routing.policy import Request
from load_balancer.routing.substation import Substation
from load_balancer.routing.view import Scan

FULL = Reading(
    2,
    2,
    power_kw=80.0,
    power_limit_kw=100.0,
    point_power_kw=50.0,
    committed_power_kw=80.0,
    remaining_energy_kwh=20.0,
)


def options(reading: Reading, *, predicts: bool, now: float = 1.0) -> list[tuple[str, int, bool]]:
    """Return the options at one substation: name, free points, and whether its power is known."""
    substation = Substation("a", "http://a", balancers=1, health_check=HealthCheck())
    substation.poll_began(0.0)
    substation.read(reading, 0.0)
    found = Scan([substation], now, predicts=predicts).options(Request(Demand(10.0)), (), {})
    return [(one.candidate.name, one.free, one.supply is not None) for one in found]


@pytest.mark.parametrize(
    ("reading", "predicts", "expected"),
    [
        (Reading(1, 2), False, [("a", 1, False)]),
        (Reading(1, 2), True, [("a", 1, False)]),
        (replace(FULL, load=1), False, [("a", 1, False)]),
        (replace(FULL, load=1), True, [("a", 1, True)]),
        (Reading(2, 2), True, []),
        (FULL, False, []),
        (FULL, True, [("a", 0, True)]),
        (replace(FULL, load=3), True, [("a", -1, True)]),
        (replace(FULL, capacity=0), True, []),
        (replace(FULL, load=1, draining=True), True, []),
    ],
)
def test_full_substations_are_options_if_it_can_be_predicted_when_a_point_is_free(
    reading: Reading, predicts: bool, expected: list[tuple[str, int, bool]]
) -> None:
    assert options(reading, predicts=predicts) == expected


def test_one_whose_gauge_is_too_old_is_no_option() -> None:
    assert options(FULL, predicts=True, now=9.0) == []
