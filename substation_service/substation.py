"""The substation itself: its points, its power, the energy it has delivered.

Pure: the clock is passed in.
"""

from collections.abc import Sequence
from enum import StrEnum
from math import fsum, inf, isfinite

from substation_service.charging import Charging, Demand
from substation_service.power import ALLOCATIONS, Sharing

__all__ = ["Charging", "Demand", "Outcome", "Sharing", "Substation", "SubstationFull"]

_SECONDS_PER_HOUR = 3600


class Outcome(StrEnum):
    """How a vehicle's attempt at the substation ended."""

    CHARGED = "charged"  # received all that it asked for
    ABORTED = "aborted"  # left, or was moved elsewhere, before that
    REFUSED = "refused"  # never plugged in: the substation was full

    __hash__ = str.__hash__  # the hash of an Enum takes ten times as long


class SubstationFull(Exception):
    """All points are taken; `free_in_s` is when one frees at the current powers, seconds."""

    def __init__(self, capacity: int, free_in_s: float) -> None:
        super().__init__(f"all {capacity} charging points are taken")
        self.free_in_s = free_in_s


class Substation:
    """A number of charging points of equal power under one power limit.

    While the limit exceeds the power that its vehicles can draw, each charges at its own pace.
    Otherwise they share it, and the substation advances from event to event: a plug-in, an end, a
    vehicle whose power falls because its battery fills, a change of the limit. Between two events
    every power is constant.

    Times in seconds of the clock that is passed in; a clock that goes back counts as standing
    still. Not thread-safe; under gevent no method yields to another greenlet.
    """

    def __init__(
        self,
        points: int,
        point_power_kw: float,
        power_limit_kw: float | None = None,
        sharing: Sharing = Sharing.FIRST_COME,
        time_scale: float = 1.0,
    ) -> None:
        """Create a substation without vehicles.

        Args:
            points: how many vehicles can charge at once.
            point_power_kw: maximum power of one point, kW.
            power_limit_kw: maximum power of all together, kW; None: the sum of all points.
            sharing: how sessions share the limit.
            time_scale: charging speed relative to the clock.
        """
        self.capacity = points
        self.point_power_kw = point_power_kw
        self.time_scale = time_scale
        self.power_limit_kw = points * point_power_kw if power_limit_kw is None else power_limit_kw
        self.standing_limit_kw = self.power_limit_kw  # returns when a temporary limit ends
        self.limit_ends = inf
        self.limits_ended = 0
        self.energy_delivered_kwh = {Outcome.CHARGED: 0.0, Outcome.ABORTED: 0.0}
        self.sessions = dict.fromkeys(Outcome, 0)
        self._hours_per_s = time_scale / _SECONDS_PER_HOUR
        self._allocate = ALLOCATIONS[sharing]
        self._now = -inf
        self._charging: dict[Charging, None] = {}  # in order of plug-in
        self._shares = False  # whether the limit is below what the vehicles could draw
        self._next_change = (
            inf  # when the powers next change on their own in a way that affects others
        )

    @property
    def load(self) -> int:
        """Number of plugged-in vehicles."""
        return len(self._charging)

    @property
    def is_shared(self) -> bool:
        """Whether the limit slows vehicles, so that the end of one depends on the others."""
        return self._shares

    @property
    def power_kw(self) -> float:
        """Power drawn when the substation last advanced, kW; never over the limit."""
        return fsum(charging.power_kw(self._now) for charging in self._charging)

    @property
    def committed_power_kw(self) -> float:
        """Power that the plugged-in vehicles could draw with empty batteries and no limit, kW."""
        return fsum(charging.max_power_kw for charging in self._charging)

    def remaining_energy_kwh(self, now: float) -> float:
        """Return the energy still to be delivered to the plugged-in vehicles, kWh."""
        self.advance(now)
        return fsum(charging.remaining_kwh(self._now) for charging in self._charging)

    def plug_in(self, demand: Demand, now: float) -> Charging:
        """Plug a vehicle in: the check for a free point and the count are one step.

        Raises:
            SubstationFull: no point is free.
        """
        self.advance(now)
        if len(self._charging) >= self.capacity:
            self.sessions[Outcome.REFUSED] += 1
            next_free = min(charging.ends for charging in self._charging)
            raise SubstationFull(self.capacity, max(0.0, next_free - self._now))
        charging = Charging(demand, self.point_power_kw, self._now, self._hours_per_s)
        self._charging[charging] = None
        if self.load * self.point_power_kw > self.power_limit_kw:
            charging.advance(self._now, 0.0)  # until the others give way
            self._share()
        return charging

    def unplug(self, charging: Charging, now: float, outcome: Outcome) -> float:
        """Unplug a vehicle and return the kWh that it received."""
        self.advance(now)
        delivered = charging.advance(self._now)
        del self._charging[charging]
        if self._shares:
            self._share()
        self.energy_delivered_kwh[outcome] += delivered
        self.sessions[outcome] += 1
        return delivered

    def amend(self, charging: Charging, kwh: float, now: float) -> None:
        """Change the energy at which an attempt ends; now, if the vehicle already has it."""
        self.advance(now)
        charging.amend(kwh, self._now, self.point_power_kw)
        if self.load * self.point_power_kw > self.power_limit_kw:
            self._share()

    def set_limit(self, power_limit_kw: float, now: float, until: float | None = None) -> None:
        """Change the limit at once, permanently or until a time at which the standing one returns.

        Raises:
            ValueError: the limit is negative, infinite or not a number.
        """
        if not (isfinite(power_limit_kw) and power_limit_kw >= 0):
            raise ValueError(f"{power_limit_kw} kW is not a power limit")
        self.advance(now)
        self.power_limit_kw = power_limit_kw
        if until is None:
            self.standing_limit_kw = power_limit_kw
        self.limit_ends = inf if until is None else until
        self._share()

    def advance(self, now: float) -> None:
        """Process every event that is due by now."""
        while self._next_change <= now:
            self._now = max(self._now, self._next_change)
            if self.limit_ends <= self._now:
                self.power_limit_kw, self.limit_ends = self.standing_limit_kw, inf
                self.limits_ended += 1
            self._share()
        if now > self._now:
            self._now = now

    def next_event(self, now: float) -> float | None:
        """Return when to call `advance` next, unless a vehicle comes or goes before."""
        self.advance(now)
        event = self._next_change
        if not self._shares:
            ends = (charging.ends for charging in self._charging)
            event = min([event, *(end for end in ends if end > self._now)])
        return event if event < inf else None

    def remaining_s(self, charging: Charging, now: float) -> float:
        """Return the time until a vehicle is fully charged at the current powers, seconds."""
        self.advance(now)
        return max(0.0, charging.ends - self._now)

    def has(self, charging: Charging) -> bool:
        """Return whether a vehicle is plugged in."""
        return charging in self._charging

    def finished(self, now: float) -> Sequence[Charging]:
        """Return those that are fully charged and still plugged in."""
        self.advance(now)
        return [charging for charging in self._charging if charging.ends <= self._now]

    def _share(self) -> None:
        """Share the limit again: power is taken from some before it is given to others."""
        charging = list(self._charging)
        caps = [one.cap_kw(self._now) for one in charging]
        self._shares = fsum(caps) > self.power_limit_kw
        shares = self._allocate(caps, self.power_limit_kw) if self._shares else [inf] * len(caps)
        for one, share_kw in sorted(
            zip(charging, shares, strict=True), key=lambda pair: pair[1] >= pair[0].share_kw
        ):
            one.advance(self._now, share_kw)
        self._next_change = self.limit_ends
        if self._shares:
            self._next_change = min(self.limit_ends, *(one.cap_changes for one in charging))
