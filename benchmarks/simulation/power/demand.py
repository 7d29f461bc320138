"""Vehicles of the power scenes and their arrivals, drawn from a seed."""

from random import Random

from benchmarks.simulation.demand import TIME_SCALE, Arrival, Draw
from load_balancer.routing.demand import Demand
from load_tester.mix import FAST_MIX

# Seconds of the clock that correspond to an hour and to a minute of charging.
HOUR_S = 3600 / TIME_SCALE
MINUTE_S = HOUR_S / 60


def steady(an_hour: float, hours: float, *, since: float = 0.0) -> Draw:
    """Draw vehicles that arrive at a constant mean rate."""

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
    """Concatenate several draws."""
    return lambda random: [arrival for draw in draws for arrival in draw(random)]


def sends_only_energy(draw: Draw) -> Draw:
    """Let vehicles state neither power nor battery; the substations find out."""
    return lambda random: [
        arrival._replace(demand=Demand(arrival.demand.kwh), is_in_truth=arrival.demand)
        for arrival in draw(random)
    ]


def misreports(draw: Draw, *, wrong: float, leaves: float) -> Draw:
    """Let some vehicles state 0.5 to 1.5 times their energy, and some leave before they have it.

    Args:
        draw: the vehicles.
        wrong: share of vehicles that state another energy.
        leaves: share of vehicles that leave early, after a random part of their energy.
    """

    def one(arrival: Arrival, random: Random) -> Arrival:
        reported = taken = arrival.demand
        if random.random() < wrong:
            room = (1 - (reported.soc or 0.0)) * (reported.battery_kwh or reported.kwh)
            reported = reported._replace(kwh=min(room, reported.kwh * random.uniform(0.5, 1.5)))
        if random.random() < leaves:
            taken = taken._replace(kwh=taken.kwh * random.uniform(0.05, 1))
        # A substation delivers no more than requested.
        taken = taken._replace(kwh=min(taken.kwh, reported.kwh))
        return arrival._replace(demand=reported, is_in_truth=taken)

    return lambda random: [one(arrival, random) for arrival in draw(random)]
