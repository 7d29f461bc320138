"""HAProxy with leastconn, weighted by the substations' points or by their power limits."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.comparison.contenders.contender import (
    Contender,
    Place,
    PlacedSubstation,
    answer_limit_s,
    fill_in,
    find,
    first_line,
)
from benchmarks.comparison.scenes import Scene
from local_stack.process import Process

_TEMPLATE = Path(__file__).with_name("haproxy.cfg")
_MAX_WEIGHT = 256


class HAProxy(Contender):
    """`balance leastconn`, with a limit and a queue for each substation's points."""

    key = "haproxy"
    name = "HAProxy leastconn"

    def weighs(self, substation: PlacedSubstation) -> float:
        """Return the weight of a substation."""
        return substation.capacity

    def missing(self) -> str | None:
        """Look for the program."""
        return None if find("haproxy") else "haproxy is not installed (apt-get install haproxy)"

    def version(self) -> str:
        """Ask the program."""
        words = first_line([find("haproxy") or "haproxy", "-v"]).split()
        return f"HAProxy {words[2]}" if len(words) > 2 else "HAProxy"

    def process(self, place: Place) -> Process:
        """Write its configuration and create its process."""
        file = fill_in(
            _TEMPLATE,
            place.folder / "haproxy.cfg",
            {
                "port": place.port,
                "count": len(place.substations),
                "answer_ms": round(answer_limit_s(place) * 1000),
                "retries": 1000,
                "servers": "\n".join(
                    f"    server {substation.name} {substation.address} maxconn "
                    f"{substation.capacity} weight {weight}"
                    for substation, weight in zip(
                        place.substations, _weights(place.substations, self.weighs), strict=True
                    )
                ),
            },
        )
        return Process(
            self.key,
            [find("haproxy") or "haproxy", "-db", "-f", str(file)],
            env=os.environ,
            port=place.port,
            log=place.folder / "haproxy.log",
        )


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


def _weights(
    substations: Sequence[PlacedSubstation], weighs: Callable[[PlacedSubstation], float]
) -> list[int]:
    """Return the weights as whole numbers in HAProxy's range."""
    largest = max(weighs(substation) for substation in substations)
    return [
        max(1, int(weighs(substation) * min(largest, _MAX_WEIGHT) / largest))
        for substation in substations
    ]
