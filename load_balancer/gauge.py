"""Reads a substation's load from its metrics page.

Pure. A bad page is never mistaken for an empty substation.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence

from prometheus_client.parser import text_string_to_metric_families

from grid_common.http.shown import shown
from load_balancer.profile import SubstationProfile
from load_balancer.routing.health import Reading

_DRAINING = "substation_draining"
_POWER_KW = "substation_power_kw"
_POWER_LIMIT_KW = "substation_power_limit_kw"
_POINT_POWER_KW = "substation_point_power_kw"
_COMMITTED_POWER_KW = "substation_committed_power_kw"
_REMAINING_ENERGY_KWH = "substation_remaining_energy_kwh"
_TIME_SCALE = "substation_time_scale"
_POWER = (
    _POWER_KW,
    _POWER_LIMIT_KW,
    _POINT_POWER_KW,
    _COMMITTED_POWER_KW,
    _REMAINING_ENERGY_KWH,
    _TIME_SCALE,
)
_NAMED = "named_metrics."  # ORCA's prefix of custom metrics
_MAX_LOAD = 1_000_000  # vehicles, or kW
# Bounds of a power, an energy or a factor: anything less counts as 0, anything more as not
# published. Within them no prediction overflows or divides by zero.
_MIN_AMOUNT, _MAX_AMOUNT = 1e-9, 1e12
_NOISE = 0.1  # measurement noise, vehicles
_ROUNDING = 1e-9  # error of a division
_MAX_REASON_LENGTH = 100
# A series without labels, as on most pages, takes 1 µs this way.
_PLAIN = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*) +([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?) *")
# The parser takes 10 µs a series. This many series, for example one per charging point, take some
# 10 ms.
_MAX_SERIES = 1_000
_MAX_CHARACTERS = 131_072  # of all relevant series together
_MAX_SERIES_LENGTH = 4_096  # the parser takes quadratic time for escapes
# Work between two calls of `give_way`, characters of the page and of series: about a millisecond.
_SCANNED_AT_ONCE = 16_384
_PARSED_AT_ONCE = 4_096

Series = tuple[str, tuple[tuple[str, str], ...]]  # name and sorted labels


class UnreadableGauge(ValueError):
    """The page does not contain the substation's load; the message says why."""


def read_gauge(
    page: str, profile: SubstationProfile, give_way: Callable[[], object] = lambda: None
) -> Reading:
    """Read the load and related gauges from a page of Prometheus text.

    A gauge with several series, for example one per charging point, is their sum. A duplicated
    series counts once, like in Prometheus: the first one.

    Args:
        page: the whole page.
        profile: names and unit of the gauges.
        give_way: called about once a millisecond to let other greenlets run.

    Raises:
        UnreadableGauge: the load or the capacity is missing, NaN, infinite, negative, not a whole
            number or out of range, it has too many series, or the page is not Prometheus text.
    """
    wanted = (profile.gauge_name, profile.capacity_gauge_name, _DRAINING, *_POWER)
    # All lines before the first is parsed, because a page with too many is refused.
    lines = list(_lines(page, wanted, give_way))
    values = _plain_values(lines, give_way)
    if values is None:
        values = _sums(_pieces(lines), page, give_way)
    if profile.gauge_name not in values:
        raise UnreadableGauge(f"its page has no {profile.gauge_name}; {beginning(page)}")
    return _reading(values, profile)


def read_reported(text: str, profile: SubstationProfile) -> Reading | None:
    """Read the gauges in a response's `endpoint-load-metrics`; None if they are incomplete.

    Args:
        text: ORCA's text format, with a page's gauges as `named_metrics`.
        profile: names and unit of the gauges.
    """
    form, _, reported = text.partition(" ")
    if form != "TEXT" or len(reported) > _MAX_SERIES_LENGTH:
        return None
    values = {}
    try:
        for one in reported.split(","):
            name, _, value = one.partition("=")
            if name.startswith(_NAMED):
                values[name[len(_NAMED) :]] = float(value)
        return _reading(values, profile) if profile.gauge_name in values else None
    except ValueError:  # includes an unreadable gauge
        return None


def _reading(values: dict[str, float], profile: SubstationProfile) -> Reading:
    in_kw = profile.gauge_kw is not None
    return Reading(
        load=_load(values, profile),
        capacity=_capacity(values, profile),
        draining=values.get(_DRAINING, 0) > 0,
        power_kw=_number(values, profile.gauge_name if in_kw else _POWER_KW),
        power_limit_kw=_amount(values, profile.capacity_gauge_name if in_kw else _POWER_LIMIT_KW),
        point_power_kw=_amount(values, _POINT_POWER_KW) or None,
        committed_power_kw=_amount(values, _COMMITTED_POWER_KW),
        remaining_energy_kwh=_amount(values, _REMAINING_ENERGY_KWH),
        time_scale=_amount(values, _TIME_SCALE) or 1.0,
    )


def beginning(page: str) -> str:
    """Quote the beginning of a page."""
    page = page.lstrip()
    return f"it begins {shown(page, 60)}" if page else "it is empty"


def _lines(page: str, wanted: tuple[str, ...], give_way: Callable[[], object]) -> Iterator[str]:
    """Yield the relevant lines."""
    series = characters = start = 0
    while start < len(page):
        end = page.find("\n", start + _SCANNED_AT_ONCE) + 1 or len(page)
        for line in page[start:end].split("\n"):
            if line.lstrip().startswith(wanted) and line.partition("{")[0].split()[0] in wanted:
                series += 1
                characters += len(line)
                if len(line) > _MAX_SERIES_LENGTH:
                    raise UnreadableGauge(
                        f"its page has a series of {wanted[0]} or a related gauge that is over "
                        f"{_MAX_SERIES_LENGTH:,} characters; it begins {shown(line, 60)}"
                    )
                if series > _MAX_SERIES or characters > _MAX_CHARACTERS:
                    raise UnreadableGauge(
                        f"its page has over {_MAX_SERIES:,} series, or {_MAX_CHARACTERS:,} "
                        f"characters, of {wanted[0]} and related gauges; publish their sums"
                    )
                yield line
        start = end
        give_way()


def _plain_values(lines: Sequence[str], give_way: Callable[[], object]) -> dict[str, float] | None:
    """Read lines of a name and a number as the parser would; None if there is any other line."""
    values: dict[str, float] = {}
    for line in lines:
        plain = _PLAIN.fullmatch(line)
        if plain is None:
            return None
        values.setdefault(plain[1], float(plain[2]))
    give_way()
    return values


def _pieces(lines: Sequence[str]) -> Iterator[str]:
    """Join lines for the parser."""
    piece: list[str] = []
    characters = 0
    for line in lines:
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
        except Exception as error:  # the parser raises many kinds of exceptions
            # The message quotes the page, and is repeated in every decision that rules out the
            # substation.
            why = f"{type(error).__name__}: {shown(str(error), _MAX_REASON_LENGTH)}"
            raise UnreadableGauge(f"not Prometheus text ({why}); {beginning(page)}") from None
        for sample in samples:
            series = sample.name, tuple(sorted(sample.labels.items()))
            if series not in seen:
                seen.add(series)
                values[sample.name] = values.get(sample.name, 0.0) + _float(sample.value)
        give_way()
    return values


def _float(value: float) -> float:
    """Return a number as Prometheus reads it; the parser returns integers of any length."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _load(values: dict[str, float], profile: SubstationProfile) -> int:
    name, vehicle_kw = profile.gauge_name, profile.gauge_kw
    if vehicle_kw is None:
        return _vehicles(values[name], name)
    # A partial load by others counts as a whole vehicle; a little is measurement noise.
    return max(0, math.ceil(_in_bounds(values[name], name, "power") / vehicle_kw - _NOISE))


def _capacity(values: dict[str, float], profile: SubstationProfile) -> int:
    name, vehicle_kw = profile.capacity_gauge_name, profile.gauge_kw
    value = values.get(name, profile.default_capacity)
    if value is None:
        unit = "the vehicles that it holds" if vehicle_kw is None else "its limit in kW"
        setting = "DEFAULT_CAPACITY, or " if vehicle_kw is None else ""
        raise UnreadableGauge(
            f"its page has no {name}: set {setting}default_capacity in SUBSTATIONS_FILE, to {unit}"
        )
    if vehicle_kw is None:
        return _vehicles(value, name)
    return int(_in_bounds(value, name, "power") / vehicle_kw + _ROUNDING)


def _vehicles(value: float, name: str) -> int:
    count = _in_bounds(value, name, "number of vehicles")
    if count != int(count):
        raise UnreadableGauge(f"{name} is {value:g}, which is not a number of vehicles")
    return int(count)


def _in_bounds(value: float, name: str, what: str) -> float:
    if not math.isfinite(value) or value < 0:
        raise UnreadableGauge(f"{name} is {value:g}, which is not a {what}")
    if value > _MAX_LOAD:
        raise UnreadableGauge(f"{name} is {value:g}; no substation has more than {_MAX_LOAD:,}")
    return value


def _number(values: dict[str, float], name: str) -> float | None:
    value = values.get(name)
    return value if value is not None and math.isfinite(value) else None


def _amount(values: dict[str, float], name: str) -> float | None:
    """Return a power, an energy or a factor; None if the page has no plausible value."""
    value = _number(values, name)
    if value is None or not 0 <= value <= _MAX_AMOUNT:
        return None
    return value if value >= _MIN_AMOUNT else 0.0
