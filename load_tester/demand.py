"""What a vehicle asks for, and its properties: fixed, or drawn as in real sessions. Pure.

docs/demand.md explains how the fits were made, and how to repeat them.
"""

import math
import random
from dataclasses import dataclass
from typing import Protocol

from load_tester.mix import FAST_MIX, VehicleMix
from load_tester.vehicle import Need


class Demand(Protocol):
    """Decides what the next vehicle asks for, and its properties. Its `str` names it in reports."""

    def draw(self, rng: random.Random) -> Need:
        """Return one vehicle's need; its energy is rounded to the Wh."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDemand:
    """The same for every vehicle."""

    kwh: float

    def draw(self, rng: random.Random) -> Need:  # noqa: ARG002 - nothing is random here
        """Return the fixed energy."""
        return Need(self.kwh)

    def __str__(self) -> str:
        return f"{self.kwh:g} kWh each"


@dataclass(frozen=True, slots=True)
class GammaDemand:
    """Energies from a gamma distribution, limited to the range observed in the field.

    `shape` has no unit, the others are in kWh. A draw out of range is repeated, which moves `mean`
    slightly from shape times scale.
    """

    name: str
    sessions: int
    shape: float
    scale: float
    least: float
    most: float
    mean: float

    def draw(self, rng: random.Random) -> Need:
        """Return one vehicle's energy."""
        while True:
            kwh = round(rng.gammavariate(self.shape, self.scale), 3)
            if self.least <= kwh <= self.most:
                return Need(kwh)

    def __str__(self) -> str:
        return f"{self.name} sessions, mean {self.mean:.1f} kWh"


# Output of `python docs/fit_demand.py energy FILE.csv`; a test repeats the fit.
# DESL-EPFL Level-3 EV charging dataset, 2022-04 to 2023-07.
FAST_CHARGING = GammaDemand(
    name="fast-charging",
    sessions=1878,
    shape=2.8526,
    scale=11.2825,
    least=1.165,
    most=268.863,
    mean=32.19,
)
# Caltech ACN (acnportal-experiments, example 2.1), 2019-03.
WORKPLACE = GammaDemand(
    name="workplace",
    sessions=954,
    shape=1.3208,
    scale=7.0635,
    least=0.51,
    most=58.039,
    mean=9.53,
)
FITTED: dict[str, GammaDemand] = {"fast": FAST_CHARGING, "workplace": WORKPLACE}


@dataclass(frozen=True, slots=True)
class MixDemand:
    """Different vehicles that state their properties, all drawn together."""

    name: str
    mix: VehicleMix

    def draw(self, rng: random.Random) -> Need:
        """Return one vehicle; its battery is rounded to 10 Wh, its state of charge to 0.001."""
        drawn = self.mix.draw(rng)
        battery_kwh, soc = round(drawn.battery_kwh, 2), round(drawn.soc, 3)
        # Rounded down, so that it still fits; at least a Wh.
        kwh = math.floor(1000 * min(drawn.kwh, (1 - soc) * battery_kwh)) / 1000 or 0.001
        return Need(kwh, drawn.max_power_kw, battery_kwh, soc)

    def __str__(self) -> str:
        return f"different vehicles as in {self.name} sessions"


@dataclass(frozen=True, slots=True)
class PowerDemand:
    """Vehicles of another demand with a maximum power, drawn by weight."""

    demand: Demand
    max_power_kw: tuple[tuple[float, float], ...]  # power and its weight

    def draw(self, rng: random.Random) -> Need:
        """Return one vehicle."""
        powers, weights = zip(*self.max_power_kw, strict=True)
        (max_power_kw,) = rng.choices(powers, weights)
        return self.demand.draw(rng)._replace(max_power_kw=max_power_kw)

    def __str__(self) -> str:
        powers = ", ".join(f"{power:g}" for power, _ in self.max_power_kw)
        return f"{self.demand}, at most {powers} kW"


MIXES: dict[str, MixDemand] = {"fast": MixDemand("fast-charging", FAST_MIX)}
