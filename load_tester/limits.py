"""A run's thresholds, and the step of a `stress` run at which they break. Pure."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from load_tester.latency import Spread
from load_tester.options import Options
from load_tester.vehicle import Charge, Outcome, Stage

_TOLERATED_SHARE = 0.01  # of a p99
_TIME, _DELAY = "time to charge", "delay"


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

    @classmethod
    def of(cls, options: Options) -> "Thresholds":
        """Return those of the options."""
        return cls(options.max_lost, options.max_p99, options.max_p99_delay, options.min_rate)

    def p99s(self) -> Iterator[tuple[str, float]]:
        """Yield the limits that are set, with what they limit."""
        for what, limit in ((_TIME, self.max_p99), (_DELAY, self.max_p99_delay)):
            if limit is not None:
                yield what, limit

    def missed(
        self, lost: int, time_to_charge: Spread | None, delay: Spread | None
    ) -> tuple[str, ...]:
        """Return a line for each limit that was exceeded."""
        lines = []
        if lost > self.max_lost:
            lines.append(f"{lost:,} vehicles lost; at most {self.max_lost:,} may be")
        for what, limit in self.p99s():
            spread = time_to_charge if what == _TIME else delay
            if spread is None:
                lines.append(f"no {what} to hold against {limit:g} s: no vehicle was charged")
            elif spread.p99 > limit:
                lines.append(f"p99 {what} {spread.p99:.2f} s; at most {limit:g} s")
        return tuple(lines)

    def describe(self) -> str:
        """Describe the limits of each step of a stress run."""
        p99s = [f"p99 {what} at most {limit:g} s" for what, limit in self.p99s()]
        return ", ".join([f"at most {self.max_lost} lost", *p99s])


@dataclass(slots=True)
class _Step:
    due: int = 0
    ended: int = 0  # without those that the tester cut short
    lost: int = 0
    late: dict[str, int] = field(default_factory=lambda: {_TIME: 0, _DELAY: 0})


class ServiceWatch:
    """Counts vehicles by the step in which they were due, and finds the first step that broke.

    A p99 is certainly exceeded once more than 1% of a step's vehicles were late, so a step can fail
    before its last vehicle has a response.
    """

    def __init__(self, stages: Sequence[Stage], level: Thresholds, due: Sequence[float]) -> None:
        self._starts = [stage.start for stage in stages]
        self.level = level
        self._steps = [_Step() for _ in stages]
        for moment in due:
            self._step(moment).due += 1

    def _step(self, due: float) -> _Step:
        return self._steps[max(0, bisect_right(self._starts, due) - 1)]

    def observe(self, charge: Charge) -> bool:
        """Count a vehicle that has ended; return whether its step has broken."""
        step = self._step(charge.due)
        step.ended += charge.outcome is not Outcome.CUT_SHORT
        step.lost += charge.outcome.lost
        if charge.outcome is Outcome.CHARGED:
            took = charge.time_to_charge
            delay = took if charge.delay is None else charge.delay
            for what, limit in self.level.p99s():
                step.late[what] += (took if what == _TIME else delay) > limit
        return self._broken(step) != ""

    def _broken(self, step: _Step) -> str:
        if step.lost > self.level.max_lost:
            return f"{step.lost} vehicles lost"
        for what, limit in self.level.p99s():
            if step.late[what] > math.floor(step.due * _TOLERATED_SHARE):
                late = f"{step.late[what]} of {step.due}"
                if what == _TIME:
                    return f"{late} took over {limit:g} s to charge"
                return f"{late} were delayed by over {limit:g} s"
        return ""

    def finished(self) -> int:
        """Return how many steps, starting with the first, have seen all their vehicles end."""
        ends = (index for index, step in enumerate(self._steps) if step.ended < step.due)
        return next(ends, len(self._steps))

    def first_broken(self) -> tuple[int, str] | None:
        """Return the index of the first broken step and why it broke; None if none did."""
        broken = ((index, self._broken(step)) for index, step in enumerate(self._steps))
        return next(((index, reason) for index, reason in broken if reason), None)


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
        found = watch.first_broken()
        rates: list[float | None] = [None, *(stage.rate for stage in stages)]
        if found is None:
            held = watch.finished()
            reason = "no step broke it" if held == len(stages) else "stopped before it broke"
            return cls(watch.level.describe(), rates[held], None, reason)
        held, reason = found
        return cls(watch.level.describe(), rates[held], rates[held + 1], reason)
