"""Different vehicles: energy, battery, state of charge and maximum power, drawn together. Pure.

The battery, the state of charge, and the share of the free capacity that is charged follow their
quantiles in real fast-charging sessions, with the same correlations (a Gaussian copula). The
maximum powers are an assumption: in these sessions the charger limited the power. docs/demand.md
explains how the fit was made, and how to repeat it.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class DrawnVehicle(NamedTuple):
    """What a vehicle asks for, and its properties."""

    kwh: float
    max_power_kw: float
    battery_kwh: float
    soc: float  # state of charge on arrival, 0 to 1


@dataclass(frozen=True)
class VehicleMix:
    """A fit of sessions, and a mix of maximum powers.

    Quantiles are evenly spaced, from the minimum to the maximum.
    """

    sessions: int
    battery_kwh: tuple[float, ...]  # measured at the plug, so losses are included
    soc: tuple[float, ...]
    taken: tuple[float, ...]  # share of the free capacity
    # Rank correlations: battery and state of charge, battery and share, state of charge and share.
    correlations: tuple[float, float, float]
    max_power_kw: tuple[tuple[float, float], ...]  # power and its weight

    def draw(self, rng: random.Random) -> DrawnVehicle:
        """Draw a vehicle."""
        battery_kwh, soc, taken = (
            _quantile(quantiles, _share(score))
            for quantiles, score in zip(
                (self.battery_kwh, self.soc, self.taken), self._scores(rng), strict=True
            )
        )
        powers, weights = zip(*self.max_power_kw, strict=True)
        (max_power_kw,) = rng.choices(powers, weights)
        kwh = taken * (1 - soc) * battery_kwh
        return DrawnVehicle(kwh, max_power_kw, battery_kwh, soc)

    def _scores(self, rng: random.Random) -> tuple[float, float, float]:
        """Draw three standard normal numbers with the sessions' rank correlations."""
        first_second, first_third, second_third = (
            2 * math.sin(math.pi / 6 * rank) for rank in self.correlations
        )
        own_second = math.sqrt(1 - first_second**2)
        mixed = (second_third - first_second * first_third) / own_second
        own_third = math.sqrt(1 - first_third**2 - mixed**2)
        one, two, three = (rng.gauss(0, 1) for _ in range(3))
        return (
            one,
            first_second * one + own_second * two,
            first_third * one + mixed * two + own_third * three,
        )


def _share(score: float) -> float:
    return (1 + math.erf(score / math.sqrt(2))) / 2


def _quantile(quantiles: Sequence[float], share: float) -> float:
    at = share * (len(quantiles) - 1)
    below = min(int(at), len(quantiles) - 2)
    return quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (at - below)


# Output of `python docs/fit_demand.py mix FILE.csv`; a test repeats the fit.
# DESL-EPFL Level-3 EV charging dataset, 2022-04 to 2023-07 (MIT).
FAST_MIX = VehicleMix(
    sessions=1835,
    battery_kwh=(
        *(16.37, 32.71, 43.22, 48.89, 55.76, 61.6, 69.12, 72.14, 73.87, 75.49, 76.86),
        *(78.34, 79.75, 81.71, 83.31, 84.75, 86.54, 88.58, 91.8, 96.15, 139.67),
    ),
    soc=(
        *(0.0, 0.08, 0.11, 0.14, 0.17, 0.19, 0.21, 0.24, 0.26, 0.29, 0.31),
        *(0.33, 0.36, 0.39, 0.43, 0.46, 0.49, 0.53, 0.6, 0.71, 0.98),
    ),
    taken=(
        *(0.0588, 0.2237, 0.3298, 0.3942, 0.45, 0.5088, 0.5761, 0.6292, 0.6716, 0.7059, 0.7343),
        *(0.7619, 0.7917, 0.8226, 0.8462, 0.875, 0.9158, 0.9595, 0.9865, 1.0, 1.0),
    ),
    correlations=(0.089, -0.12, 0.088),
    max_power_kw=((11.0, 0.10), (50.0, 0.20), (100.0, 0.30), (150.0, 0.25), (250.0, 0.15)),
)
