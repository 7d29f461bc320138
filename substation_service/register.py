"""A session at this substation: what it asked for and what it received, over all its attempts."""

from enum import StrEnum

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

    CALLER = "stopped by its caller"
    DISCONNECTED = "disconnected"
    GRACE = "grace"
    LEASE = "lease"
    RESTARTED = "restarted"
    SHUT_DOWN = "shut down"


class Register:
    """A session's register. Energy in kWh, as absolute sums over all attempts here.

    Attributes:
        session_id: ID of the session.
        vehicle_id: ID of its vehicle.
        target_kwh: the total at which it is fully charged.
        ended_kwh: energy delivered by attempts that ended.
        charging: its attempt, while it is charging.
        state: its state.
        reason: why it stopped.
        grace_s: how long it continues without a connection, seconds; None for a plain session.
        owner: the balancer that leads it, if known.
        callers: number of connections that wait for it.
        grace_ends: when it stops unless a connection returns, by the clock; None while it has one.
        began_at: its first plug-in, seconds of the epoch.
        ended_at: its last end, seconds of the epoch; None while it is charging.
        charging_s: time at a point in attempts that ended, seconds.
        mean_power_kw: over those attempts.
        peak_power_kw: over those attempts.
        number: increases with each plug-in and each end.
        reported_kwh: the value last reported and journaled; reported while the journal cannot be
            written.
        reported_at: when that was its energy, by the clock.
        request_id: of the last call that asked for it, for the log.
        noted: whether the journal has recorded that it is charging, with this target.
    """

    __slots__ = (
        "began_at",
        "callers",
        "charging",
        "charging_s",
        "ended_at",
        "ended_kwh",
        "grace_ends",
        "grace_s",
        "mean_power_kw",
        "noted",
        "number",
        "owner",
        "peak_power_kw",
        "reason",
        "reported_at",
        "reported_kwh",
        "request_id",
        "session_id",
        "state",
        "target_kwh",
        "vehicle_id",
    )

    def __init__(self, session_id: str, vehicle_id: str, target_kwh: float, began_at: float):
        self.session_id = session_id
        self.vehicle_id = vehicle_id
        self.target_kwh = target_kwh
        self.ended_kwh = 0.0
        self.charging: Charging | None = None
        self.state = State.STOPPED
        self.reason: Reason | None = None
        self.grace_s: float | None = None
        self.owner: str | None = None
        self.callers = 0
        self.grace_ends: float | None = None
        self.began_at = began_at
        self.ended_at: float | None = None
        self.charging_s = 0.0
        self.mean_power_kw = 0.0
        self.peak_power_kw = 0.0
        self.number = 0
        self.reported_kwh = 0.0
        self.reported_at = 0.0
        self.request_id = ""
        self.noted = False

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
