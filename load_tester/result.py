"""The summary of a finished run: what the tables, the page and the JSON show. Pure."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from load_tester.latency import Spread, Window, window_of, windows, worst_windows
from load_tester.limits import Breaking, Thresholds
from load_tester.options import Options
from load_tester.power import Point, PowerReport, report_power
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Reconciliation
from load_tester.substation import GridSamples, SubstationReport, report_substations
from load_tester.vehicle import Charge, Outcome, Plan, Stage

FORMAT = "load_tester/1"
_MAX_REASONS = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """The tester's own cost, to tell a slow tester from a slow grid."""

    wall_s: float
    cpu_s: float
    lag: Spread | None  # how late vehicles were sent


@dataclass(slots=True)
class Recording:
    """The results of a run; a part is None if it could not be read."""

    plan: Plan
    charges: Sequence[Charge]
    samples: GridSamples
    decisions: DecisionRecords | None
    decisions_fault: str  # why there are no decisions
    reconciliation: Reconciliation
    breaking: Breaking | None
    cost: Cost
    options: Options
    began: datetime
    points: Sequence[Point] = ()  # one of each kind; empty: unknown
    interrupted: bool = False

    @property
    def stopped(self) -> bool:
        """Whether the tester was told to stop: by a signal, or by a stress run that broke."""
        return self.interrupted or (self.breaking is not None and self.breaking.broke is not None)

    @property
    def setting(self) -> dict[str, Any]:
        """The parameters of the run, as in the JSON."""
        options = self.options
        return {
            "url": options.url,
            "seed": options.seed,
            "began": self.began.isoformat(timespec="seconds"),
            "thresholds": Thresholds.of(options),
            "patience": options.patience,
            "idempotent": options.idempotent,
            "respond_async": options.respond_async,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """The summary of a run."""

    recording: Recording
    outcomes: Counter[Outcome]
    answers: Counter[str]
    reasons: list[tuple[str, int]]
    retries: int
    time_to_charge: Spread | None
    delay: Spread | None
    power: PowerReport | None
    substations: list[SubstationReport]
    windows: list[Window]
    worst: list[Window]
    stages: list[tuple[Stage, Window]]
    missed: tuple[str, ...]

    @property
    def lost(self) -> int:
        """Vehicles that the grid failed."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.lost)

    @property
    def unsent(self) -> int:
        """Vehicles that were planned but not sent."""
        return len(self.recording.plan.vehicles) - len(self.recording.charges)

    @property
    def passed(self) -> bool:
        """Whether every threshold was met and the grid's counters agree."""
        return not self.missed and self.recording.reconciliation.in_order

    @property
    def end(self) -> float:
        """When the last vehicle was done, seconds after the start."""
        return max((charge.ended for charge in self.recording.charges), default=0.0)

    @property
    def done(self) -> int:
        """Vehicles charged or accepted."""
        return self.outcomes[Outcome.CHARGED] + self.outcomes[Outcome.ACCEPTED]

    @property
    def rate(self) -> float:
        """Vehicles charged or accepted per second, from the first due to the last done."""
        return self.done / self.end if self.end else 0.0

    @property
    def verdict(self) -> str:
        """The run in one line."""
        text = f"{self.done:,} of {len(self.recording.charges):,} vehicles charged"
        if self.outcomes[Outcome.ACCEPTED]:
            text += f" ({self.outcomes[Outcome.ACCEPTED]:,} of them accepted, charging on)"
        if self.lost:
            text += f", {self.lost:,} lost"
        if self.outcomes[Outcome.CUT_SHORT]:
            text += f", {self.outcomes[Outcome.CUT_SHORT]:,} cut short"
        if self.recording.interrupted:
            text += f", {self.unsent:,} not sent: interrupted"
        return text


def sum_up(recording: Recording) -> Result:
    """Summarize a run."""
    charges = recording.charges
    charged = [charge for charge in charges if charge.outcome is Outcome.CHARGED]
    outcomes = Counter(charge.outcome for charge in charges)
    reasons = Counter(charge.reason for charge in charges if charge.reason)
    whole, cut = window_of(charges, 0.0, recording.plan.duration), windows(charges)
    return Result(
        recording,
        outcomes,
        Counter(_answer(charge) for charge in charges),
        reasons.most_common(_MAX_REASONS),
        sum(charge.tries - 1 for charge in charges),
        whole.time_to_charge,
        whole.delay,
        report_power(charged, recording.points),
        report_substations(
            charges, recording.samples, recording.decisions, recording.reconciliation
        ),
        cut,
        worst_windows(cut),
        _stages(recording),
        tuple(_missed(recording, whole, outcomes[Outcome.CUT_SHORT])),
    )


def _answer(charge: Charge) -> str:
    if charge.status is not None:
        return str(charge.status)
    return "cut short" if charge.outcome is Outcome.CUT_SHORT else "no answer"


def _stages(recording: Recording) -> list[tuple[Stage, Window]]:
    rows = []
    for stage in recording.plan.stages:
        due = [charge for charge in recording.charges if stage.start <= charge.due < stage.end]
        if due:
            rows.append((stage, window_of(due, stage.start, stage.end)))
    return rows


def _missed(recording: Recording, whole: Window, cut_short: int) -> Iterator[str]:
    """Yield why the run does not pass, but for the grid's counters."""
    thresholds = Thresholds.of(recording.options)
    if cut_short and not recording.stopped:
        yield f"{cut_short:,} vehicles have no outcome though nobody stopped the run"
    if recording.breaking is None:
        yield from thresholds.missed(whole.lost, whole.time_to_charge, whole.delay)
        return
    # A stress run is expected to break; the question is at which rate.
    wanted, held = thresholds.min_rate, recording.breaking.held or 0.0
    if wanted is not None and held < wanted:
        yield f"the service level held up to {held:g} vehicles a second; {wanted:g} are wanted"


def as_json(result: Result) -> dict[str, Any]:
    """Return the run as JSON; docs/load-testing.md explains each field."""
    recording, plan, cost = result.recording, result.recording.plan, result.recording.cost
    document: dict[str, Any] = _plain(
        {
            "format": FORMAT,
            "verdict": result.verdict,
            "passed": result.passed,
            "interrupted": recording.interrupted,
            "missed": result.missed,
            "setting": recording.setting,
            "scenario": {
                "name": plan.scenario,
                "summary": plan.summary,
                "notes": plan.notes,
                "vehicles": len(plan.vehicles),
                "kwh": round(plan.total_kwh, 3),
                "arrivals_s": plan.duration,
            },
            "vehicles": {
                "sent": len(recording.charges),
                "unsent": result.unsent,
                **{outcome.replace(" ", "_"): result.outcomes[outcome] for outcome in Outcome},
                "lost": result.lost,
                "retries": result.retries,
                "replayed": sum(charge.replayed for charge in recording.charges),
            },
            "answers": dict(sorted(result.answers.items())),
            "reasons": [{"reason": reason, "vehicles": count} for reason, count in result.reasons],
            "end_s": result.end,
            "rate_per_s": result.rate,
            "time_to_charge_s": result.time_to_charge,
            "delay_s": result.delay,
            "power": result.power,
            "sites": result.substations,
            "grid": {
                "policy": recording.samples.policy,
                "peak_waiting": recording.samples.peak_waiting,
            },
            "choices": _choices(recording.decisions, recording.decisions_fault),
            "books": {
                "in_order": recording.reconciliation.in_order,
                "findings": recording.reconciliation.findings,
            },
            "stress": recording.breaking,
            "stages": [
                {"stage": stage, **dataclasses.asdict(window)} for stage, window in result.stages
            ],
            "windows": result.windows,
            "tester": {
                "wall_s": cost.wall_s,
                "cpu_s": cost.cpu_s,
                "cpu_per_vehicle_s": cost.cpu_s / max(1, len(recording.charges)),
                "lag_s": cost.lag,
            },
        }
    )
    return document


def _plain(value: Any) -> Any:
    """Return the value with dicts in place of dataclasses, and lists in place of tuples."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return [*map(_plain, value)] if isinstance(value, (list, tuple)) else value


def _choices(records: DecisionRecords | None, fault: str) -> dict[str, Any]:
    if records is None:
        return {"available": False, "reason": fault}
    return {
        "available": True,
        "decisions": records.total,
        "least_loaded": records.least_loaded,
        "not_least_loaded": records.total - records.least_loaded,
        "examples": records.misjudged,
        "policies": records.policies,
        "chosen": records.chosen,
        "peak_load": {name: load for name, (load, _) in records.peaks.items()},
        "over_capacity": records.over_capacity,
        "repeated_dispatches": records.repeated,
        "largest_imbalance": records.widest,
        "largest_imbalance_points": records.widest_share,
        "foreign_sessions": len(records.foreign),
        "missed": records.missed,
        "unreadable": records.unreadable,
        "balancer_restarts": records.restarts,
    }
