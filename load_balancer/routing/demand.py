"""What a vehicle asks for, and how it would draw the energy at a point. Pure."""

from math import log1p
from typing import NamedTuple

# A battery takes full power up to this state of charge, then linearly less, down to a tenth when it
# is full (the two-stage battery of ACN-Sim).
_TAPER_FROM = 0.8
_POWER_WHEN_FULL = 0.1
_FULL = 1.0


class ChargingStage(NamedTuple):
    """A part of a session, and the maximum power that the vehicle draws during it."""

    kwh: float
    cap_kw: float


class Demand(NamedTuple):
    """What a vehicle asks for, and what it reports of itself."""

    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None  # state of charge, 0 to 1

    def cap_kw(self, point_power_kw: float) -> float:
        """Return the maximum power that it draws at a point."""
        reported_kw = self.max_power_kw
        return point_power_kw if reported_kw is None else min(reported_kw, point_power_kw)

    def stages(self, point_power_kw: float) -> tuple[ChargingStage, ...]:
        """Return the stages of its session at a point: at full power, then at falling power.

        The power of the second stage is the logarithmic mean of the powers at its start and end.
        So it takes exactly as long as with a power that falls linearly.
        """
        battery_kwh, soc = self.battery_kwh, self.soc
        cap_kw = self.cap_kw(point_power_kw)
        if battery_kwh is None or soc is None:
            return (ChargingStage(self.kwh, cap_kw),)
        full_kw = point_power_kw if self.max_power_kw is None else self.max_power_kw
        slope_kw = full_kw * (1 - _POWER_WHEN_FULL) / (_FULL - _TAPER_FROM)  # per state of charge
        # If the point limits the power, it starts to fall at a higher state of charge.
        bend = _TAPER_FROM + (full_kw - cap_kw) / slope_kw
        before_kwh = (bend - soc) * battery_kwh
        if before_kwh >= self.kwh:
            return (ChargingStage(self.kwh, cap_kw),)
        begins = max(soc, bend)
        ends = min(_FULL, soc + self.kwh / battery_kwh)
        low_kw = full_kw - (ends - _TAPER_FROM) * slope_kw
        falls_kw = (ends - begins) * slope_kw
        taper_kw = falls_kw / log1p(falls_kw / low_kw) if falls_kw > 0 else low_kw
        if before_kwh <= 0:
            return (ChargingStage(self.kwh, taper_kw),)
        return ChargingStage(before_kwh, cap_kw), ChargingStage(self.kwh - before_kwh, taper_kw)
