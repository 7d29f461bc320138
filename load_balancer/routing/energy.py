"""The estimate of the power and energy at a substation between two polls. Pure.

It starts from the gauges. The balancer adds the sessions that it dispatches, subtracts those that
end, and lowers the remaining energy by the power drawn.
"""

from dataclasses import dataclass
from math import inf
from typing import Self

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Reading
from load_balancer.routing.prediction import Supply

_SECONDS_PER_HOUR = 3600
# From this share of the limit on, the limit holds the power back.
_NEARLY = 0.999
# Remaining time of a session of which nothing is known, at the full power of its point.
_USUAL_HOURS = 0.5
# Minimum remaining time, at full power. A page may be so old that all energy in it has been
# delivered since, although the vehicles are still there.
_MIN_HOURS = 0.02


@dataclass(eq=False, repr=False, slots=True)
class EnergyEstimate:
    """Power and energy at one substation. Times in seconds of the balancer's clock."""

    point_power_kw: float
    limit_kw: float
    committed_kw: float
    remaining_kwh: float
    _drawable_kw: float
    _hours_per_s: float
    _sessions: int
    _at: float

    @classmethod
    def of(cls, reading: Reading, now: float) -> Self | None:
        """Start with a reading; None if it lacks the values."""
        point_power_kw = reading.point_power_kw
        committed_kw, remaining_kwh = reading.committed_power_kw, reading.remaining_energy_kwh
        if point_power_kw is None or committed_kw is None or remaining_kwh is None:
            return None
        limit_kw = inf if reading.power_limit_kw is None else reading.power_limit_kw
        # The power drawn shows what batteries that are nearly full can take, unless it is limited.
        drawn_kw = reading.power_kw
        if drawn_kw is None or drawn_kw >= _NEARLY * limit_kw:
            drawn_kw = committed_kw
        hours_per_s = reading.time_scale / _SECONDS_PER_HOUR
        return cls(
            point_power_kw,
            limit_kw,
            committed_kw,
            remaining_kwh,
            drawn_kw,
            hours_per_s,
            reading.load,
            now,
        )

    def add(self, demand: Demand, now: float) -> None:
        """Add a session that is dispatched."""
        self._advance(now)
        self._change(1, demand.cap_kw(self.point_power_kw), demand.kwh)

    def remove(self, demand: Demand, share_left: float, now: float) -> None:
        """Subtract a session that ended, and the share of its energy that seemed to be left."""
        self._advance(now)
        self._change(-1, -demand.cap_kw(self.point_power_kw), -share_left * demand.kwh)

    def supply(self, sessions: int, now: float) -> Supply:
        """Return the power and energy there with this many sessions.

        Sessions beyond those counted came from elsewhere since; they are assumed to be average.
        This changes nothing. For a later time it returns the minimum that will remain then.
        """
        committed_kw, remaining_kwh = self.committed_kw, self._left_kwh(now)
        if not self._sessions:
            committed_kw = sessions * self.point_power_kw
            remaining_kwh = _USUAL_HOURS * committed_kw
        elif sessions != self._sessions:
            committed_kw *= sessions / self._sessions
            remaining_kwh *= sessions / self._sessions
        return Supply(
            sessions,
            committed_kw,
            max(remaining_kwh, _MIN_HOURS * committed_kw),
            self.point_power_kw,
            self.limit_kw,
            self._hours_per_s,
        )

    def _change(self, sessions: int, power_kw: float, energy_kwh: float) -> None:
        self._sessions = max(0, self._sessions + sessions)
        self.committed_kw = max(0.0, self.committed_kw + power_kw)
        self._drawable_kw = max(0.0, self._drawable_kw + power_kw)
        self.remaining_kwh = max(0.0, self.remaining_kwh + energy_kwh)

    def _advance(self, now: float) -> None:
        self.remaining_kwh = self._left_kwh(now)
        self._at = max(self._at, now)

    def _left_kwh(self, now: float) -> float:
        if now <= self._at or self.remaining_kwh <= 0.0:
            return self.remaining_kwh
        drawn_kw = max(0.0, min(self._drawable_kw, self.limit_kw))
        return max(0.0, self.remaining_kwh - drawn_kw * (now - self._at) * self._hours_per_s)
