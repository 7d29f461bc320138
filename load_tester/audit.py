"""Checks what came back to the vehicles against the grid's own counters. Pure.

Others may use the grid at the same time. Their sessions are known from the balancer's decisions and
from the gateway's counter; up to so many more than ours are theirs, any beyond that an error.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from load_tester.books import Books, OwnSide, Verdict, growth_of
from load_tester.counters import GridCounters
from load_tester.decisions import DecisionBook
from load_tester.site_audit import check_sites, note_unreachable
from load_tester.vehicle import Charge, Outcome


def check_books(
    charges: Sequence[Charge],
    before: GridCounters,
    after: GridCounters,
    decisions: DecisionBook | None,
    began: float,
    *,
    several_gateways: bool = False,
    site_names: Mapping[str, str] | None = None,
) -> Books:
    """Make all checks that the readable books allow.

    `began`: the start of the run, seconds since 1970. `several_gateways`: answers come from more
    than one process, so that no counter of one can be held against them. `site_names`: names by
    address, so that sites can still be compared where others cannot be read.
    """
    books = Books()
    own = OwnSide.of(charges)
    _check_answers(books, charges)
    if decisions is not None and decisions.total:
        _check_decisions(books, charges, decisions)
    others = 0
    if several_gateways:
        books.add("gateway", Verdict.UNKNOWN, "several gateways share the vehicles")
    else:
        others = _check_gateway(books, own, before, after)
    if decisions is not None:
        others = max(others, len(decisions.foreign))
        if decisions.foreign:
            books.add(
                "others",
                Verdict.NOTE,
                f"the balancer dispatched {len(decisions.foreign):,} sessions of others meanwhile",
            )
    for address in sorted({*before.sites, *after.sites}):
        books.growth[address] = growth_of(
            before.sites.get(address),
            after.sites.get(address),
            known_before=address in before.sites,
            began=began,
        )
    if not any((*before.sites.values(), *after.sites.values())):
        note_unreachable(books, after)
    else:
        check_sites(books, charges, others, after, site_names or {})
    return books


def _check_answers(books: Books, charges: Sequence[Charge]) -> None:
    sessions = Counter(
        charge.session_id
        for charge in charges
        if charge.outcome is Outcome.CHARGED and charge.session_id
    )
    shared = sum(count - 1 for count in sessions.values())
    if shared:
        books.add("answers", Verdict.ERROR, f"{shared:,} answers name a session already answered")


def _check_decisions(books: Books, charges: Sequence[Charge], decisions: DecisionBook) -> None:
    twice = sum(
        len(decisions.sessions.get(charge.vehicle_id, ())) > charge.tries for charge in charges
    )
    if twice:
        books.add("dispatches", Verdict.ERROR, f"{twice:,} vehicles were given two sessions")
    if not decisions.complete:
        books.add(
            "dispatches",
            Verdict.UNKNOWN,
            f"the decisions are incomplete: {decisions.describe_gaps()}",
        )
        return
    charged = [
        charge for charge in charges if charge.outcome is Outcome.CHARGED and charge.session_id
    ]
    unsent = sum(charge.session_id not in decisions.sites for charge in charged)
    if unsent:
        books.add(
            "dispatches",
            Verdict.ERROR,
            f"{unsent:,} vehicles were answered as charged but never dispatched to a site",
        )
    # A site may call itself by another name than the balancer does; then they cannot be compared.
    names = set(decisions.sites.values())
    elsewhere = sum(
        charge.site in names
        and charge.session_id in decisions.sites
        and decisions.sites[charge.session_id] != charge.site
        for charge in charged
    )
    if elsewhere:
        books.add(
            "dispatches",
            Verdict.ERROR,
            f"{elsewhere:,} vehicles were answered by another site than they were sent to",
        )
    if not (twice or unsent or elsewhere):
        books.add(
            "dispatches",
            Verdict.OK,
            f"each of {len(charged):,} charged vehicles was dispatched, to the site that answered",
        )


def _check_gateway(books: Books, own: OwnSide, before: GridCounters, after: GridCounters) -> int:
    """Compare answers; return how many vehicles of others the gateway charged."""
    if before.gateway is None or after.gateway is None:
        fault = after.faults.get("gateway") or before.faults.get("gateway") or "could not be read"
        books.add("gateway", Verdict.UNKNOWN, f"the gateway's counters: {fault}")
        return 0
    if before.gateway.started != after.gateway.started:
        books.add("gateway", Verdict.UNKNOWN, "the gateway restarted, its counters with it")
        return 0
    answered = after.gateway.answers.get("200", 0.0) - before.gateway.answers.get("200", 0.0)
    others = round(answered) - own.charged
    if others < 0:
        books.add(
            "gateway",
            Verdict.ERROR,
            f"the gateway counts {answered:,.0f} vehicles charged, {-others:,} fewer than came "
            "back",
        )
        return 0
    if others > own.loose:
        books.add(
            "gateway",
            Verdict.NOTE,
            f"the gateway counts {answered:,.0f} vehicles charged: {own.charged:,} of this run, "
            f"{others:,} of others",
        )
        return others
    books.add("gateway", Verdict.OK, f"the gateway counts {answered:,.0f} vehicles charged")
    return 0
