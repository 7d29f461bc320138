"""Compares the responses to vehicles with the grid's own counters and ledger. Pure.

Others may use the grid at the same time. Their sessions are known from the balancer's decisions,
the gateway's counter and its ledger. A surplus up to that number is attributed to them; anything
beyond is an error.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from load_tester.reconciliation.counters import GridCounters
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import (
    ERROR,
    NOTE,
    OK,
    RELATIVE_TOLERANCE,
    UNKNOWN,
    Finding,
    Growth,
    OwnSide,
    Reconciliation,
    Verdict,
    growth_of,
)
from load_tester.reconciliation.ledger import LedgerRecords
from load_tester.reconciliation.ledger_checks import check_ledger, check_meters, lacks_rows
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
    ledger, names = ledger or LedgerRecords("", fault=""), substation_names or {}
    gateway, others = _check_gateway(OwnSide.of(charges), before, after, several_gateways)
    found = [*_check_answers(charges), *_check_decisions(charges, decisions), gateway]
    if decisions is not None and decisions.foreign:
        foreign = len(decisions.foreign)
        others = max(others, foreign)
        text = f"the balancer dispatched {foreign:,} sessions of others meanwhile"
        found.append(Finding("others", NOTE, text))
    lost_at = _gateway_lost_at(charges, before, after, began)
    found += check_ledger(
        charges, ledger, several_gateways=several_gateways, gateway_lost_at=lost_at
    )
    others = max(others, sum(entry.state == "charged" for entry in ledger.others))
    growth = {
        address: growth_of(
            before.substations.get(address),
            after.substations.get(address),
            known_before=address in before.substations,
            began=began,
        )
        for address in sorted({*before.substations, *after.substations})
    }
    if any((*before.substations.values(), *after.substations.values())):
        found += _check_substations(charges, growth, others, after, names)
        plain = bool(ledger.others) or any(not charge.keys for charge in charges)
        found += check_meters(
            growth,
            ledger,
            names,
            keyed_view=keyed_view,
            plain=plain,
            lacks_rows=lacks_rows(charges, ledger, lost_at),
        )
    else:
        reasons = "; ".join(sorted(text for key, text in after.faults.items() if key != "gateway"))
        text = f"the substations' counters are not reachable from here ({reasons})"
        text = f"{text.removesuffix(' ()')}; name their metrics pages with --substation-metrics"
        found.append(Finding("substations", UNKNOWN, text))
    return Reconciliation(found, growth, ledger.kwh)


def _gateway_lost_at(
    charges: Sequence[Charge], before: GridCounters, after: GridCounters, began: float
) -> float | None:
    """Return when the last response came before the gateway restarted; None if it did not.

    In seconds since the start of the run. With several restarts it is the last one that counts.
    """
    if before.gateway is None or after.gateway is None:
        return None
    restarted = after.gateway.started
    if restarted is None or before.gateway.started == restarted:
        return None
    ends = (charge.ended for charge in charges if charge.status is not None)
    return max((ended for ended in ends if began + ended <= restarted), default=0.0)


def _check_answers(charges: Sequence[Charge]) -> Iterator[Finding]:
    charged = [charge for charge in charges if charge.outcome is Outcome.CHARGED]
    sessions = Counter(charge.session_id for charge in charged if charge.session_id)
    if shared := sum(count - 1 for count in sessions.values()):
        yield Finding("answers", ERROR, f"{shared:,} answers name a session already answered")


def _check_decisions(
    charges: Sequence[Charge], decisions: DecisionRecords | None
) -> Iterator[Finding]:
    if decisions is None or not decisions.total:
        return
    faults = {
        "were given two sessions": sum(
            len(decisions.sessions.get(charge.vehicle_id, ())) > charge.most_sessions
            for charge in charges
        )
    }
    charged = [
        charge for charge in charges if charge.outcome is Outcome.CHARGED and charge.session_id
    ]
    if decisions.complete:
        sent_to = [
            (charge, decisions.substations.get(charge.session_id or "")) for charge in charged
        ]
        # A substation may use another name than the balancer does; then they cannot be compared.
        names = {*decisions.substations.values()}
        faults["were answered as charged but never dispatched to a substation"] = sum(
            substation is None for _, substation in sent_to
        )
        faults["were answered by another substation than they were sent to"] = sum(
            charge.substation in names and substation not in (None, charge.substation)
            for charge, substation in sent_to
        )
    for text, vehicles in faults.items():
        if vehicles:
            yield Finding("dispatches", ERROR, f"{vehicles:,} vehicles {text}")
    if not decisions.complete:
        text = f"the decisions are incomplete: {decisions.describe_gaps()}"
        yield Finding("dispatches", UNKNOWN, text)
    elif not any(faults.values()):
        text = (
            f"each of {len(charged):,} charged vehicles was dispatched, to the substation that "
            "answered"
        )
        yield Finding("dispatches", OK, text)


def _check_gateway(
    own: OwnSide, before: GridCounters, after: GridCounters, several: bool
) -> tuple[Finding, int]:
    """Compare responses; also return how many vehicles of others the gateway charged."""
    if several:
        return Finding("gateway", UNKNOWN, "several gateways share the vehicles"), 0
    if before.gateway is None or after.gateway is None:
        fault = after.faults.get("gateway") or before.faults.get("gateway") or "could not be read"
        return Finding("gateway", UNKNOWN, f"the gateway's counters: {fault}"), 0
    if before.gateway.started != after.gateway.started:
        return Finding("gateway", UNKNOWN, "the gateway restarted, its counters with it"), 0
    answered = after.gateway.answers.get("200", 0.0) - before.gateway.answers.get("200", 0.0)
    others = round(answered) - own.answers
    text = f"the gateway counts {answered:,.0f} vehicles charged"
    if others < -own.replayed:  # a repeated response charges no other vehicle
        return Finding("gateway", ERROR, f"{text}, {-others:,} fewer than came back"), 0
    if others > own.loose:
        text = f"{text}: {own.answers:,} of this run, {others:,} of others"
        return Finding("gateway", NOTE, text), others
    return Finding("gateway", OK, text), 0


def _check_substations(
    charges: Sequence[Charge],
    growth: Mapping[str, Growth],
    others: int,
    after: GridCounters,
    names: Mapping[str, str],
) -> Iterator[Finding]:
    """Compare sessions and energy, for the substations that can be compared."""
    gaps = {address: one.gap for address, one in growth.items() if one.gap}
    for address, gap in gaps.items():
        yield Finding("substations", UNKNOWN, after.faults.get(address, f"{address} {gap}"))
    whole = {names.get(address): one for address, one in growth.items() if address not in gaps}
    if not gaps:
        yield from _compare(OwnSide.of(charges), [*growth.values()], others, "the substations")
    elif whole and None not in whole:
        # Exclude what was charged at the substations whose counters have gaps.
        own = OwnSide.of(charges, whole)
        yield from _compare(own, [*whole.values()], others, "the other substations")
    else:
        # More than all responses is an error in any case.
        own = OwnSide.of(charges)
        charged, allowed = _charged(own, [*growth.values()], others)
        if charged > own.charged + allowed:
            yield Finding("sessions", ERROR, _too_many("the substations", own, charged, allowed))


def _charged(own: OwnSide, growth: Sequence[Growth], others: int) -> tuple[int, int]:
    """Return what substations charged, and how many of it may be beyond this run's vehicles."""
    present = round(sum(one.load_before for one in growth))
    allowed = own.loose + own.further_legs + others + present
    return round(sum(one.charged for one in growth)), allowed


def _too_many(substations: str, own: OwnSide, charged: int, allowed: int) -> str:
    more = charged - own.charged - allowed
    known = f" and at most {allowed:,} of others or unknown end" if allowed else ""
    return (
        f"{substations} charged {charged:,} vehicles, {more:,} more than {own.charged:,} of this "
        f"run{known}: charged twice, or sent to the substations past the gateway"
    )


def _compare(
    own: OwnSide, growth: Sequence[Growth], others: int, substations: str
) -> Iterator[Finding]:
    charged, allowed = _charged(own, growth, others)
    yield Finding("sessions", *_judge_sessions(substations, own, charged, allowed))
    delivered = [one.kwh for one in growth if one.kwh is not None]
    with_others = own.charged < charged <= own.charged + allowed
    metered = [one.metered_kwh for one in growth if one.metered_kwh is not None]
    if own.partial and len(metered) == len(growth):
        # The counter for charged vehicles does not include all of their energy. The meter does,
        # together with vehicles that left early.
        delivered, with_others = metered, allowed > own.further_legs
    if len(delivered) == len(growth):
        verdict, text = _judge_energy(own, sum(delivered), with_others)
        text = f"{substations} delivered {sum(delivered):,.3f} kWh, {text}"
        yield Finding("energy", verdict, text)


def _judge_sessions(
    substations: str, own: OwnSide, charged: int, allowed: int
) -> tuple[Verdict, str]:
    more = charged - own.charged
    if more < 0:
        return ERROR, (
            f"{-more:,} of {own.charged:,} vehicles were answered as charged but no substation has "
            f"charged them: {substations} count {charged:,}"
        )
    if more > allowed:
        return ERROR, _too_many(substations, own, charged, allowed)
    if more:
        return NOTE, (
            f"{substations} charged {charged:,} vehicles: {own.charged:,} of this run, {more:,} of "
            "others, whose answer was lost, or in further legs"
        )
    return OK, f"{substations} charged {charged:,} vehicles, as answered"


def _judge_energy(own: OwnSide, kwh: float, with_others: bool) -> tuple[Verdict, str]:
    tolerance = RELATIVE_TOLERANCE * max(1.0, own.kwh)
    if kwh < own.kwh - tolerance:
        return ERROR, f"{own.kwh - kwh:,.3f} less than was answered"
    if with_others:
        return NOTE, f"{own.kwh:,.3f} of them to this run, the rest to others"
    if kwh > own.kwh + tolerance:
        return ERROR, f"{kwh - own.kwh:,.3f} more than was answered"
    return OK, "as answered"
