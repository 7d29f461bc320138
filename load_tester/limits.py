"""A run's thresholds, and the step of a `stress` run at which they break. Pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from load_tester.latency import Spread
from load_tester.vehicle import Charge, Outcome, Stage

_TOLERATED_SHARE = 0.01  # of a p99


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits in seconds and vehicles; None: no limit. `min_rate` applies to stress only.

    A run must meet them for exit status 0. In a stress run each step is checked, and `min_rate` is
    the rate up to which all must meet them.
    """

    max_lost: int = 0
    max_p99: float | None = None
    max_p99_delay: float | None = None
    min_rate: float | None = None

    def missed(
        self, lost: int, time_to_charge: Spread | None, delay: Spread | None
    ) -> tuple[str, ...]:
        """Return a line for each limit that was exceeded."""
        lines = []
        if lost > self.max_lost:
            lines.append(f"{lost:,} vehicles lost; at most {self.max_lost:,} may be")
        for limit, spread, what in (
            (self.max_p99, time_to_charge, "time to charge"),
            (self.max_p99_delay, delay, "delay"),
        ):
            if limit is None:
                continue
            if spread is None:
                lines.append(f"no {what} to hold against {limit:g} s: no vehicle was charged")
            elif spread.p99 > limit:
                lines.append(f"p99 {what} {spread.p99:.2f} s; at most {limit:g} s")
        return tuple(lines)

    def describe(self) -> str:
        """Describe the limits of each step of a stress run."""
        parts = [f"at most {self.max_lost} lost"]
        if self.max_p99 is not None:
            parts.append(f"p99 time to charge at most {self.max_p99:g} s")
        if self.max_p99_delay is not None:
            parts.append(f"p99 delay at most {self.max_p99_delay:g} s")
        return ", ".join(parts)


@dataclass(slots=True)
class _Step:
    due: int = 0
    ended: int = 0  # without those that the tester cut short
    lost: int = 0
    late: int = 0
    late_by_delay: int = 0


class ServiceWatch:
    """Counts vehicles by the step in which they were due, and finds the first step that broke.

    A p99 is certainly exceeded once more than 1% of a step's vehicles were late, so a step can fail
    before its last vehicle has a response.
    """

    def __init__(self, stages: Sequence[Stage], level: Thresholds, due: Sequence[float]) -> None:
        self._stages = stages
        self._starts = [stage.start for stage in stages]
        self.level = level
        self._steps = [_Step() for _ in stages]
        for moment in due:
            self._steps[self._index(moment)].due += 1

    def _index(self, due: float) -> int:
        return max(0, bisect_right(self._starts, due) - 1)

    def observe(self, charge: Charge) -> bool:
        """Count a vehicle that has ended; return whether its step has broken."""
        index = self._index(charge.due)
        step, level = self._steps[index], self.level
        step.ended += charge.outcome is not Outcome.CUT_SHORT
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
                f"{step.late_by_delay} of {step.due} were delayed by over "
                f"{self.level.max_p99_delay:g} s"
            )
        return ""

    def finished(self) -> int:
        """Return how many steps, starting with the first, have seen all their vehicles end."""
        ends = (index for index, step in enumerate(self._steps) if step.ended < step.due)
        return next(ends, len(self._steps))

    def first_broken(self) -> tuple[int, str] | None:
        """Return the index of the first broken step and why it broke; None if none did."""
        for index, step in enumerate(self._steps):
            reason = self._broken(step)
            if reason:
                return index, reason
        return None


@dataclass(frozen=True, slots=True)
class Breaking:
    """Where a stress run broke. Rates in vehicles per second; None: not within the run."""

    level: str
    held: float | None
    broke: float | None
    reason: str

    @classmethod
    def from_watch(cls, watch: ServiceWatch, stages: Sequence[Stage]) -> "Breaking":
        """Return the result of a finished run."""
        found, level = watch.first_broken(), watch.level.describe()
        if found is None:
            finished = watch.finished()
            held = stages[finished - 1].rate if finished else None
            whole = finished == len(stages)
            return cls(
                level, held, None, "no step broke it" if whole else "stopped before it broke"
            )
        index, reason = found
        held = stages[index - 1].rate if index else None
        return cls(level, held, stages[index].rate, reason)
