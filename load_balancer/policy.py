"""Policies: which of the sites with a free point takes the next vehicle. Pure functions.

Sources: least-loaded with an estimate in place of a stale gauge: Dahlin, Interpreting Stale Load
Information, TPDS 2000; power of two choices: Mitzenmacher, TPDS 2001.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple


class Candidate(NamedTuple):
    """A site that could take the vehicle, as it stood when the choice was made."""

    address: str
    name: str
    load: int  # estimated vehicles there, without the one that is to be placed
    capacity: int
    score: float  # (load + 1) / capacity: how full the site would be with this vehicle
    gauge_age_s: float
    last_chosen: int  # sequence number of the decision that chose it last; 0: never


Choose = Callable[[Sequence[Candidate], Random], Candidate]


class Policy(NamedTuple):
    """A way to choose, and the words that explain its choice in logs."""

    name: str
    choose: Choose
    reason: str


def _least(candidate: Candidate) -> tuple[float, int]:
    return candidate.score, candidate.last_chosen


def least_loaded(candidates: Sequence[Candidate], _random: Random) -> Candidate:
    """Take the least `(load + 1) / capacity`, ties to the least recently chosen."""
    return min(candidates, key=_least)


def power_of_two_choices(candidates: Sequence[Candidate], random: Random) -> Candidate:
    """Draw two sites and take the less loaded of them."""
    return min(random.sample(candidates, min(2, len(candidates))), key=_least)


def round_robin(candidates: Sequence[Candidate], _random: Random) -> Candidate:
    """Take the site that was chosen longest ago, whatever its load. A yardstick."""
    return min(candidates, key=lambda candidate: candidate.last_chosen)


def uniformly_random(candidates: Sequence[Candidate], random: Random) -> Candidate:
    """Draw a site, whatever its load. A yardstick."""
    return random.choice(candidates)


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("least-loaded", least_loaded, "least (load + 1) / capacity"),
        Policy("power-of-two-choices", power_of_two_choices, "less loaded of two drawn"),
        Policy("round-robin", round_robin, "chosen longest ago"),
        Policy("random", uniformly_random, "drawn"),
    )
}
