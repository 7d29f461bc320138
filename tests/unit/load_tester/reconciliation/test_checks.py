"""What came back to the vehicles against the grid's own counters."""

from collections.abc import Sequence
from typing import Any

import pytest

from load_tester.reconciliation.checks import reconcile
from load_tester.reconciliation.counters import GatewayCounters, GridCounters, SubstationCounters
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Reconciliation, Verdict
from load_tester.vehicle import Charge, Outcome
from tests.unit.load_tester.builders import BEGAN, TAG, charge, decision, grid, substation

TEN = [charge(number) for number in range(1, 11)]  # of 10 kWh each


def records_for(charges: Sequence[Charge], **fields: Any) -> DecisionRecords:
    records = DecisionRecords(TAG, BEGAN)
    decisions = [
        decision(
            index,
            "substation1",
            {"substation1": (0, 40)},
            session_id=one.session_id,
            vehicle_id=one.vehicle_id,
        )
        for index, one in enumerate(charges, start=1)
    ]
    records.absorb({"last": len(decisions), "decisions": decisions})
    for name, value in fields.items():
        setattr(records, name, value)
    return records


def check(
    charges: Sequence[Charge],
    charged: float,
    kwh: float | None,
    *,
    answers: float | None = None,
    decisions: DecisionRecords | None = None,
    load: float = 0.0,
    **options: Any,
) -> Reconciliation:
    """Check against two substations that charged 7 and 5 before and share `charged` and `kwh`."""
    before = grid(
        {"a": substation(7, 70.0, load), "b": substation(5, 50.0)}, None if answers is None else 12
    )
    more = None if kwh is None else 70.0 + kwh
    after = grid(
        {"a": substation(7 + charged, more), "b": substation(5, 50.0)},
        None if answers is None else 12 + answers,
    )
    return reconcile(charges, before, after, decisions, BEGAN, **options)


def found(reconciliation: Reconciliation, check: str) -> tuple[Verdict, str]:
    """Return the one finding of a check."""
    (finding,) = [finding for finding in reconciliation.findings if finding.check == check]
    return finding.verdict, finding.text


def test_books_that_agree_are_in_order() -> None:
    reconciliation = check(TEN, 10, 100.0, answers=10, decisions=records_for(TEN))
    assert {finding.check: finding.verdict for finding in reconciliation.findings} == dict.fromkeys(
        ["dispatches", "gateway", "sessions", "energy"], Verdict.OK
    )
    assert reconciliation.in_order


def test_a_vehicle_that_was_answered_and_not_charged_is_an_error() -> None:
    reconciliation = check(TEN, 9, 90.0, answers=10)
    verdict, text = found(reconciliation, "sessions")
    assert verdict is Verdict.ERROR
    assert text.startswith("1 of 10 vehicles were answered as charged but no substation")
    assert found(reconciliation, "energy") == (
        Verdict.ERROR,
        "the substations delivered 90.000 kWh, 10.000 less than was answered",
    )
    assert not reconciliation.in_order


def test_a_vehicle_that_was_charged_twice_is_an_error() -> None:
    reconciliation = check(TEN, 11, 110.0, answers=10, decisions=records_for(TEN))
    verdict, text = found(reconciliation, "sessions")
    assert verdict is Verdict.ERROR
    assert "charged 11 vehicles, 1 more than 10 of this run: charged twice" in text


def test_energy_that_nobody_asked_for_is_an_error() -> None:
    verdict, text = found(check(TEN, 10, 100.5), "energy")
    assert verdict is Verdict.ERROR
    assert "0.500 more than was answered" in text


def test_sessions_of_others_are_reported_and_no_error() -> None:
    decisions = records_for(TEN, foreign={"x", "y", "z"})
    reconciliation = check(TEN, 13, 160.0, answers=13, decisions=decisions)
    assert reconciliation.in_order
    assert (
        found(reconciliation, "others")[1]
        == "the balancer dispatched 3 sessions of others meanwhile"
    )
    assert found(reconciliation, "gateway")[1].endswith("10 of this run, 3 of others")
    assert found(reconciliation, "sessions")[0] is Verdict.NOTE


def test_more_than_the_sessions_of_others_is_an_error() -> None:
    decisions = records_for(TEN, foreign={"x", "y"})
    verdict, text = found(check(TEN, 13, 160.0, answers=12, decisions=decisions), "sessions")
    assert verdict is Verdict.ERROR
    assert "1 more than 10 of this run and at most 2 of others" in text


def test_vehicles_of_others_that_were_charging_at_the_start_may_end_within_the_run() -> None:
    assert check(TEN, 12, 130.0, load=2).in_order
    assert not check(TEN, 13, 140.0, load=2).in_order


def test_without_decisions_others_are_known_from_the_gateways_counter() -> None:
    reconciliation = check(TEN, 12, 130.0, answers=12)
    assert reconciliation.in_order
    assert found(reconciliation, "gateway")[0] is Verdict.NOTE


def test_a_gateway_that_counts_fewer_than_came_back_is_an_error() -> None:
    verdict, text = found(check(TEN, 10, 100.0, answers=8), "gateway")
    assert (verdict, "2 fewer than came back" in text) == (Verdict.ERROR, True)


@pytest.mark.parametrize(
    "unknown",
    [
        charge(11, outcome=Outcome.FAILED, unanswered=1),
        charge(11, outcome=Outcome.CUT_SHORT),
        charge(11, outcome=Outcome.ACCEPTED),
        charge(11, outcome=Outcome.FAILED, status=200, reason="another vehicle's answer"),
    ],
    ids=["no answer", "cut short", "accepted", "garbled"],
)
def test_a_vehicle_whose_end_is_not_known_may_have_been_charged_or_not(unknown: Charge) -> None:
    assert check([*TEN, unknown], 10, 100.0, answers=10).in_order
    assert check([*TEN, unknown], 11, 110.0, answers=11).in_order
    assert not check([*TEN, unknown], 12, 120.0, answers=11).in_order


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.CUT_SHORT])
def test_a_vehicle_refused_by_the_grid_may_not_have_been_charged(outcome: Outcome) -> None:
    refused = charge(11, outcome=outcome, status=503)  # cut short: before its next try
    assert not check([*TEN, refused], 11, 110.0, answers=10).in_order


def test_a_substation_that_restarted_leaves_too_few_undecided_and_too_many_an_error() -> None:
    before = grid({"a": substation(700, 7000.0), "b": substation(5, 50.0)})
    again = {"a": substation(3, 30.0, started=BEGAN + 5), "b": substation(6, 60.0)}
    reconciliation = reconcile(TEN, before, grid(again), None, BEGAN)
    assert reconciliation.in_order
    assert found(reconciliation, "substations") == (
        Verdict.UNKNOWN,
        "a restarted, its counters with it",
    )
    twice = {"a": substation(3, 30.0, started=BEGAN + 5), "b": substation(25, 250.0)}
    assert not reconcile(TEN, before, grid(twice), None, BEGAN).in_order


@pytest.mark.parametrize(("charged", "verdict"), [(5, "error"), (6, "ok"), (7, "error")])
def test_readable_substations_are_checked_even_if_one_is_not(charged: int, verdict: str) -> None:
    charges = [*TEN[:4], *[charge(number, substation="north") for number in range(5, 11)]]
    before = grid({"a": substation(7, 70.0), "b": substation(50, 500.0)})
    after = grid({"a": None, "b": substation(50 + charged, 500.0 + 10 * charged)})
    names = {"a": "substation1", "b": "north"}
    reconciliation = reconcile(charges, before, after, None, BEGAN, substation_names=names)
    assert found(reconciliation, "substations") == (Verdict.UNKNOWN, "a refused")
    assert found(reconciliation, "sessions")[0] == verdict
    assert found(reconciliation, "energy")[0] == verdict


def test_a_substation_that_began_during_the_run_counts_from_its_start() -> None:
    before = grid({"a": substation(7, 70.0)})
    after = grid({"a": substation(13, 130.0), "new": substation(4, 40.0, started=BEGAN + 3)})
    reconciliation = reconcile(TEN, before, after, None, BEGAN)
    assert found(reconciliation, "sessions") == (
        Verdict.OK,
        "the substations charged 10 vehicles, as answered",
    )


def test_a_substation_that_had_been_there_unseen_is_not_counted_from_its_start() -> None:
    before = grid({"a": substation(7, 70.0)})
    after = grid({"a": substation(13, 130.0), "old": substation(400, 4000.0, started=BEGAN - 900)})
    reconciliation = reconcile(TEN, before, after, None, BEGAN)
    assert found(reconciliation, "substations")[1] == "old could not be read at the start"
    assert reconciliation.in_order


def test_substations_that_cannot_be_reached_are_said_to_be_so() -> None:
    none: dict[str, SubstationCounters | None] = {"http://10.0.0.3:5002": None}
    reconciliation = reconcile(TEN, grid(none), grid(none), None, BEGAN)
    verdict, text = found(reconciliation, "substations")
    assert verdict is Verdict.UNKNOWN
    assert text.startswith(
        "the substations' counters are not reachable from here (http://10.0.0.3:5002"
    )
    assert text.endswith("name their metrics pages with --substation-metrics")
    assert reconciliation.in_order


def test_substations_that_do_not_publish_energy_are_checked_by_sessions_only() -> None:
    reconciliation = check(TEN, 10, None)
    assert reconciliation.in_order
    assert "energy" not in {finding.check for finding in reconciliation.findings}


def test_a_charged_vehicle_that_was_never_dispatched_is_an_error() -> None:
    verdict, text = found(check(TEN, 10, 100.0, decisions=records_for(TEN[:9])), "dispatches")
    assert verdict is Verdict.ERROR
    assert text.startswith("1 vehicles were answered as charged but never dispatched")


def test_missing_decisions_leave_the_dispatches_unchecked() -> None:
    decisions = records_for(TEN[:9], missed=3)
    assert found(check(TEN, 10, 100.0, decisions=decisions), "dispatches")[0] is Verdict.UNKNOWN


def test_an_answer_from_another_substation_than_the_dispatch_is_an_error() -> None:
    decisions = records_for(TEN)
    decisions.substations["session-3"] = "substation2"
    elsewhere = [*TEN[:9], charge(10, substation="substation2")]
    decisions.substations["session-10"] = "substation2"
    verdict, text = found(check(elsewhere, 10, 100.0, decisions=decisions), "dispatches")
    assert (verdict, text[:10]) == (Verdict.ERROR, "1 vehicles")


def test_a_substation_with_another_name_for_itself_is_not_an_error() -> None:
    renamed = [charge(number, substation="north") for number in range(1, 11)]
    assert check(renamed, 10, 100.0, decisions=records_for(renamed)).in_order


def test_two_sessions_for_one_vehicle_are_an_error_unless_it_tried_twice() -> None:
    decisions = records_for(TEN)
    decisions.sessions[TEN[0].vehicle_id].add("another")
    assert not check(TEN, 10, 100.0, decisions=decisions).in_order
    patient = [charge(1, tries=2), *TEN[1:]]
    assert check(patient, 10, 100.0, decisions=decisions).in_order


def test_two_answers_for_one_session_are_an_error() -> None:
    same = [*TEN[:9], charge(10, session_id="session-1")]
    assert found(check(same, 10, 100.0), "answers")[0] is Verdict.ERROR


def test_a_gateway_that_restarted_or_is_one_of_several_is_not_checked() -> None:
    before, after = grid({}, 500.0), grid({}, 3.0, started=BEGAN + 1)
    reconciliation = reconcile(TEN, before, after, None, BEGAN)
    assert found(reconciliation, "gateway") == (
        Verdict.UNKNOWN,
        "the gateway restarted, its counters with it",
    )
    several = check(TEN, 10, 100.0, answers=4, several_gateways=True)
    assert found(several, "gateway")[0] is Verdict.UNKNOWN


def test_a_substation_page_is_read_by_outcome() -> None:
    counters = SubstationCounters.from_page(
        "# HELP substation_sessions_total Attempts\n"
        'substation_sessions_total{outcome="charged"} 12.0\n'
        'substation_sessions_total{outcome="aborted"} 3.0\n'
        'substation_energy_delivered_kwh_total{outcome="charged"} 1.25e+02\n'
        'substation_energy_delivered_kwh_total{outcome="aborted"} 7.5\n'
        "substation_current_load 2.0\nprocess_start_time_seconds 1.7e+09\n"
    )
    assert counters == SubstationCounters(12.0, 125.0, 2.0, 1.7e9)


def test_energy_that_is_not_reported_by_outcome_is_not_taken() -> None:
    page = 'substation_sessions_total{outcome="charged"} 1\nsubstation_energy_delivered_kwh_total 9'
    assert SubstationCounters.from_page(page).kwh is None


def test_a_gateway_page_is_read_by_status_whatever_other_labels_it_has() -> None:
    counters = GatewayCounters.from_page(
        'charge_requests_total{method="a\\"}",status="200"} 4\n'
        'charge_requests_total{method="b",status="200"} 5 1700000000\n'
        'charge_requests_total{status="503"} 2\nnonsense here\nbroken{ 3\n'
    )
    assert counters.answers == {"200": 9.0, "503": 2.0}


@pytest.mark.parametrize("page", ["", "up 1\n", "<html></html>"])
def test_a_page_of_something_else_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="the page has no"):
        SubstationCounters.from_page(page)
    with pytest.raises(ValueError, match="the page has no"):
        GatewayCounters.from_page(page)


def test_nothing_to_read_leaves_everything_unchecked() -> None:
    nothing = GridCounters(None, {}, {"gateway": "answered 404"})
    reconciliation = reconcile(TEN, nothing, nothing, None, BEGAN)
    assert {finding.verdict for finding in reconciliation.findings} == {Verdict.UNKNOWN}
    assert found(reconciliation, "gateway")[1] == "the gateway's counters: answered 404"
