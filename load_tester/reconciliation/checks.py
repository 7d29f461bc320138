"""Compares the responses to vehicles with the grid's own counters and ledger. Pure.

Others may use the grid at the same time. Their sessions are known from the balancer's decisions,
the gateway's counter and its ledger. A surplus up to that number is attributed to them; anything
beyond is an error.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from load_tester.reconciliation.counters import GridCounters
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import (
    RELATIVE_TOLERANCE,
    Growth,
    OwnSide,
    Reconciliation,
    Verdict,
    growth_of,
)
from load_tester.reconciliation.ledger import LedgerRecords
from load_tester.reconciliation.ledger_checks import check_ledger, check_meters
from load_tester.vehicle import Charge, Outcome


def reconcile(
    charges: Sequence[Charge],
    before: GridCounters,
    after: GridCounters,
    decisions: DecisionRecords | None,
    began: float,
    *,
    several_gateways: bool = False,
    substation_names: Mapping[str, str] | None = None,
    ledger: LedgerRecords | None = None,
    keyed_view: bool = False,
) -> Reconciliation:
    """Run all checks that the readable counters allow.

    `began`: start of the run, seconds since 1970. `several_gateways`: responses come from more than
    one process, so that they cannot be compared with one process' counters. `substation_names`:
    names by address, so that substations can still be compared if others cannot be read.
    `keyed_view`: the ledger shows only the sessions of one API key.
    """
    reconciliation, ledger = Reconciliation(), ledger or LedgerRecords("", fault="")
    own = OwnSide.of(charges)
    _check_answers(reconciliation, charges)
    if decisions is not None and decisions.total:
        _check_decisions(reconciliation, charges, decisions)
    others = 0
    if several_gateways:
        reconciliation.add("gateway", Verdict.UNKNOWN, "several gateways share the vehicles")
    else:
        others = _check_gateway(reconciliation, own, before, after)
    if decisions is not None:
        others = max(others, len(decisions.foreign))
        if decisions.foreign:
            reconciliation.add(
                "others",
                Verdict.NOTE,
                f"the balancer dispatched {len(decisions.foreign):,} sessions of others meanwhile",
            )
    reconciliation.ledger_kwh = ledger.kwh
    check_ledger(reconciliation, charges, ledger, several_gateways=several_gateways)
    others = max(others, sum(entry.state == "charged" for entry in ledger.others))
    for address in sorted({*before.substations, *after.substations}):
        reconciliation.growth[address] = growth_of(
            before.substations.get(address),
            after.substations.get(address),
            known_before=address in before.substations,
            began=began,
        )
    if not any((*before.substations.values(), *after.substations.values())):
        _note_unreachable(reconciliation, after)
    else:
        _check_substations(reconciliation, charges, others, after, substation_names or {})
        plain = bool(ledger.others) or any(not charge.keys for charge in charges)
        check_meters(
            reconciliation, ledger, substation_names or {}, keyed_view=keyed_view, plain=plain
        )
    return reconciliation


def _check_answers(reconciliation: Reconciliation, charges: Sequence[Charge]) -> None:
    sessions = Counter(
        charge.session_id
        for charge in charges
        if charge.outcome is Outcome.CHARGED and charge.session_id
    )
    shared = sum(count - 1 for count in sessions.values())
    if shared:
        reconciliation.add(
            "answers", Verdict.ERROR, f"{shared:,} answers name a session already answered"
        )


def _check_decisions(
    reconciliation: Reconciliation, charges: Sequence[Charge], decisions: DecisionRecords
) -> None:
    twice = sum(
        len(decisions.sessions.get(charge.vehicle_id, ())) > charge.most_sessions
        for charge in charges
    )
    if twice:
        reconciliation.add(
            "dispatches", Verdict.ERROR, f"{twice:,} vehicles were given two sessions"
        )
    if not decisions.complete:
        reconciliation.add(
            "dispatches",
            Verdict.UNKNOWN,
            f"the decisions are incomplete: {decisions.describe_gaps()}",
        )
        return
    charged = [
        charge for charge in charges if charge.outcome is Outcome.CHARGED and charge.session_id
    ]
    unsent = sum(charge.session_id not in decisions.substations for charge in charged)
    if unsent:
        reconciliation.add(
            "dispatches",
            Verdict.ERROR,
            f"{unsent:,} vehicles were answered as charged but never dispatched to a substation",
        )
    # A substation may use another name than the balancer does; then they cannot be compared.
    names = set(decisions.substations.values())
    elsewhere = sum(
        charge.substation in names
        and charge.session_id in decisions.substations
        and decisions.substations[charge.session_id] != charge.substation
        for charge in charged
    )
    if elsewhere:
        reconciliation.add(
            "dispatches",
            Verdict.ERROR,
            f"{elsewhere:,} vehicles were answered by another substation than they were sent to",
        )
    if not (twice or unsent or elsewhere):
        reconciliation.add(
            "dispatches",
            Verdict.OK,
            f"each of {len(charged):,} charged vehicles was dispatched, to the substation that "
            "answered",
        )


def _check_gateway(
    reconciliation: Reconciliation, own: OwnSide, before: GridCounters, after: GridCounters
) -> int:
    """Compare responses; return how many vehicles of others the gateway charged."""
    if before.gateway is None or after.gateway is None:
        fault = after.faults.get("gateway") or before.faults.get("gateway") or "could not be read"
        reconciliation.add("gateway", Verdict.UNKNOWN, f"the gateway's counters: {fault}")
        return 0
    if before.gateway.started != after.gateway.started:
        reconciliation.add(
            "gateway", Verdict.UNKNOWN, "the gateway restarted, its counters with it"
        )
        return 0
    answered = after.gateway.answers.get("200", 0.0) - before.gateway.answers.get("200", 0.0)
    others = round(answered) - own.answers
    if others < -own.replayed:  # a repeated response charges no other vehicle
        reconciliation.add(
            "gateway",
            Verdict.ERROR,
            f"the gateway counts {answered:,.0f} vehicles charged, {-others:,} fewer than came "
            "back",
        )
        return 0
    if others > own.loose:
        reconciliation.add(
            "gateway",
            Verdict.NOTE,
            f"the gateway counts {answered:,.0f} vehicles charged: {own.answers:,} of this run, "
            f"{others:,} of others",
        )
        return others
    reconciliation.add(
        "gateway", Verdict.OK, f"the gateway counts {answered:,.0f} vehicles charged"
    )
    return 0


def _note_unreachable(reconciliation: Reconciliation, after: GridCounters) -> None:
    """Report that no substation's counters could be read."""
    reasons = sorted(text for key, text in after.faults.items() if key != "gateway")
    reconciliation.add(
        "substations",
        Verdict.UNKNOWN,
        "the substations' counters are not reachable from here"
        + (f" ({'; '.join(reasons)})" if reasons else "")
        + "; name their metrics pages with --site-metrics",
    )


def _check_substations(
    reconciliation: Reconciliation,
    charges: Sequence[Charge],
    others: int,
    after: GridCounters,
    names: Mapping[str, str],
) -> None:
    """Compare sessions and energy, for the substations that can be compared."""
    growth = reconciliation.growth
    gaps = [address for address in growth if growth[address].gap]
    for address in gaps:
        fault = after.faults.get(address, f"{address} {growth[address].gap}")
        reconciliation.add("substations", Verdict.UNKNOWN, fault)
    whole = {names.get(address): growth[address] for address in growth if address not in gaps}
    if not gaps:
        _compare(
            reconciliation, OwnSide.of(charges), list(growth.values()), others, "the substations"
        )
    elif whole and None not in whole:
        # Exclude what was charged at the substations whose counters have gaps.
        own = OwnSide.of(charges, whole)
        _compare(reconciliation, own, list(whole.values()), others, "the other substations")
    else:
        _check_not_too_many(reconciliation, OwnSide.of(charges), others)


def _check_not_too_many(reconciliation: Reconciliation, own: OwnSide, others: int) -> None:
    """Compare the remaining counters of the substations with all responses.

    More than these is an error in any case.
    """
    charged = round(sum(growth.charged for growth in reconciliation.growth.values()))
    present = round(sum(growth.load_before for growth in reconciliation.growth.values()))
    allowed = own.loose + own.further_legs + others + present
    if charged > own.charged + allowed:
        reconciliation.add(
            "sessions", Verdict.ERROR, _too_many("the substations", own, charged, allowed)
        )


def _too_many(substations: str, own: OwnSide, charged: int, allowed: int) -> str:
    more = charged - own.charged - allowed
    known = f" and at most {allowed:,} of others or unknown end" if allowed else ""
    return (
        f"{substations} charged {charged:,} vehicles, {more:,} more than {own.charged:,} of this "
        "run"
        f"{known}: charged twice, or sent to the substations past the gateway"
    )


def _compare(
    reconciliation: Reconciliation,
    own: OwnSide,
    growth: Sequence[Growth],
    others: int,
    substations: str,
) -> None:
    charged = round(sum(one.charged for one in growth))
    present = round(sum(one.load_before for one in growth))
    allowed = own.loose + own.further_legs + others + present
    reconciliation.add("sessions", *_judge_sessions(substations, own, charged, allowed))
    delivered = [one.kwh for one in growth if one.kwh is not None]
    with_others = own.charged < charged <= own.charged + allowed
    metered = [one.metered_kwh for one in growth if one.metered_kwh is not None]
    if own.partial and len(metered) == len(growth):
        # The counter for charged vehicles does not include all of their energy. The meter does,
        # together with vehicles that left early.
        delivered, with_others = metered, own.loose + others + present > 0
    if len(delivered) == len(growth):
        verdict, text = _judge_energy(own, sum(delivered), with_others)
        reconciliation.add(
            "energy", verdict, f"{substations} delivered {sum(delivered):,.3f} kWh, {text}"
        )


def _judge_sessions(
    substations: str, own: OwnSide, charged: int, allowed: int
) -> tuple[Verdict, str]:
    more = charged - own.charged
    if more < 0:
        return Verdict.ERROR, (
            f"{-more:,} of {own.charged:,} vehicles were answered as charged but no substation has "
            f"charged them: {substations} count {charged:,}"
        )
    if more > allowed:
        return Verdict.ERROR, _too_many(substations, own, charged, allowed)
    if more:
        return Verdict.NOTE, (
            f"{substations} charged {charged:,} vehicles: {own.charged:,} of this run, {more:,} of "
            "others, whose answer was lost, or in further legs"
        )
    return Verdict.OK, f"{substations} charged {charged:,} vehicles, as answered"


def _judge_energy(own: OwnSide, kwh: float, with_others: bool) -> tuple[Verdict, str]:
    tolerance = RELATIVE_TOLERANCE * max(1.0, own.kwh)
    if kwh < own.kwh - tolerance:
        return Verdict.ERROR, f"{own.kwh - kwh:,.3f} less than was answered"
    if with_others:
        return Verdict.NOTE, f"{own.kwh:,.3f} of them to this run, the rest to others"
    if kwh > own.kwh + tolerance:
        return Verdict.ERROR, f"{kwh - own.kwh:,.3f} more than was answered"
    return Verdict.OK, "as answered"
