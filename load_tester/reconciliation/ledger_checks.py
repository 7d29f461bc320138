"""Compares the gateway's session ledger with the responses, and the meters with the ledger.

Request, response, ledger, meters: that a response matches its request is checked when it arrives
(see `answer`). Here each vehicle is compared with its own rows in the ledger, and each substation's
meter with the energy that the ledger has for it, in each leg of every session, including those of
others. Pure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from load_tester.answer import ENERGY_TOLERANCE_KWH
from load_tester.reconciliation.findings import RELATIVE_TOLERANCE, Reconciliation, Verdict
from load_tester.reconciliation.ledger import Entry, LedgerRecords
from load_tester.vehicle import Charge, Outcome

_MAX_NAMED = 3
_REPORTED = {
    Outcome.CHARGED: "charged",
    Outcome.STOPPED: "stopped",
    Outcome.REFUSED: "refused",
}


def check_ledger(
    reconciliation: Reconciliation,
    charges: Sequence[Charge],
    ledger: LedgerRecords,
    *,
    several_gateways: bool,
) -> None:
    """Compare each vehicle's response with its sessions in the ledger."""
    if not ledger.readable:
        if ledger.fault:
            reconciliation.add("ledger", Verdict.UNKNOWN, f"the gateway's ledger: {ledger.fault}")
        return
    found: defaultdict[tuple[Verdict, str], list[str]] = defaultdict(list)
    for charge in charges:
        rows = ledger.own.get(charge.vehicle_id, ())
        for verdict, text in _differences(charge, rows):
            if several_gateways and not rows:
                verdict, text = Verdict.UNKNOWN, "are in no ledger that was read"
            found[verdict, text].append(charge.vehicle_id)
    for (verdict, text), vehicles in found.items():
        named = ", ".join(vehicles[:_MAX_NAMED]) + (", …" if len(vehicles) > _MAX_NAMED else "")
        reconciliation.add("ledger", verdict, f"{len(vehicles):,} vehicles {text}: {named}")
    if not found:
        own = sum(len(rows) for rows in ledger.own.values())
        reconciliation.add(
            "ledger", Verdict.OK, f"its {own:,} sessions of this run are as answered"
        )


def _differences(charge: Charge, rows: Sequence[Entry]) -> list[tuple[Verdict, str]]:
    """Return the differences for one vehicle."""
    found = []
    reported = _REPORTED.get(charge.outcome)
    row = next((one for one in rows if one.session_id == charge.session_id), None)
    if reported is not None and charge.session_id is not None:
        if row is not None and row.state != reported:
            found.append((Verdict.ERROR, f"were answered as {reported} but are {row.state} in it"))
        elif row is not None and not _alike(charge.energies, row.energies):
            found.append((Verdict.ERROR, "were answered with other energies than it has"))
        elif row is None and reported != "refused":
            found.append((Verdict.ERROR, f"were answered as {reported} but are not in it"))
    charged = sum(one.state == "charged" for one in rows)
    if len(rows) > charge.most_sessions:
        found.append((Verdict.ERROR, "have more sessions in it than they asked for"))
    elif charged > 1:  # each try without a key is its own session
        verdict = Verdict.NOTE if charged <= charge.unanswered + 1 else Verdict.ERROR
        found.append((verdict, "were charged more than once, in tries without an answer"))
    elif charged and reported not in (None, "charged") and (row is None or row.state != "charged"):
        found.append((Verdict.NOTE, f"were {reported}, and charged in a try without an answer"))
    if reported is not None and any(one.open for one in rows):
        found.append((Verdict.NOTE, "have sessions in it that have not ended"))
    return found


def _alike(answered: Mapping[str, float], written: Mapping[str, float]) -> bool:
    """Compare by substation, if both have substations."""
    return not (answered and written) or all(
        abs(answered.get(substation, 0.0) - written.get(substation, 0.0)) <= ENERGY_TOLERANCE_KWH
        for substation in {*answered, *written}
    )


def check_meters(
    reconciliation: Reconciliation,
    ledger: LedgerRecords,
    names: Mapping[str, str],
    *,
    keyed_view: bool,
    plain: bool,
) -> None:
    """Compare what each substation metered with what the ledger has for it.

    Args:
        reconciliation: has the growth of the meters.
        ledger: has the sessions.
        names: names of the substations, by address.
        keyed_view: the ledger shows only the sessions of one API key.
        plain: some sessions have no key. A substation reports their end before it is on disk, so a
            killed one may have metered less than it reported.
    """
    grown = {
        address: growth.metered_kwh
        for address, growth in reconciliation.growth.items()
        if growth.metered_kwh is not None
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
    present = sum(growth.load_before for growth in reconciliation.growth.values())
    unsure = keyed_view or present > 0 or any(one.open for one in ledger.entries)
    restarted = {
        names.get(address) for address, growth in reconciliation.growth.items() if growth.gap
    }
    differences = [
        (
            substation,
            f"{substation} metered {metered[substation]:,.3f} kWh, the ledger "
            f"{written.get(substation, 0.0):,.3f}",
            more,
        )
        for substation in sorted(metered)
        if abs(more := metered[substation] - written.get(substation, 0.0))
        > RELATIVE_TOLERANCE * max(1.0, metered[substation])
    ]
    for substation, text, more in differences:
        explained = unsure if more > 0 else plain and substation in restarted
        reconciliation.add("meters", Verdict.NOTE if explained else Verdict.ERROR, text)
    unmetered = sorted(substation for substation in written if substation not in metered)
    if unmetered:
        reconciliation.add(
            "meters", Verdict.UNKNOWN, f"no meter was read of {', '.join(unmetered)}"
        )
    if not (differences or unmetered):
        total = sum(metered.values())
        reconciliation.add(
            "meters", Verdict.OK, f"{total:,.3f} kWh metered, at each substation as in the ledger"
        )
