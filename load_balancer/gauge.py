"""Reads a site's load from its metrics page. Pure; bad pages are told apart from empty sites."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from load_balancer.site import Reading

_DRAINING = "substation_draining"
_POWER_KW = "substation_power_kw"
_POWER_LIMIT_KW = "substation_power_limit_kw"
_MOST_VEHICLES = 1_000_000
_LONGEST_REASON = 100


class UnreadableGauge(ValueError):
    """The page does not tell the site's load; the message says why."""


class GaugeNames(NamedTuple):
    """What a site's page calls its gauges."""

    load: str = "substation_current_load"
    capacity: str = "substation_capacity"
    default_capacity: int | None = None  # for sites that publish none


def read_gauge(page: str, names: GaugeNames) -> Reading:
    """Read the load and its companions from a page of Prometheus text.

    A gauge of several series, one a charging point say, is their sum.

    Raises:
        UnreadableGauge: the load or the capacity is missing, NaN, infinite, negative, no whole
            number or beyond all measure, or the page is not Prometheus text.
    """
    wanted = (names.load, names.capacity, _DRAINING, _POWER_KW, _POWER_LIMIT_KW)
    values: dict[str, float] = {}
    try:
        # The parser is the cost of a poll, so it gets only the lines that matter.
        for family in text_string_to_metric_families("\n".join(_lines(page, wanted)) + "\n"):
            for sample in family.samples:
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
    except Exception as error:  # the parser raises whatever it stumbles over
        # What it says quotes the page, and ends up in every decision that passes the site over.
        why = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        raise UnreadableGauge(f"not Prometheus text ({why})") from None
    return Reading(
        load=_vehicles(values, names.load, None),
        capacity=_vehicles(values, names.capacity, names.default_capacity),
        draining=values.get(_DRAINING, 0) > 0,
        power_kw=_kilowatts(values, _POWER_KW),
        power_limit_kw=_kilowatts(values, _POWER_LIMIT_KW),
    )


def _lines(page: str, wanted: tuple[str, ...]) -> Iterator[str]:
    for line in page.split("\n"):
        if line.lstrip().startswith(wanted) and line.partition("{")[0].split()[0] in wanted:
            yield line


def _vehicles(values: dict[str, float], name: str, default: int | None) -> int:
    value = values.get(name)
    if value is None:
        if default is not None:
            return default
        raise UnreadableGauge(f"its page has no {name}")
    if not math.isfinite(value) or value < 0 or value != int(value):
        raise UnreadableGauge(f"{name} is {value:g}, which is no number of vehicles")
    if value > _MOST_VEHICLES:
        raise UnreadableGauge(f"{name} is {value:g}; no site holds more than {_MOST_VEHICLES:,}")
    return int(value)


def _kilowatts(values: dict[str, float], name: str) -> float | None:
    value = values.get(name)
    return value if value is not None and math.isfinite(value) else None
