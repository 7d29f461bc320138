"""The substations at one moment, as the matcher asks for them; and `Scan`, which looks at each.

Pure. With many substations, `index.substation_index` answers the same questions faster.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from load_balancer.routing.policy import Candidate, Option, Request
from load_balancer.routing.substation import Substation

# An explanation lists at most this many candidates, and as many ineligible substations. There may
# be thousands of decisions in flight, each among hundreds of substations.
MAX_LISTED = 8


class Explanation(NamedTuple):
    """The substations among which one was chosen; of many only a few, with the number of the rest.

    The ineligible ones are pairs of a substation's name and the reason.
    """

    candidates: tuple[Candidate, ...]  # with a free point
    ineligible: tuple[tuple[str, str], ...]
    candidates_left_out: int = 0
    ineligible_left_out: int = 0


class View(Protocol):
    """The questions of a matcher.

    `rejected_by` are the addresses of the substations that have rejected the vehicle.
    """

    def has_point(self, rejected_by: Collection[str] = ()) -> bool:
        """Return whether any substation has a free point."""
        ...

    def options(
        self, request: Request, rejected_by: Collection[str], reserved: Mapping[str, int]
    ) -> list[Option]:
        """Return a vehicle's options, in the order of the substations.

        Options that are not among the best two by the pool's policy may be missing.

        Args:
            request: the vehicle's.
            rejected_by: see above.
            reserved: the number of points at full substations, by address, for which vehicles
                before this one are deferred.
        """
        ...

    def explain(self, chosen: Candidate, rejected_by: Collection[str]) -> Explanation:
        """Return the substations among which one was chosen."""
        ...


def candidate_of(substation: Substation, capacity: int, now: float) -> Candidate:
    """Describe a substation with this capacity."""
    load = substation.estimate.total
    return Candidate(
        substation.address,
        substation.name,
        load,
        capacity,
        (load + 1) / capacity,
        now - substation.read_at,
        substation.last_chosen,
    )


class Scan:
    """A view that looks at each substation: the fastest way if there are few.

    It is valid until the next dispatch, which changes a substation.
    """

    def __init__(self, substations: Iterable[Substation], now: float, *, predicts: bool) -> None:
        """Look at each substation.

        Args:
            substations: all substations, in their order.
            now: the time.
            predicts: whether full substations are options, too, if it is known when they have a
                free point.
        """
        self._options: list[Option] = []
        self._ineligible: list[tuple[str, str]] = []
        for substation in substations:
            known_load, capacity = substation.estimate.known, substation.capacity
            if known_load >= capacity or substation.unavailable_reason(now) is not None:
                self._ineligible.append((substation.name, substation.ineligible_reason(now) or ""))
                is_option = predicts and substation.energy and capacity
                if not (is_option and substation.is_available(now)):
                    continue
            supply = None
            if predicts and substation.energy:
                supply = substation.energy.supply(known_load, now)
            candidate = candidate_of(substation, capacity, now)
            self._options.append(Option(candidate, capacity - known_load, supply))
        self._open = [one.candidate for one in self._options if one.free > 0]

    def has_point(self, rejected_by: Collection[str] = ()) -> bool:
        """Return whether any substation has a free point."""
        return bool(self._open_to(rejected_by))

    def _open_to(self, rejected_by: Collection[str]) -> Sequence[Candidate]:
        if not rejected_by:
            return self._open
        return [one for one in self._open if one.address not in rejected_by]

    def options(
        self, _request: Request, rejected_by: Collection[str], reserved: Mapping[str, int]
    ) -> list[Option]:
        """Return all options of a vehicle."""
        options = self._options
        if rejected_by:
            options = [one for one in options if one.candidate.address not in rejected_by]
        if reserved:
            options = [
                one._replace(free=one.free - reserved.get(one.candidate.address, 0))
                for one in options
            ]
        return options

    def explain(self, chosen: Candidate, rejected_by: Collection[str]) -> Explanation:
        """Return the substations among which one was chosen."""
        all_candidates = self._open_to(rejected_by)
        candidates = shortlist(all_candidates, chosen)
        ineligible = shortlist_reasons(self._ineligible)
        return Explanation(
            candidates,
            ineligible,
            len(all_candidates) - len(candidates),
            len(self._ineligible) - len(ineligible),
        )


def shortlist(candidates: Sequence[Candidate], chosen: Candidate) -> tuple[Candidate, ...]:
    """Keep the chosen, the best and the fullest candidates, in their order."""
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
    """Keep a few ineligible substations, preferably those that are not merely full."""
    if len(ineligible) <= MAX_LISTED:
        return tuple(ineligible)
    return tuple(sorted(ineligible, key=_is_full)[:MAX_LISTED])


def _score(candidate: Candidate) -> float:
    return candidate.score


def _load(candidate: Candidate) -> int:
    return candidate.load


def _is_full(ineligible: tuple[str, str]) -> bool:
    return ineligible[1].startswith("full")
