"""Vehicles and their arrivals, drawn from a seed, so that every contender gets the same ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import NamedTuple

from load_balancer.routing.demand import Demand
from load_balancer.routing.prediction import Prediction

# Default power of a point and default charging speed, as in the substation's settings.
POINT_POWER_KW = 50.0
TIME_SCALE = 360.0


class Arrival(NamedTuple):
    """A vehicle's arrival. Times in seconds."""

    at: float
    demand: Demand  # as stated by the vehicle
    # in [0, 1): selects one of several balancers, or the substation of a bypass vehicle
    selector: float
    is_in_truth: Demand | None = None  # its real demand, if it differs


# Draws vehicles, in the order of their arrival.
Draw = Callable[[Random], Sequence[Arrival]]


@dataclass(eq=False, slots=True)
class Vehicle:
    """A vehicle and its results."""

    arrival: Arrival
    charged_at: float | None = None
    accepted: bool = False  # by a 202, so that it is not told when it is charged
    refused: bool = False
    dispatched_at: float | None = None  # the last time
    prediction: Prediction | None = None  # made then
    charges: int = 0  # number of substations that charged it fully; more than one is an error


def poisson(
    random: Random,
    rate_per_s: float,
    until: float,
    *,
    since: float = 0.0,
    held_s: tuple[float, float] = (1, 7),
) -> list[Arrival]:
    """Draw arrivals at a constant mean rate, with uniformly distributed charging times."""
    arrivals = []
    at = since - log(1 - random.random()) / rate_per_s
    while at < until:
        arrivals.append(_arrival(random, at, held_s))
        at -= log(1 - random.random()) / rate_per_s
    return arrivals


def burst(
    random: Random, vehicles: int, at: float, *, held_s: tuple[float, float] = (1, 7)
) -> list[Arrival]:
    """Draw vehicles that all arrive at the same time."""
    return [_arrival(random, at, held_s) for _ in range(vehicles)]


def _arrival(random: Random, at: float, held_s: tuple[float, float]) -> Arrival:
    shortest, longest = held_s
    demand = lasting(shortest + (longest - shortest) * random.random())
    return Arrival(at, demand, random.random())


def lasting(held_s: float) -> Demand:
    """Return the demand that occupies an unlimited point for this long."""
    return Demand(held_s * POINT_POWER_KW * TIME_SCALE / 3600)
