"""What a scan of a few substations offers to a vehicle."""

from dataclasses import replace

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Reading
from load_balancer.routing.policy import Request
from load_balancer.routing.view import Scan
from tests.unit.load_balancer.routing.grid import polled_substation

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
    scanned = Scan([polled_substation(reading)], now, predicts=predicts)
    found = scanned.options(Request(Demand(10.0)), (), {})
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


def scan(*readings: Reading) -> Scan:
    """Scan substations with these readings."""
    substations = [
        polled_substation(reading, name=f"s{number}") for number, reading in enumerate(readings)
    ]
    return Scan(substations, 1.0, predicts=True)


def test_what_rejected_a_vehicle_is_neither_a_point_for_it_nor_an_option() -> None:
    found = scan(Reading(1, 2), FULL)
    assert found.has_point()
    assert not found.has_point({"http://s0"})
    request = Request(Demand(10.0))
    assert [one.free for one in found.options(request, (), {"http://s1": 2})] == [1, -2]
    left = found.options(request, {"http://s0"}, {})
    assert [one.candidate.name for one in left] == ["s1"]


def test_a_choice_is_explained_by_those_with_a_free_point_and_why_not_the_others() -> None:
    found = scan(Reading(1, 2), FULL, Reading(0, 4))
    first = found.options(Request(Demand(10.0)), (), {})[0].candidate
    explained = found.explain(first, ())
    assert [one.name for one in explained.candidates] == ["s0", "s2"]
    assert explained.ineligible == (("s1", "full (2 of 2)"),)
    assert explained[2:] == (0, 0)
    explained = found.explain(first, {"http://s2"})
    assert [one.name for one in explained.candidates] == ["s0"]


def test_of_many_the_chosen_one_is_listed_and_the_others_counted() -> None:
    found = scan(*(Reading(load, 20) for load in range(12)), *[Reading(1, 1)] * 10)
    chosen = found.options(Request(Demand(10.0)), (), {})[9].candidate
    explained = found.explain(chosen, ())
    assert chosen in explained.candidates
    assert (len(explained.candidates), explained.candidates_left_out) == (8, 4)
    assert (len(explained.ineligible), explained.ineligible_left_out) == (8, 2)
