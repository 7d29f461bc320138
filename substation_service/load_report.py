"""Reports the substation's load in each response to a charge, as its metrics page does.

It uses the text format of ORCA's header `endpoint-load-metrics`, which Envoy and gRPC read, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from substation_service.substation import Substation

HEADER = "endpoint-load-metrics"
# The power of all vehicles is added up at most this often, seconds.
_POWER_EVERY_S = 0.05


@dataclass(eq=False, repr=False)
class LoadReport:
    """Writes the header's value."""

    substation: Substation
    clock: Callable[[], float]
    _power: str = field(default="", init=False)
    _power_at: float = field(default=-inf, init=False)

    def text(self) -> str:
        """Return the header's value: the load is exact, the power at most 50 ms old."""
        substation, now = self.substation, self.clock()
        if now - self._power_at > _POWER_EVERY_S:
            substation.advance(now)
            self._power_at, self._power = now, self._sum_up(now)
        load, capacity = substation.load, substation.capacity
        return (
            f"TEXT application_utilization={load / capacity:.6g},"
            f"named_metrics.substation_current_load={load},"
            f"named_metrics.substation_capacity={capacity},{self._power}"
        )

    def _sum_up(self, now: float) -> str:
        substation = self.substation
        return ",".join(
            f"named_metrics.substation_{name}={value:.9g}"
            for name, value in (
                ("point_power_kw", substation.point_power_kw),
                ("power_kw", substation.power_kw),
                ("committed_power_kw", substation.committed_power_kw),
                ("power_limit_kw", substation.power_limit_kw),
                ("remaining_energy_kwh", substation.remaining_energy_kwh(now)),
                ("time_scale", substation.time_scale),
            )
        )
