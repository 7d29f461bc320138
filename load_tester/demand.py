"""How much energy a vehicle asks for: fixed, or drawn from a fit to real sessions. Pure.

How the fits were made, and how to repeat them: docs/demand.md.
"""

import random
from dataclasses import dataclass
from typing import Protocol

from load_tester.gamma import lower_gamma


class Demand(Protocol):
    """Says how many kWh the next vehicle asks for."""

    def draw(self, rng: random.Random) -> float:
        """Return one vehicle's energy, kWh, to the Wh."""
        ...

    def describe(self) -> str:
        """Name the demand for a report."""
        ...


@dataclass(frozen=True, slots=True)
class FixedDemand:
    """Every vehicle asks for the same."""

    kwh: float

    def draw(self, rng: random.Random) -> float:  # noqa: ARG002 - nothing to draw, same call
        """Return the fixed energy."""
        return self.kwh

    def describe(self) -> str:
        """Name the demand for a report."""
        return f"{self.kwh:g} kWh each"


@dataclass(frozen=True, slots=True)
class GammaDemand:
    """Energy after a gamma distribution, kept within the range that was seen in the field.

    `shape` has no unit, `scale`, `least` and `most` are in kWh. A draw out of range is drawn again.
    """

    name: str
    sessions: int
    shape: float
    scale: float
    least: float
    most: float

    @property
    def mean(self) -> float:
        """The mean of what is drawn, kWh: the range moves it a little from shape times scale."""
        low, high = self.least / self.scale, self.most / self.scale
        within = lower_gamma(self.shape, high) - lower_gamma(self.shape, low)
        weighted = lower_gamma(self.shape + 1, high) - lower_gamma(self.shape + 1, low)
        return self.shape * self.scale * weighted / within

    def draw(self, rng: random.Random) -> float:
        """Return one vehicle's energy, kWh, to the Wh."""
        while True:
            kwh = round(rng.gammavariate(self.shape, self.scale), 3)
            if self.least <= kwh <= self.most:
                return kwh

    def describe(self) -> str:
        """Name the demand for a report."""
        return f"{self.name} sessions, {self.mean:.1f} kWh in the mean"


# `python -m load_tester.fit FILE.csv` prints these numbers; tests/unit/load_tester refits them.
# DESL-EPFL Level-3 EV charging dataset, 2022-04 to 2023-07.
FAST_CHARGING = GammaDemand(
    name="fast-charging",
    sessions=1878,
    shape=2.8526,
    scale=11.2825,
    least=1.165,
    most=268.863,
)
# Caltech ACN (acnportal-experiments, example 2.1), 2019-03.
WORKPLACE = GammaDemand(
    name="workplace",
    sessions=954,
    shape=1.3208,
    scale=7.0635,
    least=0.51,
    most=58.039,
)
FITTED: dict[str, GammaDemand] = {"fast": FAST_CHARGING, "workplace": WORKPLACE}
