"""The policies by name, as `ROUTING_POLICY` takes them."""

from collections.abc import Mapping

from load_balancer.routing.earliest_finish import EarliestFinish
from load_balancer.routing.policy import (
    Policy,
    least_loaded,
    power_of_two_choices,
    round_robin,
    uniformly_random,
)

DEFAULT_POLICY = "earliest-finish"
POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        EarliestFinish(),
        Policy("least-loaded", "least (load + 1) / capacity", least_loaded),
        Policy("power-of-two-choices", "less loaded of two drawn", power_of_two_choices),
        Policy("round-robin", "chosen longest ago", round_robin),
        Policy("random", "drawn", uniformly_random),
    )
}
