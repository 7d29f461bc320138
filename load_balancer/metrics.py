"""The balancer's metrics, read from the pool at each scrape: no second count that could drift."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping

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
        yield GaugeMetricFamily(
            "balancer_waiting_sessions",
            "Vehicles in the wait queue",
            len(self._pool.waiting),
        )
        yield GaugeMetricFamily(
            "balancer_left_in_line_sessions",
            "Vehicles in the wait queue that left a free point for a better one that frees soon",
            len(self._pool.deferred),
        )
        yield from self._legs()
        yield from self._substations()
        substations = [substation.name for substation in self._pool.substations.values()]
        yield _by_substation(
            "balancer_dispatches",
            "Dispatches that ended, by outcome",
            "outcome",
            self._pool.dispatches,
            substations,
            OUTCOMES,
        )
        yield _by_substation(
            "balancer_ejections",
            "Ejections of a substation, by reason",
            "reason",
            self._pool.ejections,
            substations,
            EJECTIONS,
        )
        too_fast = CounterMetricFamily(
            "balancer_too_fast_charges",
            "Responses that report a vehicle as charged before its energy can have flowed",
            labels=["substation"],
        )
        for name, count in {**dict.fromkeys(substations, 0), **self._reports.too_fast}.items():
            too_fast.add_metric([name], count)
        yield too_fast
        yield _by_reason(
            "balancer_failovers",
            "Vehicles sent on to another substation, by reason",
            self._pool.failovers,
            FAILOVERS,
        )
        yield _by_reason(
            "balancer_refusals", "Vehicles refused, by reason", self._reports.refusals, REFUSALS
        )

    def _legs(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "balancer_moved_sessions",
            "Sessions that ended with energy from more than one substation",
            self._registers.moved,
        )
        yield CounterMetricFamily(
            "balancer_energy_delivered_twice_kwh",
            "Energy delivered to sessions beyond their requests, as far as it is known, kWh",
            self._registers.counted_twice_kwh,
        )
        amended = CounterMetricFamily(
            "balancer_amended_charges",
            "Running charges whose target was reduced because of energy delivered elsewhere",
            labels=["substation"],
        )
        substations = {substation.name: 0 for substation in self._pool.substations.values()}
        for name, count in {**substations, **self._registers.amendments.sent}.items():
            amended.add_metric([name], count)
        yield amended
        yield GaugeMetricFamily(
            "balancer_open_legs",
            "Legs at substations that were lost before they reported how the leg ended",
            len(self._registers.open_legs),
        )

    def _substations(self) -> Iterator[Metric]:
        now = time.monotonic()
        gauges = {
            name: GaugeMetricFamily(f"balancer_{name}", help_text, labels=["substation"])
            for name, help_text in (
                ("substation_load", "Estimated vehicles at the substation"),
                ("substation_own_load", "Vehicles at the substation that this balancer dispatched"),
                ("substation_foreign_load", "Estimated vehicles at the substation from elsewhere"),
                (
                    "substation_gauge",
                    "The substation's load according to its gauge at the last poll",
                ),
                (
                    "substation_capacity",
                    "Number of vehicles that the substation can charge at once",
                ),
                ("substation_up", "1 while the substation can be given vehicles"),
                (
                    "substation_draining",
                    "1 while the substation is healthy but accepts no new vehicle",
                ),
                (
                    "substation_drained",
                    "1 while an operator keeps new vehicles from the substation",
                ),
                *((name, f"{reported}, where published") for name, reported in _POWER.items()),
                ("gauge_age_seconds", "Age of the gauge reading, seconds"),
                ("substation_next_finish_seconds", f"{_FINISH} first is charged"),
                ("substation_last_finish_seconds", f"{_FINISH} last is charged"),
            )
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


def _by_substation(
    name: str,
    help_text: str,
    label: str,
    counts: Mapping[tuple[str, str], int],
    substations: Iterable[str],
    known: Iterable[str],
) -> Metric:
    """A counter by substation that starts at 0, so that the first event shows as an increase."""
    family = CounterMetricFamily(name, help_text, labels=["substation", label])
    zeros = {(substation, value): 0 for substation in substations for value in known}
    for (substation, value), count in {**zeros, **counts}.items():
        family.add_metric([substation, value], count)
    return family


def _by_reason(
    name: str, help_text: str, counts: Mapping[str, int], known: Iterable[str]
) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=["reason"])
    for reason, count in {**dict.fromkeys(known, 0), **counts}.items():
        family.add_metric([reason], count)
    return family
