"""Checks answers against what the sites themselves counted. Pure."""

from collections.abc import Mapping, Sequence

from load_tester.books import Books, Growth, OwnSide, Verdict
from load_tester.counters import GridCounters
from load_tester.vehicle import Charge, Outcome

_RELATIVE_TOLERANCE = 1e-6  # of sums of floats over a long-lived counter


def note_unreachable(books: Books, after: GridCounters) -> None:
    """Say that no site's counters could be read."""
    reasons = sorted(text for key, text in after.faults.items() if key != "gateway")
    books.add(
        "sites",
        Verdict.UNKNOWN,
        "the sites' counters are not reachable from here"
        + (f" ({'; '.join(reasons)})" if reasons else "")
        + "; name their metrics pages with --site-metrics",
    )


def check_sites(
    books: Books,
    charges: Sequence[Charge],
    others: int,
    after: GridCounters,
    names: Mapping[str, str],
) -> None:
    """Compare sessions and energy, with the sites that can be compared."""
    growth = books.growth
    gaps = [address for address in growth if growth[address].gap]
    for address in gaps:
        fault = after.faults.get(address, f"{address} {growth[address].gap}")
        books.add("sites", Verdict.UNKNOWN, fault)
    whole = {names.get(address): growth[address] for address in growth if address not in gaps}
    if not gaps:
        _compare(books, OwnSide.of(charges), list(growth.values()), others, "the sites")
    elif whole and None not in whole:
        # Leave out what was answered by the sites whose books have gaps.
        rest = [one for one in charges if one.outcome is not Outcome.CHARGED or one.site in whole]
        _compare(books, OwnSide.of(rest), list(whole.values()), others, "the other sites")
    else:
        _check_not_too_many(books, OwnSide.of(charges), others)


def _check_not_too_many(books: Books, own: OwnSide, others: int) -> None:
    """Hold what is left of the sites' counters against all answers: more is an error even so."""
    charged = round(sum(growth.charged for growth in books.growth.values()))
    present = round(sum(growth.load_before for growth in books.growth.values()))
    allowed = own.loose + others + present
    if charged > own.charged + allowed:
        books.add("sessions", Verdict.ERROR, _too_many("the sites", own, charged, allowed))


def _too_many(sites: str, own: OwnSide, charged: int, allowed: int) -> str:
    more = charged - own.charged - allowed
    known = f" and at most {allowed:,} of others or unknown end" if allowed else ""
    return (
        f"{sites} charged {charged:,} vehicles, {more:,} more than {own.charged:,} of this run"
        f"{known}: charged twice, or sent to the sites past the gateway"
    )


def _compare(books: Books, own: OwnSide, growth: Sequence[Growth], others: int, sites: str) -> None:
    charged = round(sum(one.charged for one in growth))
    allowed = own.loose + others + round(sum(one.load_before for one in growth))
    books.add("sessions", *_judge_sessions(sites, own, charged, allowed))
    delivered = [one.kwh for one in growth if one.kwh is not None]
    if len(delivered) == len(growth):
        with_others = own.charged < charged <= own.charged + allowed
        verdict, text = _judge_energy(own, sum(delivered), with_others)
        books.add("energy", verdict, f"{sites} delivered {sum(delivered):,.3f} kWh, {text}")


def _judge_sessions(sites: str, own: OwnSide, charged: int, allowed: int) -> tuple[Verdict, str]:
    more = charged - own.charged
    if more < 0:
        return Verdict.ERROR, (
            f"{-more:,} of {own.charged:,} vehicles were answered as charged but no site has "
            f"charged them: {sites} count {charged:,}"
        )
    if more > allowed:
        return Verdict.ERROR, _too_many(sites, own, charged, allowed)
    if more:
        return Verdict.NOTE, (
            f"{sites} charged {charged:,} vehicles: {own.charged:,} of this run, {more:,} of "
            "others or whose answer was lost"
        )
    return Verdict.OK, f"{sites} charged {charged:,} vehicles, as answered"


def _judge_energy(own: OwnSide, kwh: float, with_others: bool) -> tuple[Verdict, str]:
    tolerance = _RELATIVE_TOLERANCE * max(1.0, own.kwh)
    if kwh < own.kwh - tolerance:
        missing = own.kwh - kwh
        return Verdict.ERROR, f"{missing:,.3f} less than the vehicles answered as charged asked for"
    if with_others:
        return Verdict.NOTE, f"{own.kwh:,.3f} of them to this run, the rest to others"
    if kwh > own.kwh + tolerance:
        return Verdict.ERROR, f"{kwh - own.kwh:,.3f} more than was asked for"
    return Verdict.OK, "as asked for"
