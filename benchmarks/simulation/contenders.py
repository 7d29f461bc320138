"""The contenders: the balancer with each of its policies, and the baselines."""

from functools import partial

from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.baselines import (
    AllKnowing,
    SimpleProxy,
    shortest_delay,
    shortest_queue,
)
from benchmarks.simulation.world import Entry
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.policy import Policy


def pooled(policy: Policy) -> Entry:
    """Return the entry of the balancer with a policy."""
    return Entry(policy.name, partial(PooledBalancer, policy=policy))


ALL_KNOWING = Entry(
    "all-knowing, shortest delay", partial(AllKnowing, score=shortest_delay), knows_all=True
)
CONTENDERS: tuple[Entry, ...] = (
    *(pooled(policy) for policy in POLICIES.values()),
    Entry("gauge only", partial(SimpleProxy, adds_sent=False)),
    Entry("gauge + sent", partial(SimpleProxy, adds_sent=True)),
    Entry("all-knowing, shortest queue", partial(AllKnowing, score=shortest_queue), knows_all=True),
    ALL_KNOWING,
)
