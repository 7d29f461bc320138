"""HAProxy with leastconn, weighted by the substations' points or by their power limits."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.comparison.contenders.contender import Place, PlacedSubstation, Program
from benchmarks.comparison.scenes import Scene

_MAX_WEIGHT = 256


class HAProxy(Program):
    """`balance leastconn`, with a limit and a queue for each substation's points."""

    key = program = "haproxy"
    name = "HAProxy leastconn"
    title = "HAProxy"
    template = "haproxy.cfg"

    def weighs(self, substation: PlacedSubstation) -> float:
        """Return the weight of a substation."""
        return substation.capacity

    def values(self, place: Place) -> Mapping[str, object]:
        """Return what to fill into the template; weights are whole numbers in HAProxy's range."""
        largest = max(self.weighs(substation) for substation in place.substations)
        scaled = min(largest, _MAX_WEIGHT)
        return {
            "port": place.port,
            "count": len(place.substations),
            "answer_ms": round(place.answer_limit_s * 1000),
            "retries": 1000,
            "servers": "\n".join(
                f"    server {substation.name} {substation.address} maxconn {substation.capacity} "
                f"weight {max(1, int(self.weighs(substation) * scaled / largest))}"
                for substation in place.substations
            ),
        }

    def options(self, file: Path) -> Sequence[str]:
        """Return the command's options."""
        return ("-db", "-f", str(file))


class HAProxyByLimits(HAProxy):
    """The same, weighted by power limits, which differs only if power is shared."""

    key = "haproxy-limits"
    name = "HAProxy, weights = limits"

    def plays(self, scene: Scene) -> bool:
        """Return whether weights by limits differ from weights by points."""
        return scene.shares_power

    def weighs(self, substation: PlacedSubstation) -> float:
        """Return the maximum power of the substation."""
        return substation.power_limit_kw
