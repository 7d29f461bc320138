"""How the substations stand at one moment, for the vehicles that are placed then. Pure."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from load_balancer.routing.policy import Candidate, Option, Request
from load_balancer.routing.substation import Substation


class Explanation(NamedTuple):
    """What a decision tells of the substations: a few of many, and how many more there are."""

    candidates: tuple[Candidate, ...]  # with a free point
    ineligible: tuple[tuple[str, str], ...]  # name of a substation and why it was not a candidate
    candidates_left_out: int = 0
    ineligible_left_out: int = 0


class View(Protocol):
    """What a matcher asks.

    `barred` has the addresses of substations that have rejected a vehicle.
    """

    def has_point(self, barred: Collection[str] = ()) -> bool:
        """Tell whether any substation has a free point."""
        ...

    def options(
        self, request: Request, barred: Collection[str], kept: Mapping[str, int]
    ) -> list[Option]:
        """List the options of a vehicle, in the order of the substations; some may be left out.

        Those are left out that are not among the best two by the pool's policy. At full substations
        so many points are `kept` for others that wait for them, by address.
        """
        ...

    def explain(self, chosen: Candidate, barred: Collection[str]) -> Explanation:
        """Tell among which substations one was chosen."""
        ...


def candidate_of(substation: Substation, capacity: int, known_load: int, now: float) -> Candidate:
    """Tell how a substation stands that has this capacity, and this load as far as it is known."""
    load = substation.load if substation.others else known_load
    return Candidate(
        substation.address,
        substation.name,
        load,
        capacity,
        (load + 1) / capacity,
        now - substation.read_at,
        substation.last_chosen,
    )
