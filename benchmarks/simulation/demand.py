"""Vehicles and when they come. Drawn from a seed, so that every contender meets the same ones."""

from dataclasses import dataclass
from math import log
from random import Random
from typing import NamedTuple

from load_balancer.routing.demand import Demand
from load_balancer.routing.prediction import Prediction

# What a point gives, and how fast time passes there, where a scene says nothing else: as the
# substation's settings have it.
POINT_POWER_KW = 50.0
TIME_SCALE = 360.0


class Arrival(NamedTuple):
    """A vehicle's coming. Times in seconds."""

    at: float
    demand: Demand  # as it tells it
    # in [0, 1): which of several balancers it comes to, or which substation a bypass vehicle picks
    door: float
    is_in_truth: Demand | None = None  # what it takes and can draw, where it tells otherwise


@dataclass(eq=False, slots=True)
class Vehicle:
    """A vehicle and how it fared."""

    arrival: Arrival
    charged_at: float | None = None
    refused: bool = False
    dispatched_at: float | None = None  # the last time
    prediction: Prediction | None = None  # made then
    charges: int = 0  # substations that gave it all it asked for; more than one is an error


def poisson(
    random: Random,
    rate_per_s: float,
    until: float,
    *,
    since: float = 0.0,
    held_s: tuple[float, float] = (1, 7),
) -> list[Arrival]:
    """Draw arrivals at a steady mean rate, each held uniformly between two lengths of time."""
    arrivals = []
    at = since - log(1 - random.random()) / rate_per_s
    while at < until:
        arrivals.append(_arrival(random, at, held_s))
        at -= log(1 - random.random()) / rate_per_s
    return arrivals


def burst(
    random: Random, vehicles: int, at: float, *, held_s: tuple[float, float] = (1, 7)
) -> list[Arrival]:
    """Draw vehicles that all come at the same moment."""
    return [_arrival(random, at, held_s) for _ in range(vehicles)]


def _arrival(random: Random, at: float, held_s: tuple[float, float]) -> Arrival:
    shortest, longest = held_s
    demand = lasting(shortest + (longest - shortest) * random.random())
    return Arrival(at, demand, random.random())


def lasting(held_s: float) -> Demand:
    """Give the demand that holds a point for so long, where nothing limits its power."""
    return Demand(held_s * POINT_POWER_KW * TIME_SCALE / 3600)
