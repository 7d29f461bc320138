"""Reads a site's load from its metrics page. Pure; bad pages are told apart from empty sites."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from grid_common.shown import shown
from load_balancer.site import Reading

_DRAINING = "substation_draining"
_POWER_KW = "substation_power_kw"
_POWER_LIMIT_KW = "substation_power_limit_kw"
_MOST_VEHICLES = 1_000_000
_LONGEST_REASON = 100
# The parser is the cost of a poll: 10 µs a series. A site with a series for each of so many points
# is read in some 10 ms.
_MOST_SERIES = 1_000
_MOST_CHARACTERS = 131_072  # of all these series together
_LONGEST_SERIES = 4_096  # the parser's time grows with the square of what is escaped
# Work between two calls of `give_way`, characters of the page and of series: about a millisecond.
_SCANNED_AT_ONCE = 16_384
_PARSED_AT_ONCE = 4_096

Series = tuple[str, tuple[tuple[str, str], ...]]  # name and sorted labels


class UnreadableGauge(ValueError):
    """The page does not tell the site's load; the message says why."""


class GaugeNames(NamedTuple):
    """What a site's page calls its gauges."""

    load: str = "substation_current_load"
    capacity: str = "substation_capacity"
    default_capacity: int | None = None  # for sites that publish none


def read_gauge(
    page: str, names: GaugeNames, give_way: Callable[[], object] = lambda: None
) -> Reading:
    """Read the load and its companions from a page of Prometheus text.

    A gauge of several series, one a charging point say, is their sum; a series that stands twice
    counts once, as Prometheus takes it: the first.

    Args:
        page: the whole page.
        names: what the gauges are called.
        give_way: called about once a millisecond, for others to have their turn.

    Raises:
        UnreadableGauge: the load or the capacity is missing, NaN, infinite, negative, no whole
            number or beyond all measure, there are too many series of them, or the page is not
            Prometheus text.
    """
    wanted = (names.load, names.capacity, _DRAINING, _POWER_KW, _POWER_LIMIT_KW)
    values = _sums(_pieces(_lines(page, wanted, give_way)), page, give_way)
    if names.load not in values:
        raise UnreadableGauge(f"its page has no {names.load}; {beginning(page)}")
    return Reading(
        load=_vehicles(values, names.load, None),
        capacity=_vehicles(values, names.capacity, names.default_capacity),
        draining=values.get(_DRAINING, 0) > 0,
        power_kw=_kilowatts(values, _POWER_KW),
        power_limit_kw=_kilowatts(values, _POWER_LIMIT_KW),
    )


def beginning(page: str) -> str:
    """Show how a page begins: printable, short."""
    page = page.lstrip()
    return f"it begins {shown(page, 60)}" if page else "it is empty"


def _lines(page: str, wanted: tuple[str, ...], give_way: Callable[[], object]) -> Iterator[str]:
    """Find the lines that matter."""
    series = characters = start = 0
    while start < len(page):
        end = page.find("\n", start + _SCANNED_AT_ONCE) + 1 or len(page)
        for line in page[start:end].split("\n"):
            if line.lstrip().startswith(wanted) and line.partition("{")[0].split()[0] in wanted:
                series += 1
                characters += len(line)
                if len(line) > _LONGEST_SERIES:
                    raise UnreadableGauge(
                        f"its page has a series of {wanted[0]} or the like that is over "
                        f"{_LONGEST_SERIES:,} characters; it begins {shown(line, 60)}"
                    )
                if series > _MOST_SERIES or characters > _MOST_CHARACTERS:
                    raise UnreadableGauge(
                        f"its page has over {_MOST_SERIES:,} series, or {_MOST_CHARACTERS:,} "
                        f"characters, of {wanted[0]} and the like; publish their sums"
                    )
                yield line
        start = end
        give_way()


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    """Join lines for the parser; a page that has too many of them is refused before the first."""
    piece: list[str] = []
    characters = 0
    for line in list(lines):
        piece.append(line)
        characters += len(line)
        if characters >= _PARSED_AT_ONCE:
            yield "\n".join(piece) + "\n"
            piece, characters = [], 0
    yield "\n".join(piece) + "\n"


def _sums(pieces: Iterator[str], page: str, give_way: Callable[[], object]) -> dict[str, float]:
    seen: set[Series] = set()
    values: dict[str, float] = {}
    for piece in pieces:
        try:
            samples = [
                sample
                for family in text_string_to_metric_families(piece)
                for sample in family.samples
            ]
        except Exception as error:  # the parser raises whatever it stumbles over
            # What it says quotes the page, and ends up in every decision that passes the site over.
            why = f"{type(error).__name__}: {shown(str(error), _LONGEST_REASON)}"
            raise UnreadableGauge(f"not Prometheus text ({why}); {beginning(page)}") from None
        for sample in samples:
            series = sample.name, tuple(sorted(sample.labels.items()))
            if series not in seen:
                seen.add(series)
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
        give_way()
    return values


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
