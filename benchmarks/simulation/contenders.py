"""The contenders: the balancer with each of its policies, and the yardsticks."""

from random import Random

from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.world import Contender, Entry, World
from benchmarks.simulation.yardsticks import (
    GaugeAndSent,
    GaugeOnly,
    LiveShortestDelay,
    LiveShortestQueue,
)
from load_balancer.policy import POLICIES


def _pooled(policy: str) -> Entry:
    def enter(world: World, random: Random) -> Contender:
        return PooledBalancer(world, policy, random)

    return Entry(policy, enter)


ALL_KNOWING = Entry("all-knowing, shortest delay", LiveShortestDelay, knows_all=True)
CONTENDERS: tuple[Entry, ...] = (
    *(_pooled(policy) for policy in POLICIES),
    Entry("gauge only", GaugeOnly),
    Entry("gauge + sent", GaugeAndSent),
    Entry("all-knowing, shortest queue", LiveShortestQueue, knows_all=True),
    ALL_KNOWING,
)
