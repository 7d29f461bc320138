"""When the vehicles that charge at a substation are predicted to be charged. Pure."""

from typing import NamedTuple

from load_balancer.routing.substation import Substation


class Finishes(NamedTuple):
    """The first and the last of those that were dispatched from here, seconds from now.

    0 where one is overdue.
    """

    next_s: float
    last_s: float

    @classmethod
    def of(cls, substation: Substation, now: float) -> "Finishes | None":
        """Look at a substation; None where nothing is predicted for any vehicle there."""
        finishes = [
            max(0.0, dispatch.decision.at + prediction.finish_s - now)
            for dispatch in substation.in_flight
            if (prediction := dispatch.decision.prediction) is not None
        ]
        return cls(min(finishes), max(finishes)) if finishes else None
