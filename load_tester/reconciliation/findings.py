"""Sums of the grid's counters and of the responses, and the results of checks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from load_tester.reconciliation.counters import SubstationCounters
from load_tester.vehicle import Charge, Outcome

RELATIVE_TOLERANCE = 1e-6  # for sums of floats in a long-lived counter


class Verdict(StrEnum):
    """The result of a check."""

    OK = "ok"
    NOTE = "note"  # worth knowing, not an error
    UNKNOWN = "not checked"
    ERROR = "error"


OK, NOTE, UNKNOWN, ERROR = Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and its result in words."""

    check: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class Growth:
    """How much a substation's counters grew.

    `gap` says what is missing; empty if nothing is.
    """

    charged: float = 0.0
    kwh: float | None = None
    load_before: float = 0.0
    gap: str = ""
    metered_kwh: float | None = None  # by its meter, which survives restarts


@dataclass(slots=True)
class Reconciliation:
    """The results of all checks."""

    findings: list[Finding] = field(default_factory=list)
    growth: dict[str, Growth] = field(default_factory=dict)  # by the substation's address
    ledger_kwh: Mapping[str, float] = field(default_factory=dict)  # by the substation's name

    @property
    def in_order(self) -> bool:
        """Whether no check found an error."""
        return all(finding.verdict is not Verdict.ERROR for finding in self.findings)


@dataclass(slots=True)
class OwnSide:
    """What the tester itself knows: the sessions and kWh that were reported as charged.

    `loose` are tries with unknown end, which the grid may or may not have charged. `partial` are
    sessions that no single attempt delivered completely: in several legs, or stopped.
    """

    charged: int = 0
    kwh: float = 0.0
    loose: int = 0
    # Of charged vehicles, beyond one attempt each: substations may count them, too. Energy that a
    # lost substation may have delivered is charged last, so the last leg may be two attempts.
    further_legs: int = 0
    partial: int = 0
    answers: int = 0  # responses with status 200
    replayed: int = 0  # of them, those that the gateway had sent before

    @classmethod
    def of(cls, charges: Sequence[Charge], substations: Collection[str | None] = ()) -> "OwnSide":
        """Sum up a run; only what was charged at `substations`, if given."""
        own = cls()
        for charge in charges:
            own._add(charge, substations)
        return own

    def _add(self, charge: Charge, substations: Collection[str | None]) -> None:
        energies = charge.answered_kwh
        here = [energies[name] for name in energies if not substations or name in substations]
        self.kwh += sum(here)
        if charge.status == 200 and charge.outcome in (Outcome.CHARGED, Outcome.STOPPED):
            self.answers += 1
            self.replayed += charge.replayed
        if charge.outcome is Outcome.CHARGED:
            ended_here = not substations or charge.substation in substations
            moved = len(charge.energies) > 1 or charge.attempts > 1
            self.charged += ended_here
            self.further_legs += max(0, len(here) - ended_here) + (moved and ended_here)
            self.partial += moved
        else:
            self.partial += bool(charge.energies)
        self.loose += charge.unanswered + charge.end_unknown


def growth_of(
    before: SubstationCounters | None,
    after: SubstationCounters | None,
    *,
    known_before: bool,
    began: float,
) -> Growth:
    """Compare a substation's counters. `began`: start of the run, seconds since 1970."""
    if after is None:
        return Growth(gap="could not be read at the end")
    if before is None:
        fresh = not known_before and after.started is not None and after.started >= began
        gap = "" if fresh else "could not be read at the start"
        return Growth(after.charged if fresh else 0.0, after.kwh if fresh else None, gap=gap)
    metered = _grown(before.meter_kwh, after.meter_kwh)
    if metered is not None and metered < 0:  # the meter restarted from 0
        metered = None
    if after.started != before.started or after.charged < before.charged:
        gap = "restarted, its counters with it"
        return Growth(after.charged, after.kwh, before.load, gap, metered)
    kwh = _grown(before.kwh, after.kwh)
    return Growth(after.charged - before.charged, kwh, before.load, "", metered)


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
