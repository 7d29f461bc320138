"""The site itself: its points, its power, what it has delivered. Pure: the clock is passed in."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a vehicle's visit to the site ended."""

    CHARGED = "charged"  # took all that it asked for
    ABORTED = "aborted"  # left, or was taken elsewhere, before that
    REFUSED = "refused"  # never plugged in: the site was full


class SubstationFull(Exception):
    """Every point that may be used is taken; `free_in_s` tells when the next one frees."""

    def __init__(self, capacity: int, free_in_s: float) -> None:
        super().__init__(f"all {capacity} charging points are taken")
        self.free_in_s = free_in_s


@dataclass(eq=False, slots=True)
class Charging:
    """A vehicle at a point. Times in seconds of the clock that is passed in."""

    kwh: float
    began: float
    duration_s: float

    @property
    def ends(self) -> float:
        """When the vehicle will have all that it asked for."""
        return self.began + self.duration_s


class Substation:
    """A number of charging points of equal power under one power limit.

    Not for several threads at once; under gevent no method gives way to another greenlet.
    """

    def __init__(
        self, points: int, point_power_kw: float, power_limit_kw: float | None, time_scale: float
    ) -> None:
        self.point_power_kw = point_power_kw
        self.power_limit_kw = points * point_power_kw if power_limit_kw is None else power_limit_kw
        self.capacity = min(points, int(self.power_limit_kw / point_power_kw + 1e-9))
        self.energy_delivered_kwh = {Outcome.CHARGED: 0.0, Outcome.ABORTED: 0.0}
        self.sessions = dict.fromkeys(Outcome, 0)
        self._kwh_per_s = point_power_kw * time_scale / 3600
        self._charging: set[Charging] = set()

    @property
    def load(self) -> int:
        """Vehicles that charge now."""
        return len(self._charging)

    @property
    def power_kw(self) -> float:
        """Power drawn now."""
        return self.load * self.point_power_kw

    def plug_in(self, kwh: float, now: float) -> Charging:
        """Take a vehicle in: the check for a free point and the count are one step.

        Raises:
            SubstationFull: no point is free.
        """
        if len(self._charging) >= self.capacity:
            self.sessions[Outcome.REFUSED] += 1
            free_in_s = min(charging.ends for charging in self._charging) - now
            raise SubstationFull(self.capacity, max(0.0, free_in_s))
        charging = Charging(kwh, now, kwh / self._kwh_per_s)
        self._charging.add(charging)
        return charging

    def unplug(self, charging: Charging, now: float, outcome: Outcome) -> float:
        """Let a vehicle go and return the kWh it got: all if charged, else its share so far."""
        self._charging.remove(charging)
        if outcome is Outcome.CHARGED:
            delivered = charging.kwh
        else:
            delivered = min(charging.kwh, max(0.0, now - charging.began) * self._kwh_per_s)
        self.energy_delivered_kwh[outcome] += delivered
        self.sessions[outcome] += 1
        return delivered
