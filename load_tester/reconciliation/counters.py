"""Reads the grid's counters from its metrics pages. Pure."""

import math
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from load_tester.power import Point

Samples = dict[str, list[tuple[dict[str, str], float]]]


def parse_samples(page: str) -> Samples:
    """Parse a page in Prometheus' text format; malformed lines are skipped."""
    samples: Samples = {}
    for line in page.splitlines():
        with suppress(ValueError):  # one malformed line does not affect the others
            for family in text_string_to_metric_families(line):
                for sample in family.samples:
                    samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def _total(samples: Samples, name: str, **labels: str) -> float | None:
    """Sum a counter over the samples with these labels; None if there are none."""
    values = [
        value
        for found, value in samples.get(name, [])
        if all(found.get(key) == wanted for key, wanted in labels.items())
    ]
    return sum(values) if values else None


@dataclass(frozen=True, slots=True)
class SubstationCounters:
    """A substation's counters at one time."""

    charged: float
    kwh: float | None  # delivered to fully charged vehicles; None if it is not published
    load: float
    started: float | None  # start of the process, seconds since 1970
    point: Point | None = None  # None if it is not published
    meter_kwh: float | None = None  # delivered to anybody, including before restarts; likewise

    @classmethod
    def from_page(cls, page: str) -> "SubstationCounters":
        """Read a substation's metrics page.

        Raises:
            ValueError: the page has no count of sessions.
        """
        samples = parse_samples(page)
        if "substation_sessions_total" not in samples:
            raise ValueError("the page has no substation_sessions_total")
        return cls(
            _total(samples, "substation_sessions_total", outcome="charged") or 0.0,
            _total(samples, "substation_energy_delivered_kwh_total", outcome="charged"),
            _total(samples, "substation_current_load") or 0.0,
            _total(samples, "process_start_time_seconds"),
            _point(samples),
            _total(samples, "substation_meter_kwh"),
        )


def _point(samples: Samples) -> Point | None:
    power_kw = samples.get("substation_point_power_kw")
    if not power_kw or not 0 < power_kw[0][1] < math.inf:
        return None
    # The default is real time.
    scale = samples.get("substation_time_scale", [({}, 1.0)])[0][1]
    return Point(power_kw[0][1], scale) if 0 < scale < math.inf else None


@dataclass(frozen=True, slots=True)
class GatewayCounters:
    """The gateway's responses to vehicles so far, by status."""

    answers: Mapping[str, float]
    started: float | None

    @classmethod
    def from_page(cls, page: str) -> "GatewayCounters":
        """Read the gateway's metrics page.

        Raises:
            ValueError: the page is not that of a charging service.
        """
        samples = parse_samples(page)
        # Before its first response, a gateway has the counter's name without samples.
        if "charge_requests_total" not in page:
            raise ValueError("the page has no charge_requests_total")
        answers: defaultdict[str, float] = defaultdict(float)
        for labels, value in samples.get("charge_requests_total", []):
            answers[labels.get("status", "")] += value
        return cls(answers, _total(samples, "process_start_time_seconds"))


@dataclass(frozen=True, slots=True)
class GridCounters:
    """All counters at one time, substations by their address. None: could not be read."""

    gateway: GatewayCounters | None
    substations: Mapping[str, SubstationCounters | None]
    faults: Mapping[str, str]  # address or "gateway": why it could not be read

    def has_counted(self, charged: int, before: "GridCounters") -> bool:
        """Return whether the substations have counted that many sessions since `before`.

        What could not be read then is not waited for.
        """
        pairs = [(one, before.substations.get(name)) for name, one in self.substations.items()]
        if self.gateway is None and before.gateway is not None:
            return False
        if any(one is None and earlier is not None for one, earlier in pairs):
            return False
        if not pairs or any(one is None for one, _ in pairs):
            return True
        grown = sum(
            one.charged - (earlier.charged if earlier else 0) for one, earlier in pairs if one
        )
        return grown >= charged
