"""The comparison of responses, ledger and meters."""

from typing import Any

import pytest

from benchmarks.harness.reconciliation import Disconnection, Reconciliation, Register, reconcile
from benchmarks.harness.vehicles import Manner, Vehicle


def vehicle(**changes: Any) -> Vehicle:
    fields: dict[str, Any] = {
        "number": 1,
        "manner": Manner.HELD,
        "kwh": 10.0,
        "sessions": {"s1"},
        "ends": [("charged", 10.0), ("charged", 10.0)],
        "asked_again": True,
    }
    return Vehicle(**(fields | changes))


def reconciled(
    *vehicles: Vehicle,
    ledger: list[dict[str, Any]] | None = None,
    registers: dict[str, dict[str, float]] | None = None,
    disconnections: tuple[Disconnection, ...] = (),
) -> Reconciliation:
    """Reconcile; all attempts are from 100 to 102."""
    rows = [{"session_id": "s1", "state": "charged", "energy_kwh": 10.0}]
    given = {"a": {"s1": 4.0}, "b": {"s1": 6.0}} if registers is None else registers
    return reconcile(
        vehicles or (vehicle(),),
        rows if ledger is None else ledger,
        {
            name: {session: Register(kwh, 100.0, 102.0) for session, kwh in register.items()}
            for name, register in given.items()
        },
        disconnections=disconnections,
        lease_kwh=3.0,
    )


def test_legs_that_add_up_to_what_was_asked_agree() -> None:
    found = reconciled()
    assert not found.troubles
    assert (found.charged, found.kwh_asked, found.kwh_metered) == (1, 10.0, 10.0)


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("lost", {"ends": []}),
        ("lost", {"sessions": set()}),
        ("lost", {"ends": [("refused", 0.0)], "state": "refused"}),
        ("lost", {"ends": [("stopped", 10.0)], "state": "stopped"}),  # nobody asked for that
        ("twice", {"sessions": {"s1", "s2"}}),
        ("twice", {"ends": [("charged", 10.0), ("charged", 9.0)]}),
        ("twice", {"state": "stopped"}),
        ("strange", {"troubles": ["500"]}),
        ("strange", {"asked_again": False}),
    ],
)
def test_a_vehicle_that_was_reported_otherwise_is_found(
    fault: str, changes: dict[str, Any]
) -> None:
    changes = dict(changes)
    row = {"session_id": "s1", "state": changes.pop("state", "charged"), "energy_kwh": 10.0}
    found = reconciled(vehicle(**changes), ledger=[row])
    assert fault in found.troubles
    assert set(found.sessions) >= changes.get("sessions", {"s1"})


def test_a_session_that_is_open_in_the_ledger_is_lost() -> None:
    rows: list[dict[str, Any]] = [
        {"session_id": "s1", "state": "charged", "energy_kwh": 10.0},
        {"session_id": "s2", "state": "charging", "energy_kwh": None},
    ]
    assert reconciled(ledger=rows).lost == ["session s2 is still charging"]


def test_a_watt_hour_too_much_or_too_little_is_unequal() -> None:
    assert not reconciled(registers={"a": {"s1": 10.0004}}).troubles
    assert reconciled(registers={"a": {"s1": 10.001}}).unequal
    assert reconciled(registers={"a": {"s1": 9.999}}).unequal


def test_a_ledger_that_differs_from_the_meters_is_unequal() -> None:
    row = {"session_id": "s1", "state": "charged", "energy_kwh": 9.998}
    assert reconciled(ledger=[row]).unequal


def test_too_much_where_a_substation_was_silent_is_bounded_by_its_lease() -> None:
    registers = {"a": {"s1": 6.0}, "b": {"s1": 6.0}}
    found = reconciled(registers=registers, disconnections=(Disconnection("a", 101.0, 105.0),))
    assert not found.troubles
    assert found.excess == {"s1": 2.0}
    assert not reconciled(
        registers=registers, disconnections=(Disconnection("a", 90.0, 99.9),)
    ).troubles
    more = {"a": {"s1": 6.0}, "b": {"s1": 7.1}}
    assert reconciled(registers=more, disconnections=(Disconnection("a", 101.0, 105.0),)).unequal
    twice = (Disconnection("a", 101.0, 105.0), Disconnection("b", 100.5, 101.0))
    assert reconciled(registers=more, disconnections=twice).excess == {"s1": pytest.approx(3.1)}


@pytest.mark.parametrize(
    "disconnection",
    [Disconnection("c", 100, 102), Disconnection("a", 90, 98.9), Disconnection("a", 102.1, 110)],
)
def test_too_much_is_unequal_where_no_attempt_met_a_disconnection(
    disconnection: Disconnection,
) -> None:
    registers = {"a": {"s1": 6.0}, "b": {"s1": 6.0}}
    assert reconciled(registers=registers, disconnections=(disconnection,)).unequal


def test_a_record_has_what_was_asked_or_also_what_was_too_much_and_nothing_else() -> None:
    for written, is_fine in ((10.0, True), (12.0, True), (9.9, False), (12.1, False)):
        found = reconciled(
            ledger=[{"session_id": "s1", "state": "charged", "energy_kwh": written}],
            registers={"a": {"s1": 6.0}, "b": {"s1": 6.0}},
            disconnections=(Disconnection("a", 101.0, 105.0),),
        )
        assert bool(found.unequal) != is_fine


def test_energy_that_a_stopped_vehicle_was_reported_is_what_its_meters_say() -> None:
    stopped = vehicle(manner=Manner.STOPPED, ends=[("stopped", 2.5)])
    row = {"session_id": "s1", "state": "stopped", "energy_kwh": 2.5}
    assert not reconciled(stopped, ledger=[row], registers={"a": {"s1": 2.5}}).troubles
    assert reconciled(stopped, ledger=[row], registers={"a": {"s1": 3.5}}).unequal


def test_energy_for_an_unknown_session_is_strange() -> None:
    assert reconciled(registers={"a": {"s1": 10.0, "other": 1.0}}).strange
