"""Finds the step of a `stress` run at which the service level breaks. Pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from load_tester.vehicle import Charge, Outcome, Stage

_TOLERATED_SHARE = 0.01  # of a p99


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What each step must hold to: seconds at p99 (None: no limit), and vehicles lost."""

    max_p99: float | None = None
    max_p99_delay: float | None = None
    max_lost: int = 0

    def describe(self) -> str:
        """Put it into words."""
        parts = [f"at most {self.max_lost} lost"]
        if self.max_p99 is not None:
            parts.append(f"p99 time to charge at most {self.max_p99:g} s")
        if self.max_p99_delay is not None:
            parts.append(f"p99 delay at most {self.max_p99_delay:g} s")
        return ", ".join(parts)


@dataclass(slots=True)
class _Step:
    due: int = 0
    lost: int = 0
    late: int = 0
    late_by_delay: int = 0


class ServiceWatch:
    """Counts vehicles by the step in which they were due, and tells the first step that broke.

    A p99 breaks for certain once more than 1% of all vehicles of a step were late, so a step can
    fail before its last vehicle has been answered.
    """

    def __init__(self, stages: Sequence[Stage], level: ServiceLevel, due: Sequence[float]) -> None:
        self._stages = stages
        self._starts = [stage.start for stage in stages]
        self.level = level
        self._steps = [_Step() for _ in stages]
        for moment in due:
            self._steps[self._index(moment)].due += 1

    def _index(self, due: float) -> int:
        return max(0, bisect_right(self._starts, due) - 1)

    def observe(self, charge: Charge) -> bool:
        """Count a vehicle that has ended; return whether its step is broken now."""
        index = self._index(charge.due)
        step, level = self._steps[index], self.level
        step.lost += charge.outcome.lost
        if charge.outcome is Outcome.CHARGED:
            delay = charge.delay if charge.delay is not None else charge.time_to_charge
            step.late += level.max_p99 is not None and charge.time_to_charge > level.max_p99
            step.late_by_delay += level.max_p99_delay is not None and delay > level.max_p99_delay
        return self._broken(step) != ""

    def _broken(self, step: _Step) -> str:
        tolerated = math.floor(step.due * _TOLERATED_SHARE)
        if step.lost > self.level.max_lost:
            return f"{step.lost} vehicles lost"
        if step.late > tolerated:
            return f"{step.late} of {step.due} took over {self.level.max_p99:g} s to charge"
        if step.late_by_delay > tolerated:
            return (
                f"{step.late_by_delay} of {step.due} were held up for over "
                f"{self.level.max_p99_delay:g} s"
            )
        return ""

    def first_broken(self) -> tuple[int, str] | None:
        """Return the index of the first broken step and what broke it; None if none did."""
        for index, step in enumerate(self._steps):
            reason = self._broken(step)
            if reason:
                return index, reason
        return None


@dataclass(frozen=True, slots=True)
class Breaking:
    """Where a stress run broke. Rates in vehicles a second; None: not within the run."""

    level: str
    held: float | None
    broke: float | None
    reason: str

    @classmethod
    def from_watch(cls, watch: ServiceWatch, stages: Sequence[Stage]) -> "Breaking":
        """Read off a finished run."""
        found, level = watch.first_broken(), watch.level.describe()
        if found is None:
            return cls(level, stages[-1].rate, None, "no step broke it")
        index, reason = found
        held = stages[index - 1].rate if index else None
        return cls(level, held, stages[index].rate, reason)
