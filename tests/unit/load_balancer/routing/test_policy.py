from collections import Counter
from random import Random

import pytest

from load_balancer.routing.demand import Demand
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.policy import Candidate, Option, Policy, Request
from tests.unit.load_balancer.routing.grid import candidate


def choose(policy: str, *candidates: Candidate, seed: int = 1) -> str:
    options = [Option(one, 1) for one in candidates]
    request = Request(Demand(10.0))
    return POLICIES[policy].choose(options, request, Random(seed)).candidate.name


def test_the_default_takes_the_substation_that_would_be_least_full_for_its_size() -> None:
    # 3 of 4 against 5 of 12: the larger substation has more vehicles, and more room.
    assert choose("least-loaded", candidate("small", 2, 4), candidate("large", 4, 12)) == "large"


def test_an_empty_small_substation_may_be_the_fuller_one_once_the_vehicle_is_there() -> None:
    # 1 of 1 against 4 of 8.
    assert choose("least-loaded", candidate("small", 0, 1), candidate("large", 3, 8)) == "large"


def test_the_default_breaks_ties_by_the_least_recently_chosen() -> None:
    tied = [candidate("a", 2, last_chosen=7), candidate("b", 2, last_chosen=5)]
    assert choose("least-loaded", *tied) == "b"
    assert choose("least-loaded", *reversed(tied)) == "b"


def test_a_substation_that_was_never_chosen_wins_a_tie() -> None:
    assert choose("least-loaded", candidate("a", 0, last_chosen=1), candidate("b", 0)) == "b"


def test_substations_with_room_by_the_estimate_come_before_those_that_are_guessed_full() -> None:
    # Several balancers: the guess at what the others sent may exceed the capacity.
    assert choose("least-loaded", candidate("guessed", 14), candidate("room", 9)) == "room"


def test_power_of_two_choices_takes_the_less_loaded_of_the_two_that_it_draws() -> None:
    substations = [candidate("empty", 0), candidate("half", 5), candidate("full", 9)]
    chosen = Counter(choose("power-of-two-choices", *substations, seed=seed) for seed in range(600))
    # Of three pairs the empty substation is in two, the half-full one is best of the third.
    assert set(chosen) == {"empty", "half"}
    assert chosen["empty"] == pytest.approx(400, abs=40)


def test_power_of_two_choices_makes_do_with_one_substation() -> None:
    assert choose("power-of-two-choices", candidate("only", 3)) == "only"


def test_round_robin_takes_the_substation_that_was_chosen_longest_ago_whatever_its_load() -> None:
    substations = [candidate("a", 0, last_chosen=3), candidate("b", 9, last_chosen=1)]
    assert choose("round-robin", *substations) == "b"


def test_random_comes_to_every_substation_about_as_often() -> None:
    substations = [candidate("a", 0), candidate("b", 9)]
    chosen = Counter(choose("random", *substations, seed=seed) for seed in range(400))
    assert chosen["a"] == pytest.approx(200, abs=40)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_chooses_one_of_its_candidates_and_says_why(name: str) -> None:
    substations = [candidate("a", 1), candidate("b", 2), candidate("c", 3)]
    assert choose(name, *substations) in {"a", "b", "c"}
    assert POLICIES[name].name == name
    assert POLICIES[name].reason


def test_a_policy_takes_what_it_picks_of_those_with_a_free_point() -> None:
    policy = Policy("last", "the last one", lambda candidates, _random: candidates[-1])
    options = [
        Option(candidate("a", 1), 2),
        Option(candidate("b", 1), 1),
        Option(candidate("c", 1), 0),
    ]
    choice = policy.choose(options, Request(Demand(10.0)), Random(1))
    assert (policy.name, choice.candidate.name, choice.reason) == ("last", "b", "the last one")
