"""Vehicles of the scenes of power, and when they come. Drawn from a seed."""

from collections.abc import Callable, Sequence
from random import Random

from benchmarks.simulation.demand import TIME_SCALE, Arrival
from load_balancer.routing.demand import Demand
from load_tester.mix import FAST_MIX

# An hour, a minute, in seconds of the clock, at the pace at which vehicles charge.
HOUR_S = 3600 / TIME_SCALE
MINUTE_S = HOUR_S / 60

Draw = Callable[[Random], Sequence[Arrival]]


def steady(an_hour: float, hours: float, *, since: float = 0.0) -> Draw:
    """Draw vehicles that come at a steady mean rate."""

    def draw(random: Random) -> list[Arrival]:
        arrivals = []
        at = since + random.expovariate(an_hour)
        while at < hours:
            drawn = FAST_MIX.draw(random)
            arrivals.append(Arrival(at * HOUR_S, Demand(*drawn), random.random()))
            at += random.expovariate(an_hour)
        return arrivals

    return draw


def in_turn(*draws: Draw) -> Draw:
    """Draw what several draw, one after the other."""
    return lambda random: [arrival for draw in draws for arrival in draw(random)]


def tells_energy_alone(draw: Draw) -> Draw:
    """Have vehicles tell nothing of their power and battery; the substations find out."""
    return lambda random: [
        arrival._replace(demand=Demand(arrival.demand.kwh), is_in_truth=arrival.demand)
        for arrival in draw(random)
    ]


def misreports(draw: Draw, *, wrong: float, leaves: float) -> Draw:
    """Have some tell half to one and a half of what they take, and some leave before they have it.

    Args:
        draw: the vehicles.
        wrong: share of those that tell another energy.
        leaves: share of those that leave early, after any part of what they take.
    """

    def one(arrival: Arrival, random: Random) -> Arrival:
        reported = taken = arrival.demand
        if random.random() < wrong:
            room = (1 - (reported.soc or 0.0)) * (reported.battery_kwh or reported.kwh)
            reported = reported._replace(kwh=min(room, reported.kwh * random.uniform(0.5, 1.5)))
        if random.random() < leaves:
            taken = taken._replace(kwh=taken.kwh * random.uniform(0.05, 1))
        # A substation gives no more than it was asked for.
        taken = taken._replace(kwh=min(taken.kwh, reported.kwh))
        return arrival._replace(demand=reported, is_in_truth=taken)

    return lambda random: [one(arrival, random) for arrival in draw(random)]
