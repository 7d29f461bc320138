"""What the grid's own counters and the tester's own answers add up to, and what a check found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from load_tester.counters import SiteCounters
from load_tester.vehicle import Charge, Outcome


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
    """What a site's books grew by. `gap` tells what is missing from them; empty when nothing is."""

    charged: float = 0.0
    kwh: float | None = None
    load_before: float = 0.0
    gap: str = ""


@dataclass(slots=True)
class Books:
    """The outcome of all checks."""

    findings: list[Finding] = field(default_factory=list)
    growth: dict[str, Growth] = field(default_factory=dict)  # by the site's address

    @property
    def in_order(self) -> bool:
        """Whether no check found an error."""
        return all(finding.verdict is not Verdict.ERROR for finding in self.findings)

    def add(self, check: str, verdict: Verdict, text: str) -> None:
        """Enter a finding."""
        self.findings.append(Finding(check, verdict, text))


@dataclass(frozen=True, slots=True)
class OwnSide:
    """What the tester itself knows: sessions and kWh that were answered as charged.

    `loose` are tries whose end it does not know: the grid may have charged them or not.
    """

    charged: int
    kwh: float
    loose: int

    @classmethod
    def of(cls, charges: Sequence[Charge]) -> "OwnSide":
        """Add up a run."""
        charged, kwh, loose = 0, 0.0, 0
        for charge in charges:
            loose += charge.unanswered
            if charge.outcome is Outcome.CHARGED:
                charged += 1
                kwh += charge.vehicle.kwh
            else:
                loose += charge.outcome is Outcome.ACCEPTED
                # With a status it was refused, and cut short before its next try.
                loose += charge.outcome is Outcome.CUT_SHORT and charge.status is None
                loose += charge.outcome is Outcome.FAILED and charge.status is not None
        return cls(charged, kwh, loose)


def growth_of(
    before: SiteCounters | None,
    after: SiteCounters | None,
    *,
    known_before: bool,
    began: float,
) -> Growth:
    """Compare a site's books. `began`: the start of the run, seconds since 1970."""
    if after is None:
        return Growth(gap="could not be read at the end")
    if before is None:
        fresh = not known_before and after.started is not None and after.started >= began
        gap = "" if fresh else "could not be read at the start"
        return Growth(after.charged if fresh else 0.0, after.kwh if fresh else None, gap=gap)
    if after.started != before.started or after.charged < before.charged:
        return Growth(after.charged, after.kwh, before.load, "restarted, its counters with it")
    kwh = None if after.kwh is None or before.kwh is None else after.kwh - before.kwh
    return Growth(after.charged - before.charged, kwh, before.load)
