"""Compares the gateway's session ledger with the responses, and the meters with the ledger.

Request, response, ledger, meters: that a response matches its request is checked when it arrives
(see `response`). Here each vehicle is compared with its own rows in the ledger, and each
substation's meter with the energy that the ledger has for it, in each leg of every session,
including those of others. Pure.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from load_tester.reconciliation.findings import (
    ERROR,
    NOTE,
    OK,
    RELATIVE_TOLERANCE,
    UNKNOWN,
    Finding,
    Growth,
    Verdict,
)
from load_tester.reconciliation.ledger import FINAL, Entry, LedgerRecords
from load_tester.response import ENERGY_TOLERANCE_KWH
from load_tester.vehicle import Charge

_MAX_NAMED = 3
# A gateway writes the row of a session without a key within this time, seconds, without making its
# vehicle wait for that: one that is killed meanwhile has no such row (docs/reliability.md).
_WRITTEN_WITHIN_S = 0.1


def check_ledger(
    charges: Sequence[Charge],
    ledger: LedgerRecords,
    *,
    several_gateways: bool,
    gateway_lost_at: float | None = None,
) -> Iterator[Finding]:
    """Compare each vehicle's response with its sessions in the ledger.

    Args:
        charges: the vehicles.
        ledger: has their sessions.
        several_gateways: each may have a ledger of its own.
        gateway_lost_at: when the last response came before the gateway restarted, seconds since
            the start of the run; None if it did not.
    """
    if not ledger.readable:
        if ledger.fault:
            yield Finding("ledger", UNKNOWN, f"the gateway's ledger: {ledger.fault}")
        return
    found: defaultdict[tuple[Verdict, str], list[str]] = defaultdict(list)
    for charge in charges:
        rows = ledger.own.get(charge.vehicle_id, ())
        for verdict, text in _differences(charge, rows, gateway_lost_at):
            if several_gateways and not rows:
                verdict, text = UNKNOWN, "are in no ledger that was read"
            found[verdict, text].append(charge.vehicle_id)
    for (verdict, text), vehicles in found.items():
        named = ", ".join(vehicles[:_MAX_NAMED]) + (", …" if len(vehicles) > _MAX_NAMED else "")
        yield Finding("ledger", verdict, f"{len(vehicles):,} vehicles {text}: {named}")
    if not found:
        own = sum(len(rows) for rows in ledger.own.values())
        yield Finding("ledger", OK, f"its {own:,} sessions of this run are as answered")


def _is_unwritten(charge: Charge, gateway_lost_at: float | None) -> bool:
    """Return whether it was answered just before the gateway was lost, and sent no key."""
    return (
        gateway_lost_at is not None
        and not charge.keys
        and gateway_lost_at - _WRITTEN_WITHIN_S <= charge.ended <= gateway_lost_at
    )


def lacks_rows(
    charges: Sequence[Charge], ledger: LedgerRecords, gateway_lost_at: float | None
) -> bool:
    """Return whether energy may have flowed in sessions that a lost gateway had not yet written."""
    for charge in charges if gateway_lost_at is not None else ():
        rows = ledger.own.get(charge.vehicle_id, ())
        answered = sum(row.session_id == charge.session_id for row in rows)
        if not charge.keys and charge.unanswered > len(rows) - answered:
            return True
        if not answered and _is_unwritten(charge, gateway_lost_at):
            return True
    return False


def _differences(
    charge: Charge, rows: Sequence[Entry], gateway_lost_at: float | None
) -> Iterator[tuple[Verdict, str]]:
    """Yield the differences for one vehicle."""
    reported = charge.outcome.value if charge.outcome in FINAL else None
    row = next((one for one in rows if one.session_id == charge.session_id), None)
    if reported is not None and charge.session_id is not None:
        if row is not None and row.state != reported:
            yield ERROR, f"were answered as {reported} but are {row.state} in it"
        elif row is not None and not _alike(charge.energies, row.energies):
            yield ERROR, "were answered with other energies than it has"
        elif row is None and reported != "refused":
            verdict = NOTE if _is_unwritten(charge, gateway_lost_at) else ERROR
            yield verdict, f"were answered as {reported} but are not in it"
    charged = sum(one.state == "charged" for one in rows)
    if len(rows) > charge.most_sessions:
        yield ERROR, "have more sessions in it than they asked for"
    elif charged > 1:  # each try without a key is its own session
        verdict = NOTE if charged <= charge.unanswered + 1 else ERROR
        yield verdict, "were charged more than once, in tries without an answer"
    elif charged and reported not in (None, "charged") and (row is None or row.state != "charged"):
        yield NOTE, f"were {reported}, and charged in a try without an answer"
    if reported is not None and any(one.open for one in rows):
        yield NOTE, "have sessions in it that have not ended"


def _alike(answered: Mapping[str, float], written: Mapping[str, float]) -> bool:
    """Compare by substation, if both have substations."""
    return not (answered and written) or all(
        abs(answered.get(substation, 0.0) - written.get(substation, 0.0)) <= ENERGY_TOLERANCE_KWH
        for substation in {*answered, *written}
    )


def check_meters(
    growth: Mapping[str, Growth],
    ledger: LedgerRecords,
    names: Mapping[str, str],
    *,
    keyed_view: bool,
    plain: bool,
    lacks_rows: bool = False,
) -> Iterator[Finding]:
    """Compare what each substation metered with what the ledger has for it.

    Args:
        growth: of the meters, by the substation's address.
        ledger: has the sessions.
        names: names of the substations, by address.
        keyed_view: the ledger shows only the sessions of one API key.
        plain: some sessions have no key. A substation reports their end before it is on disk, so a
            killed one may have metered less than it reported.
        lacks_rows: a killed gateway may not have written some sessions.
    """
    grown = {
        address: one.metered_kwh for address, one in growth.items() if one.metered_kwh is not None
    }
    if not (ledger.readable and grown):
        return
    written = ledger.kwh
    if all(address in names for address in grown):
        metered = {names[address]: kwh for address, kwh in grown.items()}
    else:  # metrics pages that were given, of substations with unknown names
        metered = {"all substations": sum(grown.values())}
        written = {"all substations": sum(written.values())}
    # Energy that no row of the ledger contains, or not yet.
    present = sum(one.load_before for one in growth.values())
    unsure = keyed_view or lacks_rows or present > 0 or any(one.open for one in ledger.entries)
    restarted = {names.get(address) for address, one in growth.items() if one.gap}
    differ = False
    for substation, kwh in sorted(metered.items()):
        booked = written.get(substation, 0.0)
        if abs(kwh - booked) > RELATIVE_TOLERANCE * max(1.0, kwh):
            differ = True
            explained = unsure if kwh > booked else plain and substation in restarted
            text = f"{substation} metered {kwh:,.3f} kWh, the ledger {booked:,.3f}"
            yield Finding("meters", NOTE if explained else ERROR, text)
    unmetered = sorted(substation for substation in written if substation not in metered)
    if unmetered:
        yield Finding("meters", UNKNOWN, f"no meter was read of {', '.join(unmetered)}")
    if not (differ or unmetered):
        text = f"{sum(metered.values()):,.3f} kWh metered, at each substation as in the ledger"
        yield Finding("meters", OK, text)
