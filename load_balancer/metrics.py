"""The balancer's metrics, read from the pool at each scrape: no second count that could drift."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from load_balancer.dispatcher import Dispatcher
from load_balancer.registers import Registers
from load_balancer.routing.health import Health
from load_balancer.routing.outcome import EjectionReason, FailoverReason, Outcome, Withdrawal
from load_balancer.routing.pool import Pool
from load_balancer.routing.wait import Refusal

OUTCOMES = tuple(how.value for how in (*Outcome, *Withdrawal))
FAILOVERS = tuple(reason.value for reason in FailoverReason)
REFUSALS = tuple(reason.value for reason in Refusal)
EJECTIONS = tuple(reason.value for reason in EjectionReason)
# Values of a reading that are exported under their own names.
_POWER = {
    "substation_point_power_kw": "Maximum power of one point, kW",
    "substation_power_kw": "Power drawn at the last poll, kW",
    "substation_committed_power_kw": "Power that its vehicles could draw without a limit, kW",
    "substation_power_limit_kw": "Maximum power that it may draw, kW",
    "substation_remaining_energy_kwh": "Energy still to be delivered to its vehicles, kWh",
}
_FINISH = "Predicted time until, of the vehicles that this balancer dispatched there, the"
# The gauges of each substation.
_GAUGES = {
    "substation_load": "Estimated vehicles at the substation",
    "substation_own_load": "Vehicles at the substation that this balancer dispatched",
    "substation_foreign_load": "Estimated vehicles at the substation from elsewhere",
    "substation_gauge": "The substation's load according to its gauge at the last poll",
    "substation_capacity": "Number of vehicles that the substation can charge at once",
    "substation_up": "1 while the substation can be given vehicles",
    "substation_draining": "1 while the substation is healthy but accepts no new vehicle",
    "substation_drained": "1 while an operator keeps new vehicles from the substation",
    **{name: f"{about}, where published" for name, about in _POWER.items()},
    "gauge_age_seconds": "Age of the gauge reading, seconds",
    "substation_next_finish_seconds": f"{_FINISH} first is charged",
    "substation_last_finish_seconds": f"{_FINISH} last is charged",
}
# Buckets of the histogram of prediction errors, relative to the predicted time.
PREDICTION_ERRORS = (-0.5, -0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


class BalancerCollector(Collector):
    """Exports the pool to Prometheus."""

    def __init__(self, pool: Pool, dispatcher: Dispatcher, registers: Registers) -> None:
        self._pool = pool
        self._reports = dispatcher.reports
        self._registers = registers

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics."""
        pool, reports, registers = self._pool, self._reports, self._registers
        substations = [substation.name for substation in pool.substations.values()]
        yield GaugeMetricFamily(
            "balancer_waiting_sessions", "Vehicles in the wait queue", len(pool.waiting)
        )
        yield GaugeMetricFamily(
            "balancer_left_in_line_sessions",
            "Vehicles in the wait queue that left a free point for a better one that frees soon",
            len(pool.deferred),
        )
        yield CounterMetricFamily(
            "balancer_moved_sessions",
            "Sessions that ended with energy from more than one substation",
            reports.moved,
        )
        yield CounterMetricFamily(
            "balancer_energy_delivered_twice_kwh",
            "Energy delivered to sessions beyond their requests, as far as it is known, kWh",
            registers.counted_twice_kwh,
        )
        yield _counter(
            "balancer_amended_charges",
            "Running charges whose target was reduced because of energy delivered elsewhere",
            registers.amendments.sent,
            substation=substations,
        )
        yield GaugeMetricFamily(
            "balancer_open_legs",
            "Legs at substations that were lost before they reported how the leg ended",
            len(registers.open_legs),
        )
        yield from self._substations()
        yield _counter(
            "balancer_dispatches",
            "Dispatches that ended, by outcome",
            pool.dispatches,
            substation=substations,
            outcome=OUTCOMES,
        )
        yield _counter(
            "balancer_ejections",
            "Ejections of a substation, by reason",
            pool.ejections,
            substation=substations,
            reason=EJECTIONS,
        )
        yield _counter(
            "balancer_too_fast_charges",
            "Responses that report a vehicle as charged before its energy can have flowed",
            reports.too_fast,
            substation=substations,
        )
        yield _counter(
            "balancer_failovers",
            "Vehicles sent on to another substation, by reason",
            pool.failovers,
            reason=FAILOVERS,
        )
        yield _counter(
            "balancer_refusals", "Vehicles refused, by reason", reports.refusals, reason=REFUSALS
        )

    def _substations(self) -> Iterator[Metric]:
        now = time.monotonic()
        gauges = {
            name: GaugeMetricFamily(f"balancer_{name}", about, labels=["substation"])
            for name, about in _GAUGES.items()
        }
        # If a name has two addresses, for example of a replaced container, the one that exists.
        named = {
            substation.name: substation
            for substation in sorted(
                self._pool.substations.values(), key=lambda one: not one.leaving
            )
        }
        for substation in named.values():
            values: dict[str, float] = {
                "substation_load": substation.load,
                "substation_own_load": substation.own,
                "substation_foreign_load": substation.foreign,
                "substation_up": substation.is_available(now),
                "substation_draining": substation.health is Health.DRAINING,
                "substation_drained": substation.drained,
            }
            if finishes := substation.finishes(now):
                values |= {
                    "substation_next_finish_seconds": finishes.next_s,
                    "substation_last_finish_seconds": finishes.last_s,
                }
            if substation.reading is not None:
                values |= {
                    "substation_gauge": substation.reading.load,
                    "substation_capacity": substation.capacity,
                    "gauge_age_seconds": substation.gauge_age_s(now),
                }
                if substation.health is not Health.DOWN:  # while it is down, its power is unknown
                    reported = {
                        name: getattr(substation.reading, name.removeprefix("substation_"))
                        for name in _POWER
                    }
                    values |= {name: value for name, value in reported.items() if value is not None}
            for name, value in values.items():
                if math.isfinite(value):
                    gauges[name].add_metric([substation.name], value)
        yield from gauges.values()


def _counter(name: str, about: str, counts: Mapping[Any, float], **known: Iterable[str]) -> Metric:
    """Return a counter that starts at 0, so that the first event shows as an increase.

    Args:
        name: its name.
        about: its help.
        counts: the counts, by the values of all labels, or of the only one.
        known: the values that each label may have.
    """
    family = CounterMetricFamily(name, about, labels=list(known))
    values = dict.fromkeys(product(*known.values()), 0.0)
    values |= {key if isinstance(key, tuple) else (key,): count for key, count in counts.items()}
    for labels, count in values.items():
        family.add_metric(labels, count)
    return family
