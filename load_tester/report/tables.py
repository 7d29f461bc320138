"""The tables of a report, as text; the terminal and the page show the same ones. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from load_tester.latency import Spread, Window
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Verdict
from load_tester.result import Result
from load_tester.vehicle import Outcome

NOTHING = "-"
TIMES, SUBSTATIONS = "Times of charged vehicles", "Substations"
_MAX_ANSWERS = 12
_SPREAD_COLUMNS = ("", ">p50", ">p90", ">p99", ">max", ">mean")
_WINDOW_COLUMNS = (">due", ">charged", ">lost", ">p50", ">p99", ">p99 delay")
_SUBSTATION_COLUMNS = (
    *("substation", ">vehicles", ">share", ">kWh", ">capacity", ">peak load"),
    *(">counted", ">counted kWh", ">ledger kWh", ">metered kWh"),
)


class Severity(StrEnum):
    """The meaning of a row."""

    PLAIN = "plain"
    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


_SEVERITY_OF_VERDICT = {
    Verdict.OK: Severity.GOOD,
    Verdict.NOTE: Severity.PLAIN,
    Verdict.UNKNOWN: Severity.DOUBT,
    Verdict.ERROR: Severity.BAD,
}


class Row:
    """Cells, as plain text that may contain a service's response: escape it for display."""

    def __init__(self, *cells: str, severity: Severity = Severity.PLAIN) -> None:
        self.cells = cells
        self.severity = severity


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


def _kwh(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.1f}"


def all_tables(result: Result) -> list[ReportTable]:
    """Return the tables of a report in reading order, without empty ones."""
    makers = (
        *(_answers_table, _times_table, _power_table, _substations_table),
        *(_moments_table, _choices_table, _reconciliation_table),
    )
    return [table for maker in makers if (table := maker(result)).rows]


def breaking_text(result: Result) -> str:
    """Say where a stress run broke; empty for other runs."""
    breaking = result.recording.breaking
    if breaking is None:
        return ""
    held = "no step" if breaking.held is None else f"{breaking.held:.3g} vehicles a second"
    broke = "" if breaking.broke is None else f", broke at {breaking.broke:.3g}"
    return f"the service level ({breaking.level}) held up to {held}{broke}: {breaking.reason}"


def _answers_table(result: Result) -> ReportTable:
    groups: Counter[tuple[str, str, Severity]] = Counter()
    for charge in result.recording.charges:
        status = "no answer" if charge.status is None else str(charge.status)
        if charge.outcome is Outcome.CUT_SHORT:
            status = NOTHING
        text = f"{charge.outcome}: {charge.reason}" if charge.reason else charge.outcome.value
        groups[status, text, Severity.BAD if charge.outcome.lost else Severity.PLAIN] += 1
    ordered = groups.most_common()
    rows = [
        Row(status, count(vehicles), text, severity=severity)
        for (status, text, severity), vehicles in ordered[:_MAX_ANSWERS]
    ]
    if rest := ordered[_MAX_ANSWERS:]:
        vehicles = sum(vehicles for _, vehicles in rest)
        rows.append(Row("", count(vehicles), f"{len(rest)} other reasons"))
    if result.retries:
        rows.append(Row("", count(result.retries), "tries again, by vehicles with patience"))
    return ReportTable("Answers", ("answer", ">vehicles", "outcome and reason"), rows)


def _spread_row(name: str, spread: Spread | None, unit: str | None = None) -> Row:
    """Return a row of percentiles; without a unit they are times."""
    if spread is None:
        return Row(name, *[NOTHING] * 5)
    values = (spread.p50, spread.p90, spread.p99, spread.max, spread.mean)
    if unit is None:
        return Row(name, *map(seconds, values))
    return Row(name, *[f"{value:,.4g} {unit}".rstrip() for value in values])


def _times_table(result: Result) -> ReportTable:
    rows = [
        _spread_row("time to charge", result.time_to_charge),
        _spread_row("of that, delay", result.delay),
    ]
    note = (
        "From when a vehicle was due until its answer. Delay: all of that except the charging "
        "itself: waiting for a point, hops between services, retries."
    )
    return ReportTable(TIMES, _SPREAD_COLUMNS, rows, note)


def _power_table(result: Result) -> ReportTable:
    power, rows, note = result.power, [], ""
    if power is not None:
        rows = [
            _spread_row("energy", power.energy_kwh, "kWh"),
            _spread_row("mean power", power.mean_power_kw, "kW"),
            _spread_row("peak power", power.peak_power_kw, "kW"),
            _spread_row("slowdown", power.slowdown, ""),
        ]
        points = " or ".join(
            f"{point.power_kw:g} kW, {point.time_scale:g} times as fast as real time"
            for point in power.points
        )
        note = (
            "Of charged vehicles; powers as reported by the substations. Slowdown: the time to "
            "charge over the time that the vehicle would take alone at the fastest point. "
        ) + (
            "The substations' pages do not publish it: give --point-power-kw and --time-scale."
            if power.slowdown is None
            else f"The fastest point: {points}"
        )
    return ReportTable("Energy and power", _SPREAD_COLUMNS, rows, note)


def _substations_table(result: Result) -> ReportTable:
    total = sum(substation.vehicles for substation in result.substations)
    rows = [
        Row(
            substation.name,
            count(substation.vehicles),
            f"{100 * substation.vehicles / total:.1f}%" if total else NOTHING,
            _kwh(substation.kwh),
            *map(count, (substation.capacity, substation.peak_load, substation.counted)),
            *map(_kwh, (substation.counted_kwh, substation.ledger_kwh, substation.metered_kwh)),
        )
        for substation in result.substations
    ]
    note = (
        "kWh: as answered, by legs. Peak load: of all vehicles, as the balancer showed it. "
        "Counted, metered: by the substation itself; ledger: by the gateway. All three include "
        "vehicles of others."
    )
    return ReportTable(SUBSTATIONS, _SUBSTATION_COLUMNS, rows, note)


def _window_row(name: str, window: Window, *, bad: bool = False) -> Row:
    spread, delay = window.time_to_charge, window.delay
    times = (spread.p50, spread.p99) if spread else (None, None)
    return Row(
        name,
        *map(count, (window.due, window.charged, window.lost)),
        *map(seconds, (*times, delay.p99 if delay else None)),
        severity=_bad_if(bad),
    )


def _bad_if(bad: bool) -> Severity:
    return Severity.BAD if bad else Severity.PLAIN


def _moments_table(result: Result) -> ReportTable:
    """Return the steps of a stress run, the windows of a soak, or the worst windows."""
    if result.stages:
        broke = result.recording.breaking and result.recording.breaking.broke
        rows = [
            _window_row(stage.name, window, bad=stage.rate == broke)
            for stage, window in result.stages
        ]
        return ReportTable("Steps", (">rate", *_WINDOW_COLUMNS), rows)
    title, shown, note = "Windows", result.windows, ""
    if result.recording.plan.scenario != "soak":
        title, shown = "The worst moments", result.worst
        note = "Those that lost most vehicles, then those with the longest delay."
    rows = [_window_row(f"{window.start:g} to {window.end:g} s", window) for window in shown]
    columns = ("when due", *_WINDOW_COLUMNS)
    return ReportTable(title, columns, rows if len(result.windows) > 1 else [], note)


def _choices_table(result: Result) -> ReportTable:
    recording, note = result.recording, ""
    if recording.decisions is None:
        rows = [Row("not available", recording.decisions_fault, severity=Severity.DOUBT)]
    elif not recording.decisions.total:
        rows = [Row("decisions", "none")]
    else:
        rows = _choice_rows(recording.decisions, recording.samples.policy or "unknown")
        note = (
            "By the balancer's record of each decision. A choice is right when no candidate "
            "had a lower (load + 1) / capacity; imbalance is taken among the candidates just after "
            "it."
        )
    return ReportTable("Choices", ("what", "found"), rows, note)


def _choice_rows(records: DecisionRecords, policy: str) -> list[Row]:
    severity = Severity.GOOD
    if records.least_loaded < records.total:
        # Other policies may have reasons for another choice.
        severity = _bad_if(policy == "least-loaded")
    chosen = f"{records.least_loaded:,} of {records.total:,} times, policy {policy}"
    over = f"{records.over_capacity:,} times"
    rows = [
        Row("least loaded chosen", chosen, severity=severity),
        *[
            Row(
                f"decision {example.sequence}",
                f"took {example.chosen} at {example.chosen_score:.3f} though {example.least} was "
                f"at {example.least_score:.3f}",
            )
            for example in records.misjudged
        ],
        *[
            Row(name, imbalance.describe() if imbalance else "none")
            for name, imbalance in (
                ("largest imbalance", records.widest),
                ("largest, by capacity", records.widest_share),
            )
        ],
        Row("sent over capacity", over, severity=_bad_if(records.over_capacity > 0)),
        Row("dispatched again", f"{records.repeated:,} times, after a failed dispatch"),
        Row("longest wait", seconds(records.longest_wait_s)),
    ]
    if not records.complete:
        rows.append(Row("not seen", records.describe_gaps(), severity=Severity.DOUBT))
    return rows


def _reconciliation_table(result: Result) -> ReportTable:
    rows = [
        Row(
            *(finding.check, finding.verdict.value, finding.text),
            severity=_SEVERITY_OF_VERDICT[finding.verdict],
        )
        for finding in result.recording.reconciliation.findings
    ]
    note = "The answers to the vehicles, compared with the grid's ledger, counters and meters."
    return ReportTable("The grid's counters", ("check", "", "finding"), rows, note)
