"""What a run must hold to for exit status 0. Pure."""

from dataclasses import dataclass

from load_tester.latency import Spread


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits in seconds and vehicles; None: no limit. `min_rate` is for stress alone."""

    max_lost: int = 0
    max_p99: float | None = None
    max_p99_delay: float | None = None
    min_rate: float | None = None

    def missed(
        self, lost: int, time_to_charge: Spread | None, delay: Spread | None
    ) -> tuple[str, ...]:
        """Return a line for each limit that was not held."""
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
