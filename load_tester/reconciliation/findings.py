"""What the grid's own counters and the tester's own answers add up to, and what a check found."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from load_tester.reconciliation.counters import SubstationCounters
from load_tester.vehicle import Charge, Outcome

RELATIVE_TOLERANCE = 1e-6  # of sums of floats over a long-lived counter


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  # worth knowing, nobody's fault
    UNKNOWN = "not checked"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and its outcome in words."""

    check: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class Growth:
    """What a substation's counters grew by.

    `gap` tells what is missing from them; empty when nothing is.
    """

    charged: float = 0.0
    kwh: float | None = None
    load_before: float = 0.0
    gap: str = ""
    metered_kwh: float | None = None  # by its meter, which outlives its process


@dataclass(slots=True)
class Reconciliation:
    """The outcome of all checks."""

    findings: list[Finding] = field(default_factory=list)
    growth: dict[str, Growth] = field(default_factory=dict)  # by the substation's address
    ledger_kwh: Mapping[str, float] = field(default_factory=dict)  # by the substation's name

    @property
    def in_order(self) -> bool:
        """Whether no check found an error."""
        return all(finding.verdict is not Verdict.ERROR for finding in self.findings)

    def add(self, check: str, verdict: Verdict, text: str) -> None:
        """Enter a finding."""
        self.findings.append(Finding(check, verdict, text))


@dataclass(frozen=True, slots=True)
class OwnSide:
    """What the tester itself knows: sessions that were answered as charged, and kWh as answered.

    `loose` are tries whose end it does not know: the grid may have charged them or not. `partial`
    are sessions of which no single attempt has all: in several legs, or stopped.
    """

    charged: int
    kwh: float
    loose: int
    # Of charged vehicles, beside one attempt each: a substation may count them too. What a lost
    # substation may have delivered is charged last, so the last leg may be two attempts.
    further_legs: int = 0
    partial: int = 0
    answers: int = 0  # with status 200
    replayed: int = 0  # with one that the gateway had given before

    @classmethod
    def of(cls, charges: Sequence[Charge], substations: Collection[str | None] = ()) -> "OwnSide":
        """Add up a run; what was charged at some `substations` alone, where these are given."""
        charged, kwh, loose, further_legs, partial, answers, replayed = 0, 0.0, 0, 0, 0, 0, 0
        for charge in charges:
            loose += charge.unanswered
            here = {
                substation: part
                for substation, part in charge.answered_kwh.items()
                if not substations or substation in substations
            }
            kwh += sum(here.values())
            if charge.status == 200 and charge.outcome in (Outcome.CHARGED, Outcome.STOPPED):
                answers, replayed = answers + 1, replayed + charge.replayed
            if charge.outcome is Outcome.CHARGED:
                ended_here = not substations or charge.substation in substations
                charged += ended_here
                moved = len(charge.energies) > 1 or charge.attempts > 1
                further_legs += max(0, len(here) - ended_here) + (moved and ended_here)
                partial += moved
            else:
                partial += bool(charge.energies)
                loose += charge.outcome is Outcome.ACCEPTED
                # With another status it was refused, and cut short before its next try.
                loose += charge.outcome is Outcome.CUT_SHORT and charge.status in (None, 202)
                loose += charge.outcome is Outcome.FAILED and charge.status is not None
        return cls(charged, kwh, loose, further_legs, partial, answers, replayed)


def growth_of(
    before: SubstationCounters | None,
    after: SubstationCounters | None,
    *,
    known_before: bool,
    began: float,
) -> Growth:
    """Compare a substation's counters. `began`: the start of the run, seconds since 1970."""
    if after is None:
        return Growth(gap="could not be read at the end")
    if before is None:
        fresh = not known_before and after.started is not None and after.started >= began
        gap = "" if fresh else "could not be read at the start"
        return Growth(after.charged if fresh else 0.0, after.kwh if fresh else None, gap=gap)
    metered = _grown(before.meter_kwh, after.meter_kwh)
    if metered is not None and metered < 0:  # it began anew
        metered = None
    if after.started != before.started or after.charged < before.charged:
        gap = "restarted, its counters with it"
        return Growth(after.charged, after.kwh, before.load, gap, metered)
    kwh = _grown(before.kwh, after.kwh)
    return Growth(after.charged - before.charged, kwh, before.load, "", metered)


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
