"""The contenders: this balancer, and others in its place."""

from benchmarks.comparison.contenders.contender import Contender, Place, PlacedSubstation
from benchmarks.comparison.contenders.envoy import Envoy
from benchmarks.comparison.contenders.haproxy import HAProxy, HAProxyByLimits
from benchmarks.comparison.contenders.nginx import Nginx
from benchmarks.comparison.contenders.ours import OURS, ROUND_ROBIN
from benchmarks.comparison.contenders.simple import SimpleWay

__all__ = ["CONTENDERS", "OURS", "Contender", "Place", "PlacedSubstation"]

CONTENDERS: tuple[Contender, ...] = (
    OURS,
    HAProxy(),
    HAProxyByLimits(),
    Nginx(),
    Envoy(),
    ROUND_ROBIN,
    SimpleWay(),
)
