"""Differences between responses and logs that a fault excuses, and those that none does."""

import pytest

from benchmarks.soak.reconciliation import Injected
from tests.unit.benchmarks.harness.builders import attempt, told
from tests.unit.benchmarks.soak.builders import LEASE_KWH, injected, reconciliation

AGAIN = {
    "substation1": [attempt(session_id="first", ended=90.0)],
    "substation2": [attempt(session_id="of-EV", ended=100.0)],
}
ANSWER = [told(substation="substation2", tries=2)]


def test_two_charges_are_twice_when_nothing_excuses_it() -> None:
    found = reconciliation(ANSWER, AGAIN)
    assert len(found.twice) == 1
    assert "substation1 until 90.000" in found.twice[0]
    assert found.answer_lost == []


def test_two_charges_in_one_session_are_excused_by_a_cut_link() -> None:
    found = reconciliation(
        [told()],
        {"substation1": [attempt(ended=90.0), attempt()]},
        injected("cut", "substation1", 88.0, 91.0),
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
    found = reconciliation(ANSWER, AGAIN, fault)
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
def test_no_other_fault_excuses_a_second_charge(fault: Injected) -> None:
    assert len(reconciliation(ANSWER, AGAIN, fault).twice) == 1


@pytest.mark.parametrize(
    ("fault", "excess_kwh", "agrees"),
    [
        (injected("cut", "substation1", 88.0, 91.0), LEASE_KWH, True),
        (injected("freeze", "substation1", 88.0, 91.0), LEASE_KWH, True),
        (injected("freeze", "substation1", 88.0, 91.0), LEASE_KWH + 0.1, False),
        (injected("freeze", "substation2", 88.0, 91.0), 0.1, False),
        (injected("freeze", "substation1", 92.0, 95.0), 0.1, False),  # it had left
        (injected("kill", "substation1", 88.0, 91.0), 0.1, False),
        (injected("slow", "substation1", 88.0, 91.0), 0.1, False),
    ],
    ids=str,
)
def test_a_substation_that_hears_nothing_may_deliver_a_lease_on_top(
    fault: Injected, excess_kwh: float, agrees: bool
) -> None:
    left = attempt(outcome="aborted", began=80.0, ended=90.0, delivered_kwh=3.0)
    rest = attempt(delivered_kwh=2.0 + excess_kwh)
    found = reconciliation(
        [told(substation="substation3")], {"substation1": [left], "substation3": [rest]}, fault
    )
    assert (not found.differing) is agrees
