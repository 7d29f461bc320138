"""The contenders: the balancer with each of its policies, and the baselines."""

from random import Random

from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.baselines import (
    GaugeAndSent,
    GaugeOnly,
    LiveShortestDelay,
    LiveShortestQueue,
)
from benchmarks.simulation.contender import Contender
from benchmarks.simulation.world import Entry, World
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.policy import Policy


def pooled(policy: Policy) -> Entry:
    """Return the entry of the balancer with a policy."""

    def enter(world: World, random: Random) -> Contender:
        return PooledBalancer(world, policy, random)

    return Entry(policy.name, enter)


ALL_KNOWING = Entry("all-knowing, shortest delay", LiveShortestDelay, knows_all=True)
CONTENDERS: tuple[Entry, ...] = (
    *(pooled(policy) for policy in POLICIES.values()),
    Entry("gauge only", GaugeOnly),
    Entry("gauge + sent", GaugeAndSent),
    Entry("all-knowing, shortest queue", LiveShortestQueue, knows_all=True),
    ALL_KNOWING,
)
