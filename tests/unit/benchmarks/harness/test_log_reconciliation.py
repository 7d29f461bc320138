"""Responses, logs and counters: agreement, and each kind of difference."""

import pytest

from benchmarks.harness.log_reconciliation import (
    Reconciliation,
    Told,
    miscounts,
    reconcile,
    since_start,
)
from local_stack.session_logs import Attempt
from tests.unit.benchmarks.harness.builders import attempt, counted, told


def add_up(found: Reconciliation) -> bool:
    return not (found.unlogged or found.differing)


def compared(vehicles: list[Told], *attempts: Attempt, excess_kwh: float = 0.0) -> Reconciliation:
    """Compare with the log of substation1."""
    return reconcile(vehicles, {"substation1": attempts}, excess_kwh=lambda *_: excess_kwh)


def test_a_vehicle_that_was_charged_once_is_in_order() -> None:
    found = compared([told()], attempt(), attempt("other", outcome="aborted"))
    assert add_up(found)
    assert (found.vehicles, found.charged, found.came_again) == (1, 1, 0)
    assert (found.lost, found.twice, found.answer_lost) == ([], [], [])


def test_a_vehicle_that_was_not_charged_is_lost_with_the_reason() -> None:
    found = compared([told(charged=False, tries=3, reason="no point in time")])
    assert found.lost == ["EV: no point in time"]
    assert (found.charged, found.came_again) == (0, 1)


def test_lost_and_twice_charged_vehicles_are_counted() -> None:
    vehicles = [told("1"), told("2"), told("3", charged=False)]
    attempts = {
        "substation1": [attempt("1"), attempt("2")],
        "substation2": [attempt("2", session_id="another")],
    }
    found = reconcile(vehicles, attempts)
    assert (found.vehicles, found.charged) == (3, 2)
    assert (len(found.lost), len(found.twice)) == (1, 1)


@pytest.mark.parametrize(
    ("attempts", "unlogged"),
    [
        ([], 1),
        ([attempt(outcome="aborted")], 1),
        ([attempt(session_id="another")], 1),
        ([attempt(delivered_kwh=4.0)], 0),
        ([attempt(delivered_kwh=4.9)], 0),
        ([attempt(), attempt("other")], 0),
        ([attempt(), attempt(outcome="aborted", delivered_kwh=1.0)], 0),
    ],
    ids=[
        *("nowhere", "cut short", "in another session", "too little", "a bit too little"),
        *("another vehicle too", "too much"),
    ],
)
def test_a_response_that_no_log_confirms_is_found(attempts: list[Attempt], unlogged: int) -> None:
    found = compared([told()], *attempts)
    assert not add_up(found)
    assert len(found.unlogged) == unlogged


def test_a_response_that_names_another_substation_than_the_one_that_charged_is_found() -> None:
    found = reconcile([told()], {"substation1": [], "substation2": [attempt()]})
    assert len(found.unlogged) == 1
    assert not add_up(found)


def test_energy_of_one_vehicle_that_no_substation_delivered_is_seen_among_many() -> None:
    names = [f"EV{number}" for number in range(20_000)]
    vehicles = [told(name) for name in names]
    attempts = [attempt(name) for name in names]
    assert add_up(compared(vehicles, *attempts))
    vehicles[7] = told("EV7", kwh=14.0)
    found = compared(vehicles, *attempts)
    assert found.differing == ["EV7 asked for 14 kWh, session of-EV7 got 5.000"]


def test_energies_that_make_up_for_each_other_do_not_add_up() -> None:
    found = compared([told("A", kwh=6.0), told("B", kwh=4.0)], attempt("A"), attempt("B"))
    assert found.kwh_told == found.kwh_logged
    assert not add_up(found)


def test_rounding_in_a_log_is_not_a_difference() -> None:
    assert add_up(compared([told(kwh=5.0004)], attempt()))


@pytest.mark.parametrize("outcome", ["charged", "aborted", "cut off"])
def test_one_that_was_moved_adds_up_over_its_attempts(outcome: str) -> None:
    found = reconcile(
        [told()],
        {
            "substation1": [attempt(delivered_kwh=3.0)],
            "substation2": [attempt(outcome=outcome, delivered_kwh=2.0)],
        },
    )
    assert add_up(found)
    assert found.twice == []
    assert found.kwh_logged == 5.0


def test_shares_of_a_session_may_be_too_much_together_and_a_whole_charge_more_is_twice() -> None:
    unheard = attempt(outcome="aborted", delivered_kwh=3.0)
    shares = [attempt(ended=98.0, delivered_kwh=1.5), attempt(delivered_kwh=1.0)]
    assert add_up(found := compared([told()], unheard, *shares, excess_kwh=0.5))
    assert found.twice == []
    assert not add_up(compared([told()], unheard, *shares, excess_kwh=0.4))
    rest_twice = [attempt(ended=98.0, delivered_kwh=2.0), attempt(delivered_kwh=2.0)]
    assert len(compared([told()], unheard, *rest_twice, excess_kwh=2.0).twice) == 1


def test_the_named_substation_may_have_delivered_its_share_in_an_attempt_that_ended_early() -> None:
    share = attempt(outcome="aborted", delivered_kwh=3.0)
    rest = attempt(delivered_kwh=2.0)
    found = reconcile([told()], {"substation1": [share], "substation2": [rest]})
    assert add_up(found)
    assert found.twice == []


@pytest.mark.parametrize("excess_kwh", [0.0, 5.0])
def test_two_charges_in_one_session_at_one_substation_are_twice_all_the_same(
    excess_kwh: float,
) -> None:
    found = compared([told()], attempt(ended=90.0), attempt(), excess_kwh=excess_kwh)
    assert len(found.twice) == 1
    assert add_up(found)


def test_one_whose_substation_charged_on_unheard_may_have_got_so_much_on_top_and_no_more() -> None:
    attempts = [attempt(delivered_kwh=3.0), attempt(outcome="aborted", delivered_kwh=4.0)]
    assert add_up(compared([told()], *attempts, excess_kwh=2.0))
    found = compared([told()], *attempts, excess_kwh=1.9)
    assert found.differing == ["EV asked for 5 kWh, session of-EV got 7.000"]


def test_a_substation_counts_what_it_has_logged_since_it_started() -> None:
    counters = counted(charged=1, kwh=5, asked=2)
    logged = since_start(counters, [attempt("earlier", ended=40.0), attempt()])
    assert list(miscounts("substation1", counters, logged)) == []


@pytest.mark.parametrize(
    ("counters", "logged", "found"),
    [
        (
            counted(charged=1, kwh=5, asked=2),
            [attempt(), attempt("more")],
            [
                "substation1 counts 1 vehicles charged, its log has 2",
                "substation1 counts 5 kWh charged, its log has 10",
            ],
        ),
        (
            counted(charged=2, kwh=5, asked=2),
            [attempt()],
            ["substation1 counts 2 vehicles charged, its log has 1"],
        ),
        (
            counted(charged=1, kwh=9, asked=1),
            [attempt()],
            ["substation1 counts 9 kWh charged, its log has 5"],
        ),
    ],
    ids=["one too few", "one too many", "too much energy"],
)
def test_a_count_that_is_not_in_the_log_is_named(
    counters: dict[str, float], logged: list[Attempt], found: list[str]
) -> None:
    assert list(miscounts("substation1", counters, logged)) == found


def test_a_request_that_ended_in_nothing_is_named() -> None:
    counters = counted(charged=1, kwh=5, asked=2)
    counters['http_requests_total{method="POST",route="/charge",status="499"}'] = 1.0
    (found,) = miscounts("substation1", counters, [attempt()])
    assert "asked for 3 charges" in found
    assert "counts 2 charged, aborted and refused" in found


def many(count: int, off_kwh: float) -> tuple[dict[str, float], list[Attempt]]:
    """A substation that was visited so often, and whose energy counter is off by so much."""
    counters = counted(charged=count, kwh=5.0 * count + off_kwh, asked=count)
    return counters, [attempt(str(number)) for number in range(count)]


def test_vehicles_are_counted_to_the_last_one_however_many_they_are() -> None:
    counters, attempts = many(20_000, 0.0)
    assert list(miscounts("substation1", counters, attempts)) == []
    assert next(miscounts("substation1", counters, attempts[1:])) == (
        "substation1 counts 20000 vehicles charged, its log has 19999"
    )


def test_a_counter_of_energy_may_be_off_by_what_its_log_rounds() -> None:
    assert list(miscounts("substation1", *many(100, 0.04))) == []
    (found,) = miscounts("substation1", *many(100, 0.06))
    assert "kWh charged" in found
