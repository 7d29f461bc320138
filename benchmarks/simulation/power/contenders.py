"""The contenders: the balancer with each of its policies, and with HAProxy's rule."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.contender import Contender
from benchmarks.simulation.contenders import pooled
from benchmarks.simulation.scenes import SubstationSpec
from benchmarks.simulation.world import Entry, World
from load_balancer.routing.policies import DEFAULT_POLICY, POLICIES
from load_balancer.routing.policy import Candidate, Pick, Policy


def _leastconn(weights: Mapping[str, float]) -> Pick:
    """Choose like HAProxy's leastconn: idle substations first, then the least (n + 1) / weight."""

    def pick(candidates: Sequence[Candidate], _random: Random) -> Candidate:
        return min(
            candidates,
            key=lambda one: (
                (one.load + 1) / weights[one.name] if one.load else 0.0,
                one.last_chosen,
            ),
        )

    return pick


def _haproxy(name: str, weight: Callable[[SubstationSpec], float]) -> Entry:
    def enter(world: World, random: Random) -> Contender:
        weights = {substation.name: weight(substation) for substation in world.scene.substations}
        return PooledBalancer(world, random, Policy(name, "least connections", _leastconn(weights)))

    return Entry(name, enter)


OURS = DEFAULT_POLICY
LEAST_LOADED = "least-loaded"
HAPROXY_POINTS = _haproxy(
    "HAProxy's rule, weights = points", lambda substation: substation.capacity
)
HAPROXY_LIMITS = _haproxy(
    "HAProxy's rule, weights = limits",
    lambda substation: substation.limit_kw,
)
CONTENDERS: tuple[Entry, ...] = (
    *(pooled(policy) for policy in POLICIES.values()),
    HAPROXY_POINTS,
    HAPROXY_LIMITS,
)
