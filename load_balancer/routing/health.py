"""What polls find at a substation, its health, and when to poll it again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from math import inf
from random import Random

# First pause while vehicles wait and the substation does not respond, in intervals between polls.
_URGENT_INTERVALS = 0.25
# Age up to which a gauge is trusted, in intervals between polls.
_TRUST_INTERVALS = 3


class Health(StrEnum):
    """Whether a substation can be given vehicles."""

    UNKNOWN = "unknown"  # not polled yet
    UP = "up"
    DRAINING = "draining"  # finishes what it has
    DOWN = "down"  # ejected; probed until its gauge can be read again

    @property
    def responds(self) -> bool:
        """Whether the last poll was answered, so that what it found still holds."""
        return self not in (Health.UNKNOWN, Health.DOWN)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one poll of a substation's metrics page found."""

    load: int
    capacity: int
    draining: bool = False
    power_kw: float | None = None  # drawn now
    power_limit_kw: float | None = None
    point_power_kw: float | None = None  # maximum of one point
    committed_power_kw: float | None = None  # that its vehicles could draw
    remaining_energy_kwh: float | None = None  # still to be delivered to its vehicles
    time_scale: float = 1.0  # how many times faster than real time vehicles charge


@dataclass(frozen=True)
class HealthCheck:
    """When substations are polled, trusted and given up. Times in seconds."""

    interval_s: float = 0.5  # between polls of a healthy substation
    misses: int = 2  # consecutive polls without a response after which a substation is lost
    max_pause_s: float = 2  # between probes of an ejected substation
    polls_per_s: float = inf  # maximum, of all substations together
    min_pause_s: float = 0  # between polls of one substation, however urgent

    @cached_property  # each choice reads it for each substation
    def trust_s(self) -> float:
        """Age up to which a gauge is trusted."""
        return self.interval_s * _TRUST_INTERVALS

    def among(self, substations: int) -> HealthCheck:
        """Return the health check for this many substations, which may have longer intervals."""
        pause_s = substations / self.polls_per_s
        if pause_s <= self.interval_s:
            return self
        return replace(self, interval_s=pause_s, min_pause_s=pause_s)


@dataclass(eq=False, repr=False, slots=True)
class FailureCounts:
    """The recent failures of one substation, which decide when it is polled again."""

    misses: int = 0  # consecutive polls without a response
    ejections: int = 0  # with a vehicle there, since it last charged one
    probes: int = 0  # that failed since it was ejected

    def pause_s(
        self, health_check: HealthCheck, random: Random, *, is_down: bool, urgent: bool
    ) -> float:
        """Return the time until the next poll, seconds.

        It is the interval while the substation is healthy, none after a first miss, and grows with
        failed probes. It has a jitter, so that balancers do not poll in step, nor probe a starting
        substation all at once.

        Args:
            health_check: the usual intervals.
            random: the source of the jitter.
            is_down: whether the substation is ejected.
            urgent: whether vehicles wait that it might take. Then pauses do not grow with failed
                probes, and are short if it does not respond at all, because such a probe costs it
                nothing. They still grow each time that it came back and failed its vehicles.
        """
        if not is_down:
            if self.misses:
                # Of thousands of substations, hundreds may have missed at once: spread their polls.
                spread_s = health_check.min_pause_s / 2
                return spread_s and random.uniform(0.0, spread_s)
            return health_check.interval_s * random.uniform(0.9, 1.1)
        tries = max(self.ejections - 1, 0 if urgent else self.probes)
        first_s = health_check.interval_s * (_URGENT_INTERVALS if urgent and self.misses else 1)
        pause_s = min(health_check.max_pause_s, first_s * 2.0 ** min(tries, 30))
        return max(health_check.min_pause_s, pause_s * random.uniform(0.5, 1.0))
