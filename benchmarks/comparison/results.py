"""What a whole benchmark found, and how it is kept in a file: all else is drawn from this."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from benchmarks.comparison.figures import Figures

# A list of numbers, one a line, as `json` indents it; it reads and compares better on one line.
_NUMBERS = re.compile(r"\[\s*((?:(?:\d+|null),?\s*)+)\]")


@dataclass(frozen=True, slots=True)
class ContenderRun:
    """One contender in one scene."""

    figures: Figures
    # By substation: vehicles there at the end of each `Results.step_s`; None while it could not be
    # used, or its log does not tell.
    loads: list[list[int | None]]


@dataclass(frozen=True, slots=True)
class SceneResult:
    """One scene with all contenders, by their keys."""

    name: str
    story: str
    substation_names: list[str]
    capacities: list[int]
    runs: dict[str, ContenderRun]  # of those that play it
    # Where substations share power, times are told in their minutes, and the limit is a lower
    # bound.
    time_scale: float | None = None

    @property
    def shares_power(self) -> bool:
        """Whether substations give less than all of their points could."""
        return self.time_scale is not None

    def minutes(self, seconds: float) -> float:
        """Tell a time in minutes of the substations."""
        return seconds * (self.time_scale or 1.0) / 60


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender that took part."""

    key: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Results:
    """A whole benchmark."""

    quick: bool
    seed: int
    step_s: float
    took_s: float
    machine: dict[str, str]
    entrants: list[Entrant]
    skipped: dict[str, str]  # by name of a contender: why it did not take part
    scenes: list[SceneResult]

    def save(self, file: Path) -> None:
        """Write everything as JSON."""
        text = json.dumps(_rounded(asdict(self)), indent=1)
        file.write_text(f"{_NUMBERS.sub(_join, text)}\n", encoding="utf-8")


class ResultsError(ValueError):
    """A file of results that cannot be read; the message names it and the fault."""


def load(file: Path) -> Results:
    """Read what `Results.save` wrote.

    Raises:
        ResultsError: it is missing, or something else.
    """
    try:
        return TypeAdapter(Results).validate_json(file.read_bytes())
    except OSError as error:
        raise ResultsError(f"{file}: {error.strerror}; run `make bench` to write it") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(
            f"{file}: {where}: {first['msg']}; run `make bench` to write it again"
        ) from None


def _join(numbers: re.Match[str]) -> str:
    return f"[{' '.join(numbers[1].split())}]"


def _rounded(value: object) -> object:
    """Keep figures to a tenth of a millisecond or of a per mille: the rest is noise."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
