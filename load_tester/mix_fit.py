"""Fits a mix of vehicles to real sessions: `python -m load_tester.mix_fit FILE.csv`."""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import correlation
from typing import NamedTuple

# Sessions that are left out: outliers, and those of which the state of charge tells no battery.
_MOST_KWH = 120.0
_LEAST_RISE = 0.01  # of the state of charge
_BATTERIES_KWH = (15.0, 200.0)
_PARTS = 20  # between quantiles
_COLUMNS = ("energy_wh", "soc_arrival", "soc_departure")


class Session(NamedTuple):
    """A real session: a battery seen from the plug, its state of charge, the share taken."""

    battery_kwh: float
    soc: float
    taken: float


class MixFit(NamedTuple):
    """The numbers of a `load_tester.mix.VehicleMix` that come from sessions."""

    sessions: int
    battery_kwh: tuple[float, ...]
    soc: tuple[float, ...]
    taken: tuple[float, ...]
    correlations: tuple[float, float, float]


def read_sessions(path: Path) -> list[Session]:
    """Read what a file tells of batteries; rows that tell too little are left out.

    Raises:
        OSError: it cannot be read.
        ValueError: a column is missing.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{path.name} has no column {', '.join(missing)}")
        return [one for one in map(_session, rows) if one is not None]


def _session(row: dict[str, str]) -> Session | None:
    try:
        kwh, soc, left = (float(row[name]) for name in _COLUMNS)
    except ValueError:
        return None
    kwh, soc, left = kwh / 1000, soc / 100, left / 100
    rise = left - soc
    if kwh > _MOST_KWH or rise < _LEAST_RISE or soc < 0 or left > 1:
        return None
    battery_kwh = kwh / rise
    if not _BATTERIES_KWH[0] <= battery_kwh <= _BATTERIES_KWH[1]:
        return None
    return Session(battery_kwh, soc, rise / (1 - soc))


def fit(sessions: Sequence[Session]) -> MixFit:
    """Fit a mix to sessions.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(sessions) < 2:
        raise ValueError("a fit needs two sessions at least")
    battery_kwh, soc, taken = zip(*sessions, strict=True)
    ranked = [ranks(values) for values in (battery_kwh, soc, taken)]
    return MixFit(
        len(sessions),
        _quantiles(battery_kwh, 2),
        _quantiles(soc, 3),
        _quantiles(taken, 4),
        (
            round(correlation(ranked[0], ranked[1]), 3),
            round(correlation(ranked[0], ranked[2]), 3),
            round(correlation(ranked[1], ranked[2]), 3),
        ),
    )


def _quantiles(values: Sequence[float], digits: int) -> tuple[float, ...]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return tuple(round(ordered[round(part * last / _PARTS)], digits) for part in range(_PARTS + 1))


def ranks(values: Sequence[float]) -> list[float]:
    """Rank values from 0; equal ones share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    first = 0
    for after in range(1, len(order) + 1):
        if after == len(order) or values[order[after]] != values[order[first]]:
            for index in order[first:after]:
                found[index] = (first + after - 1) / 2
            first = after
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the fit of a file; exit status 2 where it cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m load_tester.mix_fit",
        description="Fit battery, state of charge and the share of what fits that was taken to the "
        "sessions in FILE.csv, together. See docs/demand.md.",
    )
    parser.add_argument("file", type=Path, help=f"real sessions; {', '.join(_COLUMNS)} are read")
    options = parser.parse_args(arguments)
    try:
        found = fit(read_sessions(options.file))
    except (OSError, ValueError) as error:
        parser.exit(2, f"load_tester.mix_fit: {error}\n")
    for name, value in found._asdict().items():
        sys.stdout.write(f"{name}={value},\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
