"""What of a choice among many substations is kept: enough to see that it was right. Pure."""

from collections.abc import Sequence

from load_balancer.routing.policy import Candidate

# All are kept of so many; in flight there may be thousands of decisions, each among hundreds.
MAX_LISTED = 8


def shortlist(candidates: Sequence[Candidate], chosen: Candidate) -> tuple[Candidate, ...]:
    """Keep the chosen one, the best ones, and the fullest ones, in the order they came in."""
    if len(candidates) <= MAX_LISTED:
        return tuple(candidates)
    ranked = sorted(candidates, key=_score)
    kept = {chosen.address, ranked[-1].address, max(candidates, key=_load).address}
    for one in ranked:
        if len(kept) == MAX_LISTED:
            break
        kept.add(one.address)
    return tuple(one for one in candidates if one.address in kept)


def shortlist_reasons(ineligible: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Keep a few of those passed over, those first that are not merely full."""
    if len(ineligible) <= MAX_LISTED:
        return tuple(ineligible)
    return tuple(sorted(ineligible, key=_is_full)[:MAX_LISTED])


def _score(candidate: Candidate) -> float:
    return candidate.score


def _load(candidate: Candidate) -> int:
    return candidate.load


def _is_full(ineligible: tuple[str, str]) -> bool:
    return ineligible[1].startswith("full")
