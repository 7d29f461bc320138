"""Request, response, ledger and meters: each difference is found and named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from load_tester.pages import PageMissing
from load_tester.reconciliation.checks import reconcile
from load_tester.reconciliation.counters import GridCounters, SubstationCounters
from load_tester.reconciliation.findings import Reconciliation, Verdict
from load_tester.reconciliation.ledger import LedgerRecords
from load_tester.vehicle import Charge, Outcome
from tests.unit.load_tester.builders import BEGAN, TAG, charge, grid, substation

NAMES = {"a": "substation1", "b": "substation2"}
NEWEST = {"session_id": "000", "vehicle_id": "x", "state": "charged", "began": "2026-11-26T16:00Z"}


def row(session_id: str, vehicle_id: str, **energies: float) -> dict[str, Any]:
    """Make a session as the ledger shows it: charged, with so much at each substation."""
    legs = [{"substation": name, "energy_kwh": kwh} for name, kwh in energies.items()]
    return {**NEWEST, "session_id": session_id, "vehicle_id": vehicle_id, "legs": legs}


def rows_of(charges: Sequence[Charge]) -> list[dict[str, Any]]:
    """Make the rows of vehicles that were charged, as they were answered."""
    return [row(str(one.session_id), one.vehicle_id, **one.answered_kwh) for one in charges]


def ledger_of(rows: Sequence[Mapping[str, Any]]) -> LedgerRecords:
    ledger = LedgerRecords(TAG)
    ledger.begin(lambda _: {"sessions": [], "next": None})
    ledger.read(lambda _: {"sessions": rows, "next": None})
    return ledger


def check(
    charges: Sequence[Charge], rows: Sequence[Mapping[str, Any]], a: float, b: float, **how: Any
) -> Reconciliation:
    """Check against two substations whose meters grew by `a` and `b` kWh."""
    load = how.pop("load", 0.0)
    before = grid({"a": substation(0, 0.0, load, meter=500.0), "b": substation(0, 0.0, meter=0.25)})
    charged = sum(one.outcome is Outcome.CHARGED for one in charges)
    after = grid(
        {"a": substation(charged, a, meter=500.0 + a), "b": substation(0, b, meter=0.25 + b)},
    )
    return compared(charges, before, after, rows, **how)


def compared(
    charges: Sequence[Charge],
    before: GridCounters,
    after: GridCounters,
    rows: Sequence[Mapping[str, Any]] | None = None,
    **how: Any,
) -> Reconciliation:
    """Compare vehicles with counters and the ledger, which by default has them as answered."""
    ledger = ledger_of(rows_of(charges) if rows is None else rows)
    return reconcile(
        charges, before, after, None, BEGAN, substation_names=NAMES, ledger=ledger, **how
    )


def errors(reconciliation: Reconciliation) -> list[str]:
    return [
        f"{finding.check}: {finding.text}"
        for finding in reconciliation.findings
        if finding.verdict is Verdict.ERROR
    ]


def verdict_of(reconciliation: Reconciliation, check: str) -> Verdict:
    (found,) = {finding.verdict for finding in reconciliation.findings if finding.check == check}
    return found


TWO = [
    charge(1, energies={"substation1": 10.0}),
    charge(2, energies={"substation1": 4.0, "substation2": 6.0}),
]


def test_a_session_in_two_legs_is_held_against_both_meters() -> None:
    reconciliation = check(TWO, rows_of(TWO), 14.0, 6.0)
    assert reconciliation.in_order
    assert {
        finding.check: finding.text
        for finding in reconciliation.findings
        if finding.check != "gateway"
    } == {
        "ledger": "its 2 sessions of this run are as answered",
        "sessions": "the substations charged 2 vehicles, as answered",
        "energy": "the substations delivered 20.000 kWh, as answered",
        "meters": "20.000 kWh metered, at each substation as in the ledger",
    }
    assert reconciliation.ledger_kwh == {"substation1": 14.0, "substation2": 6.0}


def check_restarted(
    charges: Sequence[Charge], rows: Sequence[Mapping[str, Any]], a: float, *, started: float
) -> Reconciliation:
    """Check against one substation's meter, and a gateway that started then."""
    before = grid({"a": substation(0, 0.0, meter=500.0)}, 0.0)
    after = grid({"a": substation(len(charges), a, meter=500.0 + a)}, 0.0, started=started)
    return compared(charges, before, after, rows)


@pytest.mark.parametrize(
    ("fields", "started", "verdict"),
    [
        ({"unanswered": 1, "tries": 2}, BEGAN + 3, Verdict.NOTE),
        ({"unanswered": 1, "tries": 2, "keys": 1}, BEGAN + 3, Verdict.ERROR),
        ({"unanswered": 1, "tries": 2}, 1.0, Verdict.ERROR),  # the gateway did not restart
        ({}, BEGAN + 3, Verdict.ERROR),  # no try was cut off
    ],
)
def test_a_killed_gateway_may_lack_the_row_of_a_session_that_had_just_begun(
    fields: dict[str, Any], started: float, verdict: Verdict
) -> None:
    charges = [charge(1), charge(2, took=9.0, **fields)]
    reconciliation = check_restarted(charges, rows_of(charges), 21.0, started=started)
    assert verdict_of(reconciliation, "meters") is verdict


@pytest.mark.parametrize(
    ("took", "keys", "verdict"),
    [
        (4.95, 0, Verdict.NOTE),
        (4.95, 1, Verdict.ERROR),
        (4.8, 0, Verdict.ERROR),  # it had time
        (9.0, 0, Verdict.ERROR),  # answered by the one that came back
    ],
)
def test_a_killed_gateway_may_lack_the_row_of_a_session_that_it_had_just_answered(
    took: float, keys: int, verdict: Verdict
) -> None:
    last, lacking = charge(1, took=5.0), charge(2, took=took, keys=keys)
    reconciliation = check_restarted([last, lacking], rows_of([last]), 20.0, started=BEGAN + 7)
    found = [verdict_of(reconciliation, check) for check in ("ledger", "meters")]
    assert found == [verdict, verdict]


def test_a_substation_may_count_the_first_leg_of_a_session_too_and_the_last_one_twice() -> None:
    before = grid({"a": substation(0, 0.0), "b": substation(0, 0.0)})
    after = grid({"a": substation(2, 14.0), "b": substation(1, 6.0)})
    assert reconcile(TWO, before, after, None, BEGAN).in_order
    # What a lost substation may have delivered is charged last, in an attempt of its own.
    in_two_attempts = grid({"a": substation(2, 14.0), "b": substation(2, 6.0)})
    assert reconcile(TWO, before, in_two_attempts, None, BEGAN).in_order
    once_more = grid({"a": substation(2, 14.0), "b": substation(3, 6.0)})
    assert not reconcile(TWO, before, once_more, None, BEGAN).in_order


def test_energy_at_the_wrong_substation_is_found_though_the_sum_is_right() -> None:
    assert errors(check(TWO, rows_of(TWO), 13.0, 7.0)) == [
        "meters: substation1 metered 13.000 kWh, the ledger 14.000",
        "meters: substation2 metered 7.000 kWh, the ledger 6.000",
    ]


def test_a_watt_hour_over_is_found() -> None:
    found = errors(check(TWO, rows_of(TWO), 14.001, 6.0))
    assert "meters: substation1 metered 14.001 kWh, the ledger 14.000" in found


@pytest.mark.parametrize(
    "doubt", [{"load": 1.0}, {"keyed_view": True}], ids=["present before", "another key's"]
)
def test_energy_that_may_be_of_others_is_a_note_but_too_little_an_error(
    doubt: dict[str, Any],
) -> None:
    one = TWO[:1]
    assert verdict_of(check(one, rows_of(one), 10.0, 3.0, **doubt), "meters") is Verdict.NOTE
    assert verdict_of(check(one, rows_of(one), 9.0, 0.0, **doubt), "meters") is Verdict.ERROR


def test_sessions_of_others_are_in_the_ledger_and_in_the_meters() -> None:
    rows = [*rows_of(TWO), row("s-9", "guest", substation2=5.0)]
    assert verdict_of(check(TWO, rows, 14.0, 11.0), "meters") is Verdict.OK
    assert verdict_of(check(TWO, rows, 14.0, 12.0), "meters") is Verdict.ERROR


def test_a_restarted_substation_is_held_by_its_meter_alone() -> None:
    before = grid({"a": substation(50, 400.0, meter=500.0), "b": substation(0, 0.0, meter=0.25)})
    again = grid(
        {
            "a": substation(1, 10.0, started=BEGAN + 1, meter=514.0),
            "b": substation(0, 0, meter=6.25),
        }
    )
    reconciliation = compared(TWO, before, again)
    assert verdict_of(reconciliation, "meters") is Verdict.OK
    assert reconciliation.in_order


@pytest.mark.parametrize(
    ("keys", "started", "verdict"),
    [
        (0, BEGAN + 1, Verdict.NOTE),
        (1, BEGAN + 1, Verdict.ERROR),  # those with a key are told what is on the disk
        (0, 1.0, Verdict.ERROR),  # it was not restarted
    ],
)
def test_a_killed_substation_may_have_metered_less_than_it_reported_plain_vehicles(
    keys: int, started: float, verdict: Verdict
) -> None:
    charges = [replace(one, keys=keys) for one in TWO]
    before = grid({"a": substation(0, 0.0, meter=500.0), "b": substation(0, 0.0, meter=0.25)})
    again = substation(1, 13.9, started=started, meter=513.9)
    after = grid({"a": again, "b": substation(0, 6.0, meter=6.25)})
    assert verdict_of(compared(charges, before, after), "meters") is verdict


def test_the_other_substations_are_held_against_the_energy_that_was_answered_there() -> None:
    before = grid({"a": substation(7, 70.0, meter=70.0), "b": substation(5, 50.0, meter=50.0)})
    # The second vehicle ended at the other substation, and this one may have counted its leg here
    # or not.
    ended = [
        TWO[0],
        charge(2, energies={"substation1": 4.0, "substation2": 6.0}, substation="substation2"),
    ]
    for charges, charged, in_order in (
        (TWO, 2, True),
        (TWO, 1, False),
        (ended, 1, True),
        (ended, 2, True),
        (ended, 3, False),
    ):
        after = grid({"a": substation(7 + charged, 90.0, meter=84.0), "b": None})
        reconciliation = reconcile(charges, before, after, None, BEGAN, substation_names=NAMES)
        assert reconciliation.in_order is in_order
        assert "the other substations delivered 14.000 kWh" in str(reconciliation.findings)


def test_a_meter_that_restarted_is_not_used() -> None:
    before = grid({"a": substation(0, 0.0, meter=500.0), "b": substation(0, 0.0, meter=0.0)})
    after = grid(
        {"a": substation(1, 14.0, started=BEGAN + 1, meter=14.0), "b": substation(0, 0, meter=6.0)}
    )
    reconciliation = compared(TWO, before, after)
    assert verdict_of(reconciliation, "meters") is Verdict.UNKNOWN
    assert "no meter was read of substation1" in [
        finding.text for finding in reconciliation.findings
    ]


def test_pages_of_unnamed_substations_are_compared_in_sum() -> None:
    before = grid({"x": substation(0, 0.0, meter=0.0), "y": substation(0, 0.0, meter=0.0)})
    after = grid({"x": substation(2, 13.0, meter=13.0), "y": substation(0, 0, meter=8.0)})
    reconciliation = reconcile(TWO, before, after, None, BEGAN, ledger=ledger_of(rows_of(TWO)))
    assert "meters: all substations metered 21.000 kWh, the ledger 20.000" in errors(reconciliation)


FIRST = f"{TAG}000001"


@pytest.mark.parametrize(
    ("first", "rows", "fault"),
    [
        ({}, [], f"1 vehicles were answered as charged but are not in it: {FIRST}"),
        (
            {},
            [{**row("session-1", FIRST, substation1=10.0), "state": "stopped"}],
            f"1 vehicles were answered as charged but are stopped in it: {FIRST}",
        ),
        (
            {},
            [row("session-1", FIRST, substation2=10.0)],
            f"1 vehicles were answered with other energies than it has: {FIRST}",
        ),
        (
            {"outcome": Outcome.REFUSED, "session_id": "session-1"},
            [row("session-1", FIRST, substation1=10.0)],
            f"1 vehicles were answered as refused but are charged in it: {FIRST}",
        ),
        (
            {"keys": 1, "tries": 3},
            [row("session-1", FIRST, substation1=10.0), row("s-2", FIRST, substation1=10.0)],
            f"1 vehicles have more sessions in it than they asked for: {FIRST}",
        ),
        (
            {"tries": 2},  # the first was refused, so only one may be charged
            [row("session-1", FIRST, substation1=10.0), row("s-2", FIRST, substation1=10.0)],
            f"1 vehicles were charged more than once, in tries without an answer: {FIRST}",
        ),
    ],
)
def test_what_the_ledger_has_otherwise_is_reported_by_name(
    first: dict[str, Any], rows: list[dict[str, Any]], fault: str
) -> None:
    one = charge(1, **{"energies": {"substation1": 10.0}, **first})
    rest = [charge(2)]
    found = errors(check([one, *rest], [*rows, *rows_of(rest)], 0.0, 0.0))
    assert f"ledger: {fault}" in found


def test_many_vehicles_are_reported_by_the_first_few() -> None:
    (text,) = [
        text
        for text in errors(check([charge(n) for n in range(1, 10)], [], 0.0, 0.0))
        if text.startswith("ledger")
    ]
    assert text.endswith(f"{FIRST}, {TAG}000002, {TAG}000003, …")


def test_a_try_without_a_response_may_be_charged_as_well() -> None:
    one = charge(1, tries=2, unanswered=1, energies={"substation1": 10.0})
    rows = [row("session-1", FIRST, substation1=10.0), row("s-2", FIRST, substation1=10.0)]
    reconciliation = check([one], rows, 20.0, 0.0)
    assert verdict_of(reconciliation, "ledger") is Verdict.NOTE
    assert verdict_of(reconciliation, "meters") is Verdict.OK


def test_sessions_of_vehicles_that_were_cut_short_may_continue() -> None:
    one = charge(1, outcome=Outcome.CUT_SHORT, keys=1)
    going = {**row("session-1", FIRST, substation1=2.0), "state": "charging"}
    reconciliation = check([one], [going], 3.0, 0.0)
    assert verdict_of(reconciliation, "ledger") is Verdict.OK
    assert verdict_of(reconciliation, "meters") is Verdict.NOTE
    ended = check([charge(1, session_id="s-2", tries=2)], [going, row("s-2", FIRST)], 10.0, 0.0)
    assert "1 vehicles have sessions in it that have not ended" in ended.findings[1].text


def test_several_gateways_may_each_have_a_ledger() -> None:
    reconciliation = check(TWO, rows_of(TWO[:1]), 14.0, 6.0, several_gateways=True)
    assert verdict_of(reconciliation, "ledger") is Verdict.UNKNOWN


class Gateway:
    """A gateway's pages of sessions, two a page, newest first."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.asked: list[str] = []

    def get(self, page: str) -> dict[str, Any]:
        self.asked.append(page)
        start = int(page.partition("cursor=")[2] or 0)
        rows = self.rows[start : start + 2]
        more = start + 2 < len(self.rows)
        return {"sessions": rows, "next": str(start + 2) if more else None}


def test_the_ledger_is_read_by_cursor_from_the_newest_session_before_the_run() -> None:
    gateway, ledger = Gateway(NEWEST), LedgerRecords(TAG)
    ledger.begin(gateway.get)
    mine = [row(f"00{n}", FIRST, substation1=1.0) for n in (5, 4, 2, 1)]
    # Others of before may have begun in the same millisecond.
    before = [NEWEST, row("-01", "guest", substation1=9.0), row("-02", "guest", substation1=9.0)]
    gateway.rows = [*mine[:2], row("003", "guest", substation2=2.0), *mine[2:], *before]
    assert ledger.read(gateway.get)
    since = "since=2026-11-26T16%3A00Z"
    assert gateway.asked == [
        "sessions?limit=1",
        *[f"sessions?{since}", f"sessions?{since}&cursor=2", f"sessions?{since}&cursor=4"],
    ]
    assert [entry.session_id for entry in ledger.own[FIRST]] == ["005", "004", "002", "001"]
    assert [entry.session_id for entry in ledger.others] == ["003"]
    assert ledger.kwh == {"substation1": 4.0, "substation2": 2.0}
    gateway.rows[0]["state"] = "charging"
    assert not ledger.read(gateway.get)
    assert len(ledger.own[FIRST]) == 4  # not added to what was read before


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_gateway_without_a_ledger_is_checked_as_ever(status: int) -> None:
    def get(_: str) -> dict[str, Any]:
        raise PageMissing(f"answered {status}", status)

    ledger = LedgerRecords(TAG)
    ledger.begin(get)
    assert ledger.read(get)
    nothing: dict[str, SubstationCounters | None] = {}
    reconciliation = reconcile(TWO, grid(nothing), grid(nothing), None, BEGAN, ledger=ledger)
    assert {finding.check for finding in reconciliation.findings} == {"gateway", "substations"}


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (PageMissing("answered 503", 503), "/sessions answered 503"),
        (
            {"sessions": [{"session_id": 1}]},
            "/sessions answered with something other than sessions",
        ),
        ({"sessions": {}}, "/sessions answered with something other than sessions"),
        ({"sessions": [], "next": "0"}, "has over 10,000 pages"),
    ],
)
def test_a_ledger_that_cannot_be_read_leaves_it_unchecked(
    page: dict[str, Any] | PageMissing, fault: str
) -> None:
    def get(_: str) -> dict[str, Any]:
        if isinstance(page, PageMissing):
            raise page
        return page

    ledger = ledger_of([])
    ledger.read(get)
    reconciliation = reconcile(TWO, grid({}), grid({}), None, BEGAN, ledger=ledger)
    assert verdict_of(reconciliation, "ledger") is Verdict.UNKNOWN
    assert any(fault in finding.text for finding in reconciliation.findings)
    assert "meters" not in {finding.check for finding in reconciliation.findings}


def test_answers_that_were_given_again_need_not_be_counted_again() -> None:
    before, after = grid({}, answers=12), grid({}, answers=21)
    ten = [charge(n, replayed=n == 1) for n in range(1, 11)]
    assert reconcile(ten, before, after, None, BEGAN).in_order
    fewer = grid({}, answers=20)
    assert not reconcile(ten, before, fewer, None, BEGAN).in_order


def test_accepted_vehicles_are_no_answers_with_a_200() -> None:
    ten = [charge(n, status=202) for n in range(1, 11)]
    assert reconcile(ten, grid({}, answers=3), grid({}, answers=3), None, BEGAN).in_order
