"""The reconciliation of a fault's scene: the differences that it finds."""

import pytest

from benchmarks.harness.log_reconciliation import Told
from tests.e2e.faults.reconciliation import differing_counters, told
from tests.support.fleet import FleetSession
from tests.unit.benchmarks.harness.builders import attempt, counted

SUBSTATION = "substation1"
LOGGED = {SUBSTATION: [attempt()]}
Pages = dict[str, dict[str, float]]


def differences(before: Pages, after: Pages, charged: int = 0) -> list[str]:
    return list(differing_counters(before, after, charged, LOGGED if SUBSTATION in after else {}))


def test_a_session_of_the_fleet_is_what_its_vehicle_was_told() -> None:
    asked = {"vehicle_id": "S1-1", "kwh": 5}
    response = {"session_id": "s", "vehicle_id": "S1-1", "substation": SUBSTATION, "kwh": 5}
    charged = FleetSession(0, status=200, document=response, charge_request=asked, tries=2)
    one = told(charged)
    assert one[:-1] == Told("S1-1", 5.0, True, SUBSTATION, "s", 2)[:-1]
    broken = told(FleetSession(0, error="refused", charge_request=asked, tries=1))
    assert (broken.charged, broken.reason) == (False, "0 refused")


@pytest.mark.parametrize(
    "after",
    [counted(charged=2, kwh=5, asked=2), counted(charged=1, kwh=9, asked=1)],
    ids=["one too many", "too much energy"],
)
def test_counters_that_differ_from_the_log_are_found(after: dict[str, float]) -> None:
    before = {SUBSTATION: counted()}
    assert differences(before, {SUBSTATION: counted(charged=1, kwh=5, asked=3)}) == []

    (found,) = differences(before, {SUBSTATION: after})
    assert SUBSTATION in found


def test_vehicles_that_a_substation_took_in_and_never_counted_are_found() -> None:
    after = counted(charged=1, kwh=5, asked=3)
    after['substation_sessions_total{outcome="refused"}'] = 1

    (found,) = differences({SUBSTATION: counted()}, {SUBSTATION: after})
    assert "asked for 3 charges, of which 0 may be repeated, and counts 2" in found


def balancer(*, started: float, charged: float, amended: float) -> Pages:
    """A balancer's counters."""
    return {
        "balancer": {
            "process_start_time_seconds": started,
            f'balancer_dispatches_total{{outcome="charged",substation="{SUBSTATION}"}}': charged,
            f'balancer_amended_charges_total{{substation="{SUBSTATION}"}}': amended,
        }
    }


@pytest.mark.parametrize("started", [1, 2], ids=["lived on", "restarted"])
def test_a_charge_that_the_balancer_asked_for_anew_needs_no_session_of_its_own(
    started: float,
) -> None:
    substation = counted(charged=1, kwh=5, asked=2)
    substation['substation_sessions_total{outcome="refused"}'] = 0
    before = {SUBSTATION: counted()} | balancer(started=1, charged=0, amended=0)

    def found(amended: float) -> list[str]:
        after = {SUBSTATION: substation}
        return differences(before, after | balancer(started=started, charged=1, amended=amended))

    assert found(amended=1) == []
    (difference,) = found(amended=0)
    assert "asked for 2 charges, of which 0 may be repeated, and counts 1" in difference


def test_a_balancer_that_counts_other_charges_than_a_substation_logs_is_found() -> None:
    before = {SUBSTATION: counted()} | balancer(started=1, charged=0, amended=0)
    after = {SUBSTATION: counted(charged=1, kwh=5, asked=1)}
    after |= balancer(started=1, charged=2, amended=0)

    assert differences(before, after) == [
        "the balancer counts 2 charged at substation1, its log has 1 and 0 that moved"
    ]


def test_a_session_that_moved_may_be_asked_for_again_and_counts_as_charged_once() -> None:
    first = attempt(outcome="aborted", delivered_kwh=3.0)
    attempts = {SUBSTATION: [first], "substation2": [attempt(delivered_kwh=2.0)]}
    before = {SUBSTATION: counted()} | balancer(started=1, charged=0, amended=0)
    # Its register had all that it was asked for again.
    after = counted(asked=2)
    after['substation_sessions_total{outcome="aborted"}'] = 1
    after['substation_sessions_total{outcome="refused"}'] = 0
    after['substation_energy_delivered_kwh_total{outcome="aborted"}'] = 3

    def found(charged: float) -> list[str]:
        pages = {SUBSTATION: after} | balancer(started=1, charged=charged, amended=0)
        return list(differing_counters(before, pages, 0, attempts))

    assert found(charged=1) == []
    assert found(charged=2) == [
        "the balancer counts 2 charged at substation1, its log has 0 and 1 that moved"
    ]


def test_the_counters_of_a_restarted_part_are_not_compared() -> None:
    after = counted(charged=7)
    after["process_start_time_seconds"] = 51.0

    assert differences({SUBSTATION: counted()}, {SUBSTATION: after}) == []


def test_a_gateway_that_counts_another_number_of_answers_is_found() -> None:
    def gateway(charged: float) -> Pages:
        return {
            "gateway": {
                "process_start_time_seconds": 1,
                'charge_requests_total{status="200"}': charged,
                'http_requests_total{method="POST",route="/charge",status="200"}': charged,
            }
        }

    assert differences(gateway(3), gateway(4), charged=1) == []
    assert differences(gateway(3), gateway(5), charged=1) == [
        "the gateway counts 2 vehicles charged, 1 were told so"
    ]
