"""The report of a run as one page that needs nothing else: no script, no font, no other file.

Everything that came from outside (names, reasons, options) is escaped where it is put in.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from load_tester.charts import Share, Strip, histogram, share_bars, timeline
from load_tester.latency import Spread, round_width
from load_tester.result import Result
from load_tester.sheets import (
    NOTHING,
    Row,
    Sheet,
    answers_sheet,
    books_sheet,
    breaking_text,
    choices_sheet,
    count,
    moments_sheet,
    power_sheet,
    seconds,
    sites_sheet,
    times_sheet,
)
from load_tester.site import load_over_time
from load_tester.vehicle import Outcome

_BINS = 240  # stretches of time that a curve is made of
_RATE_BINS = 60
_BARS = 60
_MOST_SITES = 24


def render_page(result: Result) -> str:
    """Return the whole page."""
    style = files("load_tester").joinpath("page.css").read_text(encoding="utf-8")
    title = f"Load test: {result.recording.plan.scenario}, {result.verdict}"
    sections = [
        _header(result),
        _tiles(result),
        _over_time(result),
        _section(times_sheet(result), *_distribution(result)),
        _section(power_sheet(result)),
        _section(sites_sheet(result), *_shares(result)),
        _section(moments_sheet(result)),
        _section(answers_sheet(result)),
        _section(choices_sheet(result)),
        _section(books_sheet(result)),
        _section(_setting_sheet(result)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(section for section in sections if section)
        + "\n</body>\n</html>\n"
    )


def _section(sheet: Sheet, *figures: str) -> str:
    """Show a table under its pictures; nothing where it has no rows."""
    if not sheet.rows:
        return ""
    kinds = [' class="number"' if column.startswith(">") else "" for column in sheet.columns]
    head = "".join(
        f"<th{kind}>{escape(column.removeprefix('>'))}</th>"
        for kind, column in zip(kinds, sheet.columns, strict=True)
    )
    body = "\n".join(
        f'<tr class="{row.mood}">'
        + "".join(
            f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row.cells, strict=True)
        )
        + "</tr>"
        for row in sheet.rows
    )
    table = (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )
    return _card(sheet.title, sheet.note, *figures, table)


def _card(title: str, note: str, *content: str) -> str:
    soft = f'<p class="soft">{escape(note)}</p>\n' if note else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{soft}" + "\n".join(content) + "\n</section>"


def _header(result: Result) -> str:
    recording = result.recording
    mood = "good" if result.passed and not recording.interrupted else "bad"
    lines = [f'<p class="bad">Missed: {escape(line)}</p>' for line in result.missed]
    if recording.breaking is not None:
        lines.append(f"<p>{escape(breaking_text(result))}</p>")
    lines.extend(f'<p class="soft">{escape(note)}</p>' for note in recording.plan.notes)
    return (
        f"<header>\n<h1>Load test: {escape(recording.plan.scenario)}</h1>\n"
        f'<p class="verdict {mood}">{escape(result.verdict)}</p>\n'
        f"<p>{escape(recording.plan.summary)}</p>\n" + "\n".join(lines) + "\n</header>"
    )


def _tiles(result: Result) -> str:
    book = result.recording.decisions
    spread, delay = result.time_to_charge, result.delay
    judged = book is not None and book.total
    tiles = {
        "charged": count(result.outcomes[Outcome.CHARGED] + result.outcomes[Outcome.ACCEPTED]),
        "lost": count(result.lost),
        "time to charge, p50": seconds(spread.p50 if spread else None),
        "time to charge, p99": seconds(spread.p99 if spread else None),
        "delay, p99": seconds(delay.p99 if delay else None),
        "most waiting": count(result.recording.samples.peak_waiting),
        "least loaded chosen": f"{100 * book.least_loaded / book.total:.4g}%"
        if book is not None and judged
        else NOTHING,
        "done a second": f"{result.rate:.1f}",
    }
    cells = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in tiles.items()
    )
    return f'<dl class="tiles">\n{cells}\n</dl>'


def _over_time(result: Result) -> str:
    charges, end = result.recording.charges, result.end
    if not charges or end <= 0:
        return ""
    rates = _rates([charge.due for charge in charges], end)
    strips = [Strip("arrivals", f"peak {max(rates):.3g} a second", rates, "arrivals")]
    samples = result.recording.samples
    if samples.peak_waiting:
        waiting = _resample(samples.waiting, end)
        strips.append(Strip("waiting", f"peak {samples.peak_waiting:,}", waiting, "waiting"))
    reports = {site.name: site for site in result.sites}
    loads = load_over_time(charges, _BINS, end)
    for name, values in list(loads.items())[:_MOST_SITES]:
        limit = reports[name].capacity
        caption = f"peak {count(reports[name].peak_load)}"
        strips.append(Strip(name, caption, values, "load", None if limit is None else float(limit)))
    left = len(loads) - _MOST_SITES
    text = "Each site's load of this run's vehicles, after their answers; dashed: its capacity."
    if left > 0:
        text += f" {left} more sites are not drawn."
    return _card("Arrivals and load by site", text, _figure(timeline(strips, end)))


def _rates(due: Sequence[float], end: float) -> list[float]:
    """Return arrivals a second in stretches wide enough to be a rate, not single vehicles."""
    width = round_width(end, _RATE_BINS)
    counts = [0] * math.ceil(end / width)
    for moment in due:
        counts[min(len(counts) - 1, int(moment / width))] += 1
    # Drawn in the same stretches as the other curves, whose last need not be a whole one.
    return [counts[int(index * end / _BINS / width)] / width for index in range(_BINS)]


def _resample(points: Sequence[tuple[float, int]], end: float) -> list[float]:
    """Return the highest value in each stretch; one without a sample repeats the last."""
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


def _figure(svg: str) -> str:
    return f'<figure class="scroll">\n{svg}\n</figure>'


def _marks(spread: Spread) -> Mapping[str, float]:
    return {"p50": spread.p50, "p90": spread.p90, "p99": spread.p99}


def _distribution(result: Result) -> list[str]:
    charged = [charge for charge in result.recording.charges if charge.outcome is Outcome.CHARGED]
    figures = []
    if result.time_to_charge is not None:
        times = [charge.time_to_charge for charge in charged]
        marks = _marks(result.time_to_charge)
        figures.append(_figure(histogram(times, marks, "time to charge", _BARS)))
    if result.delay is not None:
        delays = [charge.delay for charge in charged if charge.delay is not None]
        marks = _marks(result.delay)
        figures.append(_figure(histogram(delays, marks, "delay", _BARS)))
    return figures


def _shares(result: Result) -> list[str]:
    sites = result.sites[:_MOST_SITES]
    if not sites:
        return []
    total = sum(site.vehicles for site in result.sites) or 1
    known = [site.capacity for site in result.sites if site.capacity is not None]
    capacity = sum(known) if len(known) == len(result.sites) else 0
    shares = [
        Share(
            site.name,
            site.vehicles,
            site.vehicles / total,
            site.capacity / capacity if capacity and site.capacity is not None else None,
        )
        for site in sites
    ]
    note = '<p class="soft">Dashed: the site\'s share of the capacity of all.</p>'
    return [_figure(share_bars(shares)) + (note if capacity else "")]


def _setting_sheet(result: Result) -> Sheet:
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
    return Sheet("Setting", ("what", "value"), [Row(row) for row in rows.items()])
