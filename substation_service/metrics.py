"""The substation's metrics, read from the substation itself at each scrape.

There is no second count that could drift.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from grid_common.drain import Drain
from substation_service.journal import NoJournal
from substation_service.registers import Registers
from substation_service.substation import Substation


class SubstationCollector(Collector):
    """Exports a substation to Prometheus and to the balancer's polls."""

    def __init__(
        self,
        substation: Substation,
        registers: Registers,
        clock: Callable[[], float],
        journal: NoJournal,
        drain: Drain,
    ) -> None:
        self._substation = substation
        self._registers = registers
        self._clock = clock
        self._journal = journal
        self._drain = drain

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics."""
        substation, now = self._substation, self._clock()
        substation.advance(now)
        for name, help_text, value in (
            ("substation_current_load", "Vehicles charging now", substation.load),
            ("substation_capacity", "Vehicles that can charge at once", substation.capacity),
            ("substation_point_power_kw", "Power of one point, kW", substation.point_power_kw),
            ("substation_power_kw", "Power drawn now, kW", substation.power_kw),
            (
                "substation_committed_power_kw",
                "Power that the vehicles could draw without a limit, kW",
                substation.committed_power_kw,
            ),
            (
                "substation_power_limit_kw",
                "Maximum power that the substation may draw, kW",
                substation.power_limit_kw,
            ),
            (
                "substation_remaining_energy_kwh",
                "Energy still to be delivered to the vehicles, kWh",
                substation.remaining_energy_kwh(now),
            ),
            (
                "substation_time_scale",
                "Charging speed relative to real time",
                substation.time_scale,
            ),
            (
                "substation_meter_kwh",
                "Sum of the energy in all session registers, kWh",
                self._registers.meter_kwh(now),
            ),
            ("substation_journal_bytes", "Size of the journal's file, bytes", self._journal.size),
            (
                "substation_journal_failing",
                "1 while the journal cannot be written",
                self._journal.failing_since is not None,
            ),
            (
                "substation_draining",
                "1 while the substation accepts no new vehicle",
                self._drain.active,
            ),
        ):
            yield GaugeMetricFamily(name, help_text, float(value))
        energy = CounterMetricFamily(
            "substation_energy_delivered_kwh",
            "Energy delivered, kWh, to vehicles that were fully charged and to those that left",
            labels=["outcome"],
        )
        for outcome, kwh in substation.energy_delivered_kwh.items():
            energy.add_metric([outcome.value], kwh)
        yield energy
        sessions = CounterMetricFamily(
            "substation_sessions", "Attempts that ended, by outcome", labels=["outcome"]
        )
        for outcome, count in substation.sessions.items():
            sessions.add_metric([outcome.value], count)
        yield sessions
