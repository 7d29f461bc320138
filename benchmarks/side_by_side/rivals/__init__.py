"""Who is compared: this balancer, and those that are put in its place."""

from benchmarks.side_by_side.rivals.envoy import Envoy
from benchmarks.side_by_side.rivals.haproxy import HAProxy, HAProxyByLimits
from benchmarks.side_by_side.rivals.nginx import Nginx
from benchmarks.side_by_side.rivals.ours import OURS, ROUND_ROBIN
from benchmarks.side_by_side.rivals.rival import Place, PlacedSite, Rival
from benchmarks.side_by_side.rivals.simple import SimpleWay

__all__ = ["OURS", "RIVALS", "Place", "PlacedSite", "Rival"]

RIVALS: tuple[Rival, ...] = (
    OURS,
    HAProxy(),
    HAProxyByLimits(),
    Nginx(),
    Envoy(),
    ROUND_ROBIN,
    SimpleWay(),
)
