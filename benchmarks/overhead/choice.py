"""Measures the cost of the balancer's choice: the pool in this process, without a network.

Everything that happens when a vehicle arrives and a point is free is timed: every substation is
examined, a finish predicted for each, one chosen and counted. The substations differ, and nine out
of ten points are occupied.
"""

import time
from random import Random
from statistics import median

from benchmarks.overhead.results import ChoiceCost
from load_balancer.routing.demand import Demand
from load_balancer.routing.health import HealthCheck, Reading
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import DEFAULT_POLICY, POLICIES
from load_balancer.routing.pool import Pool
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import QueuedSession
from load_tester.mix import FAST_MIX

CHOOSERS = ("least-loaded", DEFAULT_POLICY)
# Maximum cost of a choice of the default policy, by number of substations, microseconds.
LIMITS_US = {3: 60.0, 30: 400.0}
_TAKEN = 0.9
_KINDS = ((12, 50.0, 300.0), (4, 350.0, 700.0), (24, 11.0, 150.0))  # points, kW per point, limit kW
_WARM_UP = 200


def exceeds_limit(cost: ChoiceCost) -> bool:
    """Return whether a choice of the default policy exceeds its limit."""
    limited = cost.policy == DEFAULT_POLICY and cost.substations in LIMITS_US
    return limited and cost.median_us > LIMITS_US[cost.substations]


def measure(policy: str, substations: int, *, vehicles: int = 2_000) -> ChoiceCost:
    """Measure a policy with this many substations; the result is the median over the vehicles."""
    pool = _pool(policy, substations)
    random = Random(1)
    now, times_us = 0.0, []
    for number in range(_WARM_UP + vehicles):
        now += 1e-6
        queued = QueuedSession(
            f"session-{number}", "EV", now, now + 60, Demand(*FAST_MIX.draw(random))
        )
        began = time.perf_counter_ns()
        pool.arrive(queued, now)
        times_us.append((time.perf_counter_ns() - began) / 1000)
        if queued.dispatch is None:
            pool.leave(queued, now)
        else:
            pool.end(queued.dispatch, Outcome.CHARGED, now)
    return ChoiceCost(policy, substations, round(median(times_us[_WARM_UP:]), 1))


def _pool(policy: str, substations: int) -> Pool:
    pool = Pool(
        POLICIES[policy],
        random=Random(1),
        health_check=HealthCheck(),
        budget=RetryBudget(share=0.2, floor_per_s=50, burst=500),
    )
    pool.set_substations(
        [(f"s{number}", f"http://s{number}") for number in range(substations)], 0.0
    )
    random = Random(2)
    for number, substation in enumerate(pool.substations.values()):
        points, point_power_kw, limit_kw = _KINDS[number % len(_KINDS)]
        demands = [
            Demand(*FAST_MIX.draw(random)) for _ in range(points) if random.random() < _TAKEN
        ]
        load = len(demands)
        committed_kw = sum(demand.cap_kw(point_power_kw) for demand in demands)
        pool.poll_began(substation, 0.0)
        pool.poll_read(
            substation,
            Reading(
                load,
                points,
                power_kw=min(limit_kw, committed_kw),
                power_limit_kw=limit_kw,
                point_power_kw=point_power_kw,
                committed_power_kw=committed_kw,
                remaining_energy_kwh=sum(demand.kwh * random.random() for demand in demands),
                time_scale=360.0,
            ),
            0.0,
        )
    return pool
