"""The tables of a report, as text; the terminal and the page show the same ones. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from load_tester.latency import Spread, Window
from load_tester.reconciliation.findings import Verdict
from load_tester.result import Result
from load_tester.vehicle import Outcome

NOTHING = "-"
TIMES, SUBSTATIONS = "Times of charged vehicles", "Substations"
_MAX_ANSWERS = 12
_SPREAD_COLUMNS = ("", ">p50", ">p90", ">p99", ">max", ">mean")
_WINDOW_COLUMNS = (">due", ">charged", ">lost", ">p50", ">p99", ">p99 delay")


class Severity(StrEnum):
    """The meaning of a row."""

    PLAIN = "plain"
    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, as plain text that may contain a service's response: escape it for display."""

    cells: Sequence[str]
    severity: Severity = Severity.PLAIN


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table. A column whose name begins with > has numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""


def seconds(value: float | None) -> str:
    """Format a time."""
    if value is None:
        return NOTHING
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s"


def count(value: int | None) -> str:
    """Format a number of vehicles."""
    return NOTHING if value is None else f"{value:,}"


def all_tables(result: Result) -> list[ReportTable]:
    """Return the tables of a report in reading order, without empty ones."""
    report_tables = [
        _answers_table(result),
        _times_table(result),
        _power_table(result),
        _substations_table(result),
        _moments_table(result),
        _choices_table(result),
        _books_table(result),
    ]
    return [report_table for report_table in report_tables if report_table.rows]


def breaking_text(result: Result) -> str:
    """Say where a stress run broke; empty for other runs."""
    breaking = result.recording.breaking
    if breaking is None:
        return ""
    held = "no step" if breaking.held is None else f"{breaking.held:.3g} vehicles a second"
    broke = "" if breaking.broke is None else f", broke at {breaking.broke:.3g}"
    return f"the service level ({breaking.level}) held up to {held}{broke}: {breaking.reason}"


def _answers_table(result: Result) -> ReportTable:
    """Responses by status, with their meaning."""
    groups: dict[tuple[str, str, Severity], int] = {}
    for charge in result.recording.charges:
        status = "no answer" if charge.status is None else str(charge.status)
        if charge.outcome is Outcome.CUT_SHORT:
            status = NOTHING
        text = f"{charge.outcome}: {charge.reason}" if charge.reason else charge.outcome.value
        key = (status, text, Severity.BAD if charge.outcome.lost else Severity.PLAIN)
        groups[key] = groups.get(key, 0) + 1
    ordered = sorted(groups.items(), key=lambda group: -group[1])
    rows = [
        Row((status, count(vehicles), text), severity)
        for (status, text, severity), vehicles in ordered[:_MAX_ANSWERS]
    ]
    rest = ordered[_MAX_ANSWERS:]
    if rest:
        vehicles = sum(vehicles for _, vehicles in rest)
        rows.append(Row(("", count(vehicles), f"{len(rest)} other reasons")))
    if result.retries:
        rows.append(Row(("", count(result.retries), "tries again, by vehicles with patience")))
    return ReportTable("Answers", ("answer", ">vehicles", "outcome and reason"), rows)


def _spread_row(name: str, spread: Spread | None, show: Callable[[float], str]) -> Row:
    if spread is None:
        return Row((name, *[NOTHING] * 5))
    values = (spread.p50, spread.p90, spread.p99, spread.max, spread.mean)
    return Row((name, *map(show, values)))


def _times_table(result: Result) -> ReportTable:
    """Time to charge, and delay."""
    return ReportTable(
        TIMES,
        _SPREAD_COLUMNS,
        [
            _spread_row("time to charge", result.time_to_charge, seconds),
            _spread_row("of that, delay", result.delay, seconds),
        ],
        "From the moment a vehicle was due until its answer. Delay: all but the charging itself, "
        "so waiting for a point, hops between services, and tries again.",
    )


def _power_table(result: Result) -> ReportTable:
    """Energy, power and slowdown."""
    title, power = "Energy and power", result.power
    if power is None:
        return ReportTable(title, _SPREAD_COLUMNS, [])
    if power.slowdown is None:
        note = "The substations' pages do not publish it: give --point-power-kw and --time-scale."
    else:
        note = "The fastest point: " + " or ".join(
            f"{point.power_kw:g} kW, {point.time_scale:g} times as fast as real time"
            for point in power.points
        )
    return ReportTable(
        title,
        _SPREAD_COLUMNS,
        [
            _spread_row("energy", power.energy_kwh, "{:,.4g} kWh".format),
            _spread_row("mean power", power.mean_power_kw, "{:,.4g} kW".format),
            _spread_row("peak power", power.peak_power_kw, "{:,.4g} kW".format),
            _spread_row("slowdown", power.slowdown, "{:,.4g}".format),
        ],
        "Of charged vehicles; powers as the substations told. Slowdown: the time to charge over "
        "what the "
        f"vehicle would take alone at the fastest point. {note}",
    )


def _substations_table(result: Result) -> ReportTable:
    """Vehicles and loads by substation."""
    total = sum(substation.vehicles for substation in result.substations)
    rows = [
        Row(
            (
                substation.name,
                count(substation.vehicles),
                f"{100 * substation.vehicles / total:.1f}%" if total else NOTHING,
                _kwh(substation.kwh),
                count(substation.capacity),
                count(substation.peak_load),
                count(substation.counted),
                _kwh(substation.counted_kwh),
                _kwh(substation.ledger_kwh),
                _kwh(substation.metered_kwh),
            )
        )
        for substation in result.substations
    ]
    columns = (
        *(">vehicles", ">share", ">kWh", ">capacity", ">peak load"),
        *(">counted", ">counted kWh", ">ledger kWh", ">metered kWh"),
    )
    return ReportTable(
        SUBSTATIONS,
        ("substation", *columns),
        rows,
        "kWh: as answered, by legs. Peak load: of anybody's vehicles, as the balancer showed it. "
        "Counted, metered: by the substation itself; ledger: the gateway's. These two are of "
        "anybody's.",
    )


def _kwh(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.1f}"


def _window_cells(window: Window) -> list[str]:
    spread, delay = window.time_to_charge, window.delay
    return [
        count(window.due),
        count(window.charged),
        count(window.lost),
        seconds(spread.p50 if spread else None),
        seconds(spread.p99 if spread else None),
        seconds(delay.p99 if delay else None),
    ]


def _moments_table(result: Result) -> ReportTable:
    """Return the steps of a stress run, the windows of a soak, or the worst windows."""
    if result.stages:
        breaking = result.recording.breaking
        broke = breaking.broke if breaking else None
        rows = [
            Row((stage.name, *_window_cells(window)), _severity_of(stage.rate == broke))
            for stage, window in result.stages
        ]
        return ReportTable("Steps", (">rate", *_WINDOW_COLUMNS), rows)
    soak = result.recording.plan.scenario == "soak"
    shown = result.windows if soak else result.worst
    rows = [
        Row((f"{window.start:g} to {window.end:g} s", *_window_cells(window)))
        for window in (shown if len(result.windows) > 1 else [])
    ]
    return ReportTable(
        "Windows" if soak else "The worst moments",
        ("when due", *_WINDOW_COLUMNS),
        rows,
        "" if soak else "Those that lost most, then those that were held up longest.",
    )


def _severity_of(bad: bool) -> Severity:
    return Severity.BAD if bad else Severity.PLAIN


def _choices_table(result: Result) -> ReportTable:
    """Whether the balancer chose the least-loaded substation, and the largest imbalance."""
    columns = ("what", "found")
    records = result.recording.decisions
    if records is None:
        row = Row(("not available", result.recording.decisions_fault), Severity.DOUBT)
        return ReportTable("Choices", columns, [row])
    if not records.total:
        return ReportTable("Choices", columns, [Row(("decisions", "none"))])
    policy = result.recording.samples.policy or "unknown"
    wrong = records.total - records.least_loaded
    rows = [
        Row(
            (
                "least loaded chosen",
                f"{records.least_loaded:,} of {records.total:,} times, policy {policy}",
            ),
            # Other policies may have reasons for another choice.
            Severity.GOOD
            if not wrong
            else Severity.BAD
            if policy == "least-loaded"
            else Severity.PLAIN,
        ),
        *[
            Row(
                (
                    f"decision {example.sequence}",
                    f"took {example.chosen} at {example.chosen_score:.3f} though {example.least} "
                    f"was at {example.least_score:.3f}",
                )
            )
            for example in records.misjudged
        ],
        Row(("largest imbalance", records.widest.describe() if records.widest else "none")),
        Row(
            (
                "largest, by capacity",
                records.widest_share.describe() if records.widest_share else "none",
            )
        ),
        Row(
            ("sent over capacity", f"{records.over_capacity:,} times"),
            _severity_of(records.over_capacity > 0),
        ),
        Row(("dispatched again", f"{records.repeated:,} times, after a failed dispatch")),
        Row(("longest wait", seconds(records.longest_wait_s))),
    ]
    if not records.complete:
        rows.append(Row(("not seen", records.describe_gaps()), Severity.DOUBT))
    return ReportTable(
        "Choices",
        columns,
        rows,
        "By the balancer's own account of each decision. A choice is right when no candidate had "
        "a lower (load + 1) / capacity; imbalance is taken among the candidates just after it.",
    )


_SEVERITY_OF_VERDICT = {
    Verdict.OK: Severity.GOOD,
    Verdict.NOTE: Severity.PLAIN,
    Verdict.UNKNOWN: Severity.DOUBT,
    Verdict.ERROR: Severity.BAD,
}


def _books_table(result: Result) -> ReportTable:
    """Whether the grid's counters agree with the responses."""
    rows = [
        Row(
            (finding.check, finding.verdict.value, finding.text),
            _SEVERITY_OF_VERDICT[finding.verdict],
        )
        for finding in result.recording.reconciliation.findings
    ]
    return ReportTable(
        "The grid's counters",
        ("check", "", "finding"),
        rows,
        "What came back to the vehicles against the grid's own ledger, counters and meters.",
    )
