"""The report of a run as a page: computes what `page.html` shows."""

import math
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from load_tester.latency import round_width
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
    records, chosen = result.recording.decisions, NOTHING
    if records is not None and records.total:
        chosen = f"{100 * records.least_loaded / records.total:.4g}%"
    spread, delay = result.time_to_charge, result.delay
    return {
        "charged": count(result.done),
        "lost": count(result.lost),
        "time to charge, p50": seconds(spread.p50 if spread else None),
        "time to charge, p99": seconds(spread.p99 if spread else None),
        "delay, p99": seconds(delay.p99 if delay else None),
        "most waiting": count(result.recording.samples.peak_waiting),
        "least loaded chosen": chosen,
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
    for name, values in [*loads.items()][:_MAX_SUBSTATIONS]:
        report = reports[name]
        strips.append(
            Strip(name, f"peak {count(report.peak_load)}", values, "load", report.capacity)
        )
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
    peaks: dict[int, float] = {}
    for time, sample in points:
        if 0 <= time <= end:
            index = min(_BINS - 1, int(_BINS * time / end))
            peaks[index] = max(peaks.get(index, 0.0), float(sample))
    values = [0.0]
    for index in range(_BINS):
        values.append(peaks.get(index, values[-1]))
    return values[1:]


def _distribution(result: Result) -> list[str]:
    charged = [charge for charge in result.recording.charges if charge.outcome is Outcome.CHARGED]
    times = [charge.time_to_charge for charge in charged]
    delays = [charge.delay for charge in charged if charge.delay is not None]
    return [
        histogram(values, {"p50": spread.p50, "p90": spread.p90, "p99": spread.p99}, label, _BARS)
        for values, spread, label in (
            (times, result.time_to_charge, "time to charge"),
            (delays, result.delay, "delay"),
        )
        if spread is not None
    ]


def _shares(result: Result) -> tuple[list[str], str]:
    """Draw the substations' shares; return the charts and their legend."""
    if not result.substations:
        return [], ""
    total = sum(substation.vehicles for substation in result.substations) or 1
    capacities = [substation.capacity or 0 for substation in result.substations]
    known = all(substation.capacity is not None for substation in result.substations)
    capacity = sum(capacities) if known else 0
    shares = [
        Share(one.name, one.vehicles, one.vehicles / total, own / capacity if capacity else None)
        for one, own in zip(result.substations[:_MAX_SUBSTATIONS], capacities, strict=False)
    ]
    legend = "Dashed: the substation's share of the capacity of all." if capacity else ""
    return [share_bars(shares)], legend


def _setting_table(result: Result) -> ReportTable:
    recording = result.recording
    options, cost = recording.options, recording.cost
    lag = cost.lag
    late = f"p99 {seconds(lag.p99)}, at most {seconds(lag.max)}" if lag else NOTHING
    spent = 1000 * cost.cpu_s / max(1, len(recording.charges))
    rows = [
        Row("gateway", options.url),
        Row("began", recording.setting["began"]),
        Row("seed", str(options.seed)),
        Row("vehicles' patience", f"{options.patience:g} s"),
        Row("planned energy", f"{recording.plan.total_kwh:,.1f} kWh"),
        Row("sent late by the tester", late),
        Row("the tester's CPU", f"{spent:.2f} ms a vehicle"),
    ]
    return ReportTable("Setting", ("what", "value"), rows)
