"""Vehicles and when they come. Drawn from a seed, so that every contender meets the same ones."""

from dataclasses import dataclass
from math import log
from random import Random
from typing import NamedTuple


class Arrival(NamedTuple):
    """A vehicle's coming. Times in seconds."""

    at: float
    held_s: float  # how long it charges, once it does
    door: float  # in [0, 1): which of several balancers it comes to, or which site a stranger picks


@dataclass(eq=False, slots=True)
class Vehicle:
    """A vehicle and how it fared."""

    arrival: Arrival
    charged_at: float | None = None
    refused: bool = False
    charges: int = 0  # sites that gave it all it asked for; more than one is an error


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
    return Arrival(at, shortest + (longest - shortest) * random.random(), random.random())
