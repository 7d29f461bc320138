"""Responses, logs and counters: agreement, differences, and differences that a fault excuses."""

import pytest

from benchmarks.soak.reconciliation import Injected, miscounts
from local_stack.session_logs import Attempt
from tests.unit.benchmarks.soak.builders import attempt, injected, reconciliation, reported

AGAIN = {
    "substation1": [attempt(session_id="first", ended=90.0)],
    "substation2": [attempt(session_id="of-EV", ended=100.0)],
}
ANSWER = [reported(substation="substation2", tries=2)]


def test_a_vehicle_that_was_charged_once_is_in_order() -> None:
    found = reconciliation(
        [reported()], {"substation1": [attempt(), attempt("other", outcome="aborted")]}
    )
    assert found.add_up
    assert (found.vehicles, found.charged, found.came_again) == (1, 1, 0)
    assert (found.lost, found.twice, found.answer_lost) == ([], [], [])


def test_a_vehicle_that_was_not_charged_is_lost_with_the_reason() -> None:
    found = reconciliation(
        [reported(outcome="refused", reason="no point in time")], {"substation1": []}
    )
    assert found.lost == ["EV: no point in time"]


def test_a_response_without_a_substations_record_does_not_add_up() -> None:
    found = reconciliation([reported()], {"substation1": [], "substation2": [attempt()]})
    assert found.unknown_charges == 1
    assert not found.add_up


def test_energy_that_differs_does_not_add_up() -> None:
    assert not reconciliation(
        [reported(kwh=5.0)], {"substation1": [attempt(delivered_kwh=4.9)]}
    ).add_up


def test_energy_of_one_vehicle_that_no_substation_delivered_is_seen_among_many() -> None:
    names = [f"EV{number}" for number in range(20_000)]
    vehicles = [reported(name) for name in names]
    attempts = [attempt(name) for name in names]
    assert reconciliation(vehicles, {"substation1": attempts}).add_up
    vehicles[7] = reported("EV7", kwh=14.0)
    found = reconciliation(vehicles, {"substation1": attempts})
    assert not found.add_up
    assert found.otherwise_delivered == ["EV7 was told 14 kWh, substation1 logged 5"]


def test_energies_that_make_up_for_each_other_do_not_add_up() -> None:
    vehicles = [reported("A", kwh=6.0), reported("B", kwh=4.0)]
    found = reconciliation(vehicles, {"substation1": [attempt("A"), attempt("B")]})
    assert found.kwh_reported == found.kwh_logged
    assert not found.add_up


def test_rounding_in_a_log_is_not_a_difference() -> None:
    assert reconciliation([reported(kwh=5.0004)], {"substation1": [attempt()]}).add_up


def test_two_charges_are_twice_when_nothing_excuses_it() -> None:
    found = reconciliation(ANSWER, AGAIN)
    assert len(found.twice) == 1
    assert "substation1 until 90.000" in found.twice[0]
    assert found.answer_lost == []


def test_two_charges_in_one_session_at_one_substation_are_twice_all_the_same() -> None:
    found = reconciliation([reported()], {"substation1": [attempt(ended=90.0), attempt()]})
    assert len(found.twice) == 1
    assert found.add_up
    found = reconciliation(
        [reported()],
        {"substation1": [attempt(ended=90.0), attempt()]},
        (injected("cut", "substation1", 88.0, 91.0),),
    )
    assert (len(found.twice), len(found.answer_lost)) == (0, 1)


@pytest.mark.parametrize(
    "fault",
    [
        injected("kill", "substation1", 90.1, 92.0),
        injected("kill", "load_balancer", 90.1, 92.0),
        injected("cut", "substation1", 88.0, 91.0),
    ],
    ids=str,
)
def test_a_fault_that_took_the_first_answer_away_excuses_a_second_charge(fault: Injected) -> None:
    found = reconciliation(ANSWER, AGAIN, (fault,))
    assert found.twice == []
    assert len(found.answer_lost) == 1


@pytest.mark.parametrize(
    "fault",
    [
        injected("kill", "substation2", 90.1, 92.0),  # not the substation that charged first
        injected("kill", "substation1", 95.0, 97.0),  # long after the answer
        injected("cut", "substation2", 88.0, 91.0),
        injected("freeze", "substation1", 88.0, 91.0),  # it sees the disconnect before it counts
        injected("slow", "substation1", 88.0, 91.0),
        injected("restart", "load_balancer", 89.9, 92.0),  # drains
    ],
    ids=str,
)
def test_no_other_fault_does(fault: Injected) -> None:
    assert len(reconciliation(ANSWER, AGAIN, (fault,)).twice) == 1


def counted(**changed: float) -> dict[str, float]:
    return {
        "process_start_time_seconds": 50.0,
        'substation_sessions_total{outcome="charged"}': 1.0,
        'substation_sessions_total{outcome="aborted"}': 0.0,
        'substation_sessions_total{outcome="refused"}': 1.0,
        'substation_energy_delivered_kwh_total{outcome="charged"}': 5.0,
        'http_requests_total{method="POST",route="/charge",status="200"}': 1.0,
        'http_requests_total{method="POST",route="/charge",status="503"}': 1.0,
        'http_requests_total{method="GET",route="/metrics",status="200"}': 9.0,
        **changed,
    }


def test_a_substation_counts_what_it_has_logged_since_it_started() -> None:
    before_its_start = attempt("earlier", ended=40.0)
    assert miscounts("substation1", counted(), [before_its_start, attempt()]) == []


def test_a_count_that_is_not_in_the_log_is_named() -> None:
    found = miscounts("substation1", counted(), [attempt(), attempt("more")])
    assert found == [
        "substation1 counts 1 vehicles charged, its log has 2",
        "substation1 counts 5 kWh charged, its log has 10",
    ]


def test_a_request_that_ended_in_nothing_is_named() -> None:
    more = {'http_requests_total{method="POST",route="/charge",status="499"}': 1.0}
    (found,) = miscounts("substation1", counted(**more), [attempt()])
    assert "asked for 3 charges and counts 2" in found


def many(count: int, off_kwh: float) -> tuple[dict[str, float], list[Attempt]]:
    """A substation that was visited so often, and whose energy counter is off by so much."""
    counters = counted(
        **{
            'substation_sessions_total{outcome="charged"}': count,
            'substation_energy_delivered_kwh_total{outcome="charged"}': 5.0 * count + off_kwh,
            'http_requests_total{method="POST",route="/charge",status="200"}': count,
        }
    )
    return counters, [attempt(str(number)) for number in range(count)]


def test_vehicles_are_counted_to_the_last_one_however_many_they_are() -> None:
    counters, attempts = many(20_000, 0.0)
    assert miscounts("substation1", counters, attempts) == []
    assert miscounts("substation1", counters, attempts[1:])[0] == (
        "substation1 counts 20000 vehicles charged, its log has 19999"
    )


def test_a_counter_of_energy_may_be_off_by_what_its_log_rounds() -> None:
    assert miscounts("substation1", *many(100, 0.04)) == []
    (found,) = miscounts("substation1", *many(100, 0.06))
    assert "kWh charged" in found
