"""The results of a benchmark, and their file, from which everything else is derived."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.comparison.figures import Figures
from benchmarks.harness.results import Stored, save


@dataclass(frozen=True, slots=True)
class ContenderRun:
    """One contender's run in one scene."""

    figures: Figures
    # By substation: vehicles at the end of each `Results.step_s`; None while it could not be used,
    # or its log is incomplete.
    loads: list[list[int | None]]


@dataclass(frozen=True, slots=True)
class SceneResult:
    """One scene with all contenders, by their keys."""

    name: str
    story: str
    substation_names: list[str]
    capacities: list[int]
    runs: dict[str, ContenderRun]  # of the contenders that play it
    # If substations share power, times are in their minutes, and the limit is a lower bound.
    time_scale: float | None = None

    @property
    def shares_power(self) -> bool:
        """Whether substations give less than the sum of their points."""
        return self.time_scale is not None

    def minutes(self, seconds: float) -> float:
        """Convert a time to minutes of the substations."""
        return seconds * (self.time_scale or 1.0) / 60


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender that took part."""

    key: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Results(Stored):
    """The results of a whole benchmark."""

    written_by: ClassVar[str] = "make bench"
    quick: bool
    seed: int
    step_s: float
    took_s: float
    machine: dict[str, str]
    entrants: list[Entrant]
    skipped: dict[str, str]  # by contender's name: why it did not take part
    scenes: list[SceneResult]

    def save(self, file: Path) -> None:
        """Write everything as JSON."""
        save(file, _rounded(asdict(self)))


def _rounded(value: object) -> object:
    """Round figures to a tenth of a millisecond or of a per mille: the rest is noise."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
