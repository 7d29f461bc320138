"""A vehicle at a point: its demand, its power, its energy. Pure: the clock is passed in."""

from math import inf, log1p, nextafter
from typing import NamedTuple

# Batteries take full power up to this state of charge. From there power falls linearly to a tenth
# when full: the two-stage battery model of ACN-Sim.
_TAPER_FROM = 0.8
_POWER_WHEN_FULL = 0.1
# The taper is approximated in steps that end at these states of charge.
_FULL = 1.0
_ENDS = tuple(percent / 100 for percent in range(81, 101))


class Demand(NamedTuple):
    """What a vehicle asks for, and what is known of its battery."""

    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None  # state of charge, 0 to 1


# A part of a session during which the vehicle's maximum power is constant: the kWh at its end, and
# that power.
_Step = tuple[float, float]


class Charging:
    """A session from plug-in to unplug. Times in seconds of the clock that is passed in.

    It draws the maximum that the vehicle can take at its state of charge, but never more than its
    share of a limit, `share_kw`. While that share is constant its whole course is known, so nothing
    here ticks: energy is computed when it is asked for.
    """

    __slots__ = (
        "_ends",
        "_hours_per_s",
        "_kwh",
        "_peak_kw",
        "_since",
        "_step",
        "_steps",
        "began",
        "demand",
        "max_power_kw",
        "share_kw",
    )

    def __init__(
        self, demand: Demand, point_power_kw: float, now: float, hours_per_s: float
    ) -> None:
        """Plug in.

        Args:
            demand: what the vehicle asks for.
            point_power_kw: maximum power of its point, kW.
            now: the current time.
            hours_per_s: hours of charging per second of the clock.
        """
        reported_kw = demand.max_power_kw
        self.demand = demand
        self.began = now
        self.max_power_kw = (
            point_power_kw if reported_kw is None else min(point_power_kw, reported_kw)
        )
        self.share_kw = inf
        self._hours_per_s = hours_per_s
        self._steps = _steps(demand, point_power_kw)
        # Its state when its share last changed.
        self._since = now
        self._kwh = 0.0
        self._step = 0
        self._peak_kw = 0.0
        self._ends: float | None = None

    def _at(self, now: float) -> tuple[int, float, float]:
        """Return the step, the kWh so far and their time: now, or when charging was complete."""
        step, kwh, since = self._step, self._kwh, self._since
        while step < len(self._steps):
            until_kwh, cap_kw = self._steps[step]
            kwh_per_s = min(cap_kw, self.share_kw) * self._hours_per_s
            over = since + (until_kwh - kwh) / kwh_per_s if kwh_per_s > 0 else inf
            if over > now:
                if now > since:
                    kwh, since = min(until_kwh, kwh + kwh_per_s * (now - since)), now
                break
            step, kwh, since = step + 1, until_kwh, over
        return step, kwh, since

    def advance(self, now: float, share_kw: float | None = None) -> float:
        """Update and return the kWh so far; from now on draw no more than the given share."""
        step, kwh, since = self._at(now)
        if kwh > self._kwh:
            self._peak_kw = max(self._peak_kw, min(self._steps[self._step][1], self.share_kw))
        self._step, self._kwh, self._since = step, kwh, since
        if share_kw is not None:
            self.share_kw, self._ends = share_kw, None
        return kwh

    def amend(self, kwh: float, now: float, point_power_kw: float) -> None:
        """Change the total energy since plug-in at which it ends; that may be at once."""
        got = self.advance(now)
        demand = self.demand
        left = kwh - got
        self.demand = demand._replace(kwh=max(kwh, got))
        self._step, self._ends = 0, None
        if left <= 0:
            self._steps = ()
            return
        # If it was complete, it has drawn nothing since.
        self._since = max(self._since, now)
        soc = demand.soc
        if soc is not None and demand.battery_kwh is not None:
            soc += got / demand.battery_kwh
        steps = _steps(demand._replace(kwh=left, soc=soc), point_power_kw)
        self._steps = (*((got + until, cap) for until, cap in steps[:-1]), (kwh, steps[-1][1]))
        if self.delivered_kwh(now) > got:
            # The change would take no time on the clock: keep the energy received so far.
            self._since = nextafter(self._since, inf)

    def delivered_kwh(self, now: float) -> float:
        """Return the kWh received so far."""
        return self._at(now)[1]

    def remaining_kwh(self, now: float) -> float:
        """Return the kWh still to be delivered."""
        return self.demand.kwh - self._at(now)[1]

    def cap_kw(self, now: float) -> float:
        """Return the maximum power at its state of charge, kW; 0 once it is complete."""
        step = self._at(now)[0]
        return self._steps[step][1] if step < len(self._steps) else 0.0

    def power_kw(self, now: float) -> float:
        """Return the power that it draws, kW."""
        return min(self.cap_kw(now), self.share_kw)

    @property
    def ends(self) -> float:
        """When it will be complete, or was, if its share stays the same."""
        if self._ends is None:
            self._ends = self._at(inf)[2]
        return self._ends

    @property
    def cap_changes(self) -> float:
        """When its current step ends, computed from the last update."""
        if self._step == len(self._steps):
            return inf
        until_kwh, cap_kw = self._steps[self._step]
        kwh_per_s = min(cap_kw, self.share_kw) * self._hours_per_s
        return self._since + (until_kwh - self._kwh) / kwh_per_s if kwh_per_s > 0 else inf

    @property
    def mean_power_kw(self) -> float:
        """Mean power from plug-in to the last update, kW."""
        hours = (self._since - self.began) * self._hours_per_s
        return min(self._kwh / hours, self._peak_kw) if hours > 0 else self._peak_kw

    @property
    def peak_power_kw(self) -> float:
        """Peak power up to the last update, kW."""
        return self._peak_kw


def _steps(demand: Demand, point_power_kw: float) -> tuple[_Step, ...]:
    """Divide a session into steps: a single one at full power if its battery is unknown."""
    if demand.battery_kwh is None or demand.soc is None:
        reported_kw = demand.max_power_kw
        return (
            (
                demand.kwh,
                point_power_kw if reported_kw is None else min(point_power_kw, reported_kw),
            ),
        )
    return _taper(demand, demand.battery_kwh, demand.soc, point_power_kw)


def _taper(
    demand: Demand, battery_kwh: float, soc: float, point_power_kw: float
) -> tuple[_Step, ...]:
    """Divide a session into steps.

    Each step of the taper has the logarithmic mean of the powers at its ends. Charging alone, the
    vehicle then reaches the end of each step exactly when it would with linearly falling power.
    """
    full_kw = point_power_kw if demand.max_power_kw is None else demand.max_power_kw
    slope_kw = full_kw * (1 - _POWER_WHEN_FULL) / (_FULL - _TAPER_FROM)  # per state of charge
    # If the point limits the power, the taper starts at a higher state of charge.
    bend = _TAPER_FROM + max(0.0, full_kw - point_power_kw) / slope_kw

    def mean_kw(low: float, high: float) -> float:
        most_kw = min(full_kw, point_power_kw)
        if high <= bend:
            return most_kw
        ends_kw = [full_kw - (min(end, _FULL) - _TAPER_FROM) * slope_kw for end in (low, high)]
        falls_kw = ends_kw[0] - ends_kw[1]
        return min(most_kw, falls_kw / log1p(falls_kw / ends_kw[1]) if falls_kw > 0 else ends_kw[0])

    steps = []
    low = soc
    for end in (bend, *_ENDS):
        until_kwh = (end - soc) * battery_kwh
        if until_kwh >= demand.kwh:
            break
        if end > low:
            steps.append((until_kwh, mean_kw(low, end)))
            low = end
    return (*steps, (demand.kwh, mean_kw(low, soc + demand.kwh / battery_kwh)))
