"""The report of a run as a page: computes what `page.html` shows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from load_tester.latency import Spread, round_width
from load_tester.report.charts import Share, Strip, histogram, share_bars, timeline
from load_tester.report.tables import (
    NOTHING,
    SUBSTATIONS,
    TIMES,
    ReportTable,
    Row,
    all_tables,
    breaking_text,
    count,
    seconds,
)
from load_tester.result import Result
from load_tester.substation import load_over_time
from load_tester.vehicle import Outcome

_BINS = 240  # number of values in a curve
_RATE_BINS = 60
_BARS = 60
_MAX_SUBSTATIONS = 24


class _Section(NamedTuple):
    """A section of the page: charts with a legend, then a table."""

    title: str
    note: str
    table: ReportTable | None = None
    figures: Sequence[str] = ()
    legend: str = ""


def render_page(result: Result) -> str:
    """Return the whole page."""
    environment = Environment(
        loader=PackageLoader("load_tester", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    recording = result.recording
    return environment.get_template("page.html").render(
        result=result,
        plan=recording.plan,
        good=result.passed and not recording.interrupted,
        breaking=breaking_text(result),
        style=files("load_tester").joinpath("page.css").read_text(encoding="utf-8"),
        tiles=_tiles(result),
        sections=list(_sections(result)),
    )


def _sections(result: Result) -> Iterator[_Section]:
    """Yield the sections of the page in reading order."""
    yield from _over_time(result)
    pictures = {TIMES: (_distribution(result), ""), SUBSTATIONS: _shares(result)}
    for report_table in [*all_tables(result), _setting_table(result)]:
        figures, legend = pictures.get(report_table.title, ([], ""))
        yield _Section(report_table.title, report_table.note, report_table, figures, legend)


def _tiles(result: Result) -> dict[str, str]:
    records = result.recording.decisions
    spread, delay = result.time_to_charge, result.delay
    judged = records is not None and records.total
    return {
        "charged": count(result.outcomes[Outcome.CHARGED] + result.outcomes[Outcome.ACCEPTED]),
        "lost": count(result.lost),
        "time to charge, p50": seconds(spread.p50 if spread else None),
        "time to charge, p99": seconds(spread.p99 if spread else None),
        "delay, p99": seconds(delay.p99 if delay else None),
        "most waiting": count(result.recording.samples.peak_waiting),
        "least loaded chosen": f"{100 * records.least_loaded / records.total:.4g}%"
        if records is not None and judged
        else NOTHING,
        "done a second": f"{result.rate:.1f}",
    }


def _over_time(result: Result) -> Iterator[_Section]:
    charges, end = result.recording.charges, result.end
    if not charges or end <= 0:
        return
    rates = _rates([charge.due for charge in charges], end)
    strips = [Strip("arrivals", f"peak {max(rates):.3g} a second", rates, "arrivals")]
    samples = result.recording.samples
    if samples.peak_waiting:
        waiting = _resample(samples.waiting, end)
        strips.append(Strip("waiting", f"peak {samples.peak_waiting:,}", waiting, "waiting"))
    reports = {substation.name: substation for substation in result.substations}
    loads = load_over_time(charges, _BINS, end)
    for name, values in list(loads.items())[:_MAX_SUBSTATIONS]:
        limit = reports[name].capacity
        caption = f"peak {count(reports[name].peak_load)}"
        strips.append(Strip(name, caption, values, "load", None if limit is None else float(limit)))
    left = len(loads) - _MAX_SUBSTATIONS
    text = "Load of each substation by this run's vehicles, from their responses; dashed: capacity."
    if left > 0:
        text += f" {left} more substations are not drawn."
    yield _Section("Arrivals and load by substation", text, figures=[timeline(strips, end)])


def _rates(due: Sequence[float], end: float) -> list[float]:
    """Return arrivals per second in intervals wide enough to average over single vehicles."""
    width = round_width(end, _RATE_BINS)
    counts = [0] * math.ceil(end / width)
    for moment in due:
        counts[min(len(counts) - 1, int(moment / width))] += 1
    # Drawn in the same intervals as the other curves; the last need not be complete.
    return [counts[int(index * end / _BINS / width)] / width for index in range(_BINS)]


def _resample(points: Sequence[tuple[float, int]], end: float) -> list[float]:
    """Return the highest value in each interval; one without a sample repeats the last."""
    values: list[float | None] = [None] * _BINS
    for time, sample in points:
        if 0 <= time <= end:
            index = min(_BINS - 1, int(_BINS * time / end))
            values[index] = max(values[index] or 0.0, float(sample))
    filled: list[float] = []
    for value in values:
        last = filled[-1] if filled else 0.0
        filled.append(last if value is None else value)
    return filled


def _marks(spread: Spread) -> Mapping[str, float]:
    return {"p50": spread.p50, "p90": spread.p90, "p99": spread.p99}


def _distribution(result: Result) -> list[str]:
    charged = [charge for charge in result.recording.charges if charge.outcome is Outcome.CHARGED]
    figures = []
    if result.time_to_charge is not None:
        times = [charge.time_to_charge for charge in charged]
        marks = _marks(result.time_to_charge)
        figures.append(histogram(times, marks, "time to charge", _BARS))
    if result.delay is not None:
        delays = [charge.delay for charge in charged if charge.delay is not None]
        marks = _marks(result.delay)
        figures.append(histogram(delays, marks, "delay", _BARS))
    return figures


def _shares(result: Result) -> tuple[list[str], str]:
    """Draw the substations' shares; return the charts and their legend."""
    substations = result.substations[:_MAX_SUBSTATIONS]
    if not substations:
        return [], ""
    total = sum(substation.vehicles for substation in result.substations) or 1
    known = [
        substation.capacity for substation in result.substations if substation.capacity is not None
    ]
    capacity = sum(known) if len(known) == len(result.substations) else 0
    shares = [
        Share(
            substation.name,
            substation.vehicles,
            substation.vehicles / total,
            substation.capacity / capacity
            if capacity and substation.capacity is not None
            else None,
        )
        for substation in substations
    ]
    legend = "Dashed: the substation's share of the capacity of all." if capacity else ""
    return [share_bars(shares)], legend


def _setting_table(result: Result) -> ReportTable:
    setting, cost = result.setting, result.recording.cost
    lag = cost.lag
    spent = 1000 * cost.cpu_s / max(1, len(result.recording.charges))
    rows = {
        "gateway": setting.url,
        "began": setting.began,
        "seed": str(setting.seed),
        "vehicles' patience": f"{setting.patience:g} s",
        "planned energy": f"{result.recording.plan.total_kwh:,.1f} kWh",
        "sent late by the tester": NOTHING
        if lag is None
        else f"p99 {seconds(lag.p99)}, at most {seconds(lag.max)}",
        "the tester's CPU": f"{spent:.2f} ms a vehicle",
    }
    return ReportTable("Setting", ("what", "value"), [Row(row) for row in rows.items()])
