"""A few substations, each of which is looked at. Pure."""

from collections.abc import Collection, Iterable, Mapping

from load_balancer.routing.policy import Candidate, Option, Request
from load_balancer.routing.shortlist import shortlist, shortlist_reasons
from load_balancer.routing.substation import Substation
from load_balancer.routing.view import Explanation, candidate_of


class Walk:
    """A view of all substations.

    One for each vehicle that is placed: substations change with it.
    """

    def __init__(self, substations: Iterable[Substation], now: float, *, predicts: bool) -> None:
        """Look at each substation.

        Args:
            substations: all that there are, in their order.
            now: the time.
            predicts: whether those that are full are options too, where it is known when they end.
        """
        self._options: list[Option] = []
        self._passed_over: list[tuple[str, str]] = []
        for substation in substations:
            known_load, capacity = substation.known_load, substation.capacity
            if known_load >= capacity or substation.what_is_wrong(now) is not None:
                self._passed_over.append((substation.name, substation.ineligible_reason(now) or ""))
                if not (predicts and substation.energy and capacity and substation.is_well(now)):
                    continue
            supply = (
                substation.energy.supply(known_load, now)
                if predicts and substation.energy
                else None
            )
            candidate = candidate_of(substation, capacity, known_load, now)
            self._options.append(Option(candidate, capacity - known_load, supply))
        self._open = {one.candidate.address for one in self._options if one.free > 0}

    def has_point(self, barred: Collection[str] = ()) -> bool:
        """Tell whether any substation has a free point."""
        return bool(self._open.difference(barred) if barred else self._open)

    def options(
        self, _request: Request, barred: Collection[str], kept: Mapping[str, int]
    ) -> list[Option]:
        """List all options of a vehicle."""
        options = self._options
        if barred:
            options = [one for one in options if one.candidate.address not in barred]
        if kept:
            options = [
                one._replace(free=one.free - kept.get(one.candidate.address, 0)) for one in options
            ]
        return options

    def explain(self, chosen: Candidate, barred: Collection[str]) -> Explanation:
        """Tell among which substations one was chosen."""
        all_candidates = [one.candidate for one in self._options if one.free > 0]
        if barred:
            all_candidates = [one for one in all_candidates if one.address not in barred]
        candidates = shortlist(all_candidates, chosen)
        ineligible = shortlist_reasons(self._passed_over)
        return Explanation(
            candidates,
            ineligible,
            len(all_candidates) - len(candidates),
            len(self._passed_over) - len(ineligible),
        )
