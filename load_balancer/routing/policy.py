"""Policies: which substation takes the next vehicle. Pure.

Sources: least-loaded with an estimate in place of a stale gauge: Dahlin, Interpreting Stale Load
Information, TPDS 2000; power of two choices: Mitzenmacher, TPDS 2001.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from load_balancer.routing.demand import Demand
from load_balancer.routing.prediction import Prediction, Supply


class Candidate(NamedTuple):
    """A substation that could take the vehicle, as it stood when the choice was made."""

    address: str
    name: str
    load: int  # estimated vehicles there, without the new one
    capacity: int
    score: float  # (load + 1) / capacity: how full the substation would be with this vehicle
    gauge_age_s: float
    last_chosen: int  # sequence number of the last decision for it; 0: none


class Option(NamedTuple):
    """A candidate, with the values for a prediction."""

    candidate: Candidate
    free: int  # points; 0 or less if sessions have to end first
    supply: Supply | None = None  # None if the substation does not publish it


class Request(NamedTuple):
    """The vehicle for which a substation is chosen."""

    demand: Demand
    max_deferral_s: float = 0.0  # how long it may be deferred; 0: not at all
    waiting: int = 0  # other vehicles in the queue


class Choice(NamedTuple):
    """The best option for the vehicle."""

    candidate: Candidate
    reason: str
    waits: bool = False  # deferred for the candidate, which has no free point yet
    prediction: Prediction | None = None
    next_best: tuple[str, Prediction] | None = None  # name of a substation


class Decision(NamedTuple):
    """Why a session was dispatched to a substation. Times in seconds of the pool's clock."""

    sequence: int
    at: float
    session_id: str
    vehicle_id: str
    request_id: str
    substation: str
    attempt: int
    waited_s: float
    policy: str
    reason: str
    candidates: tuple[Candidate, ...]  # all, or a shortlist
    ineligible: tuple[tuple[str, str], ...]  # name of a substation and why it was not a candidate
    candidates_left_out: int = 0
    ineligible_left_out: int = 0
    prediction: Prediction | None = None
    next_best: tuple[str, Prediction] | None = None  # name of a substation
    deferred_for: str | None = None  # name of the substation for which it was deferred before


Pick = Callable[[Sequence[Candidate], Random], Candidate]


class Policy:
    """A way to choose among substations with a free point, and its explanation for logs."""

    # whether it uses the substations' power, and considers those without a free point
    predicts = False

    def __init__(self, name: str, reason: str, pick: Pick) -> None:
        self.name = name
        self.reason = reason
        self._pick = pick

    @property
    def takes_least(self) -> bool:
        """Whether it takes the least `(load + 1) / capacity`, and needs no other candidates."""
        return self._pick is least_loaded

    def choose(self, options: Sequence[Option], request: Request, random: Random) -> Choice:  # noqa: ARG002 - policies that predict need it
        """Choose an option for a vehicle; at least one has a free point."""
        candidates = [one.candidate for one in options if one.free > 0]
        return Choice(self._pick(candidates, random), self.reason)


def least(candidate: Candidate) -> tuple[float, int]:
    """Rank by `(load + 1) / capacity`, ties by which was chosen longest ago."""
    return candidate.score, candidate.last_chosen


def least_loaded(candidates: Sequence[Candidate], _random: Random) -> Candidate:
    """Take the least `(load + 1) / capacity`, ties to the least recently chosen."""
    return min(candidates, key=least)


def power_of_two_choices(candidates: Sequence[Candidate], random: Random) -> Candidate:
    """Draw two substations and take the less loaded of them."""
    return min(random.sample(candidates, min(2, len(candidates))), key=least)


def round_robin(candidates: Sequence[Candidate], _random: Random) -> Candidate:
    """Take the substation that was chosen longest ago, whatever its load. A baseline."""
    return min(candidates, key=lambda candidate: candidate.last_chosen)


def uniformly_random(candidates: Sequence[Candidate], random: Random) -> Candidate:
    """Draw a substation, whatever its load. A baseline."""
    return random.choice(candidates)
