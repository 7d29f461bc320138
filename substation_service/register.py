"""A session at this substation: what it asked for and what it received, over all its attempts."""

from dataclasses import dataclass
from enum import StrEnum

from grid_common.api.charge import STOPPED_BY_CALLER
from substation_service.charging import Charging

# Below this energy is zero: sums have rounding errors.
EPSILON_KWH = 1e-9


class State(StrEnum):
    """The state of a session here."""

    CHARGING = "charging"
    CHARGED = "charged"
    STOPPED = "stopped"


class Reason(StrEnum):
    """Why a session stopped before it was fully charged."""

    CALLER = STOPPED_BY_CALLER
    DISCONNECTED = "disconnected"
    GRACE = "grace"
    LEASE = "lease"
    RESTARTED = "restarted"
    SHUT_DOWN = "shut down"


@dataclass(eq=False, repr=False, slots=True)
class Register:
    """A session's register. Energy in kWh, as absolute sums over all attempts here."""

    session_id: str
    vehicle_id: str
    target_kwh: float  # the total at which it is fully charged
    began_at: float  # its first plug-in, seconds of the epoch
    ended_kwh: float = 0.0  # energy delivered by attempts that ended
    charging: Charging | None = None  # its attempt, while it is charging
    state: State = State.STOPPED
    reason: Reason | None = None  # why it stopped
    grace_s: float | None = None  # how long it continues without a connection; None if plain
    owner: str | None = None  # the balancer that leads it, if known
    callers: int = 0  # connections that wait for it
    grace_ends: float | None = None  # when it stops, by the clock; None while it has a connection
    ended_at: float | None = None  # its last end, seconds of the epoch; None while it is charging
    charging_s: float = 0.0  # time at a point in attempts that ended, seconds
    mean_power_kw: float = 0.0  # over those attempts
    peak_power_kw: float = 0.0  # over those attempts
    number: int = 0  # increases with each plug-in and each end
    # The value last reported and journaled; reported while the journal cannot be written.
    reported_kwh: float = 0.0
    reported_at: float = 0.0  # when that was its energy, by the clock
    request_id: str = ""  # of the last call that asked for it, for the log
    noted: bool = False  # the journal has recorded that it is charging, with this target

    @property
    def is_durable(self) -> bool:
        """Whether it outlives its connection."""
        return self.grace_s is not None

    def kwh(self, now: float) -> float:
        """Return the energy received here so far, kWh."""
        if self.charging is None:
            return self.ended_kwh
        return self.ended_kwh + self.charging.delivered_kwh(now)

    def has(self, target_kwh: float) -> bool:
        """Return whether the attempts that ended reached a target."""
        return target_kwh <= self.ended_kwh + EPSILON_KWH

    def add(self, kwh: float, attempt_s: float, mean_power_kw: float, peak_power_kw: float) -> None:
        """Add an attempt that ended."""
        whole_s = self.charging_s + attempt_s
        if self.charging_s and whole_s:
            mean_power_kw = (
                self.mean_power_kw * self.charging_s + mean_power_kw * attempt_s
            ) / whole_s
        self.ended_kwh += kwh
        self.charging_s = whole_s
        self.mean_power_kw = mean_power_kw
        self.peak_power_kw = max(self.peak_power_kw, peak_power_kw)
        self.charging = None
