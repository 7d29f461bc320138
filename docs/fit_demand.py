"""Fit the load tester's demand to real sessions: `python docs/fit_demand.py energy|mix FILE.csv`.

`energy` fits three families with two parameters each by maximum likelihood (scipy). With equal
numbers of parameters the highest likelihood also has the lowest AIC, so it is the criterion. The
Kolmogorov-Smirnov distance, the maximum difference between the fitted and the observed share of
vehicles, shows how good the best fit is. `mix` fits the battery, the state of charge and the share
of the free capacity that was charged together.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats  # type: ignore[import-untyped] # scipy has no types

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a file, the path begins with docs/

from load_tester.trace import read_trace  # noqa: E402 - after the path above
from load_tester.trace_columns import TraceError  # noqa: E402 - likewise

# `mix` skips outliers, and sessions whose state of charge does not reveal the battery.
_MAX_KWH = 120.0
_MIN_RISE = 0.01  # of the state of charge
_BATTERIES_KWH = (15.0, 200.0)
_PARTS = 20  # between quantiles
_COLUMNS = ("energy_wh", "soc_arrival", "soc_departure")


class Fit(NamedTuple):
    """A fit of one family: `parameters` by name, in kWh if they have a unit."""

    family: str
    parameters: dict[str, float]
    aic: float  # Akaike's criterion: lower is better
    median: float
    distance: float  # Kolmogorov-Smirnov, 0 to 1


def fit_all(values: Sequence[float]) -> list[Fit]:
    """Fit each family to positive energies, kWh, best first.

    Raises:
        ValueError: fewer than two different values, or one that is not positive.
    """
    if len(set(values)) < 2:
        raise ValueError("a fit needs at least two different energies")
    if min(values) <= 0:
        raise ValueError("a fit needs energies over 0")
    shape, _, scale = stats.gamma.fit(values, floc=0)
    sigma, _, median = stats.lognorm.fit(values, floc=0)
    weibull_shape, _, weibull_scale = stats.weibull_min.fit(values, floc=0)
    fits = [
        _fit("gamma", values, stats.gamma(shape, scale=scale), shape=shape, scale=scale),
        _fit(
            "lognormal",
            values,
            stats.lognorm(sigma, scale=median),
            mu=float(np.log(median)),
            sigma=sigma,
        ),
        _fit(
            "weibull",
            values,
            stats.weibull_min(weibull_shape, scale=weibull_scale),
            shape=weibull_shape,
            scale=weibull_scale,
        ),
    ]
    return sorted(fits, key=lambda fit: fit.aic)


def _fit(family: str, values: Sequence[float], fitted: Any, **parameters: float) -> Fit:
    return Fit(
        family,
        {name: float(value) for name, value in parameters.items()},
        2 * len(parameters) - 2 * float(fitted.logpdf(values).sum()),
        float(fitted.median()),
        float(stats.kstest(values, fitted.cdf).statistic),
    )


def mean_within(shape: float, scale: float, least: float, most: float) -> float:
    """Return the mean of a gamma distribution whose draws out of range are repeated, kWh."""
    within = stats.gamma(shape, scale=scale)
    weighted = stats.gamma(shape + 1, scale=scale)
    share = (weighted.cdf(most) - weighted.cdf(least)) / (within.cdf(most) - within.cdf(least))
    return float(shape * scale * share)


class BatterySession(NamedTuple):
    """A real session: battery measured at the plug, state of charge, share that was charged."""

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


def read_batteries(path: Path) -> list[BatterySession]:
    """Read a file's sessions with batteries; rows with too little data are skipped.

    Raises:
        OSError: it cannot be read.
        ValueError: a column is missing.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"{path.name} has no column {', '.join(missing)}")
        return [one for one in map(_battery, rows) if one is not None]


def _battery(row: dict[str, str]) -> BatterySession | None:
    try:
        kwh, soc, left = (float(row[name]) for name in _COLUMNS)
    except ValueError:
        return None
    kwh, soc, left = kwh / 1000, soc / 100, left / 100
    rise = left - soc
    if kwh > _MAX_KWH or rise < _MIN_RISE or soc < 0 or left > 1:
        return None
    battery_kwh = kwh / rise
    if not _BATTERIES_KWH[0] <= battery_kwh <= _BATTERIES_KWH[1]:
        return None
    return BatterySession(battery_kwh, soc, rise / (1 - soc))


def fit_mix(sessions: Sequence[BatterySession]) -> MixFit:
    """Fit a mix to sessions.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(sessions) < 2:
        raise ValueError("a fit needs at least two sessions")
    battery_kwh, soc, taken = zip(*sessions, strict=True)
    return MixFit(
        len(sessions),
        _quantiles(battery_kwh, 2),
        _quantiles(soc, 3),
        _quantiles(taken, 4),
        (
            rank_correlation(battery_kwh, soc),
            rank_correlation(battery_kwh, taken),
            rank_correlation(soc, taken),
        ),
    )


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Spearman's rank correlation, to three digits."""
    return round(float(stats.spearmanr(one, other).statistic), 3)


def _quantiles(values: Sequence[float], digits: int) -> tuple[float, ...]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return tuple(round(ordered[round(part * last / _PARTS)], digits) for part in range(_PARTS + 1))


def _print_energy(options: argparse.Namespace) -> None:
    trace = read_trace(options.file, {"energy": options.energy_column})
    values = [session.kwh for session in trace.sessions]
    fits = fit_all(values)
    print(
        f"{options.file.name}: {len(values):,} sessions, column {trace.energy_column}, "
        f"{min(values):.3f} to {max(values):.3f} kWh, mean {np.mean(values):.3f}, "
        f"median {np.median(values):.3f}"
    )
    for note in trace.notes:
        print(note)
    print(f"{'family':<10} {'parameters':<32} {'AIC over best':>13} {'median kWh':>11} {'KS':>7}")
    for fit in fits:
        parameters = ", ".join(f"{name} {value:.4f}" for name, value in fit.parameters.items())
        figures = f"{fit.aic - fits[0].aic:>13.1f} {fit.median:>11.2f} {fit.distance:>7.4f}"
        print(f"{fit.family:<10} {parameters:<32} {figures}")
    if fits[0].family == "gamma":
        mean = mean_within(**fits[0].parameters, least=min(values), most=max(values))
        print(f"mean of what a gamma demand within this range draws: {mean:.2f} kWh")


def _print_mix(options: argparse.Namespace) -> None:
    for name, value in fit_mix(read_batteries(options.file))._asdict().items():
        print(f"{name}={value},")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a fit; the exit status is 2 if the file cannot be read or fitted."""
    parser = argparse.ArgumentParser(
        prog="python docs/fit_demand.py",
        description="Fit the load tester's demand to real sessions; see docs/demand.md.",
    )
    commands = parser.add_subparsers(required=True, metavar="energy|mix")
    energy = commands.add_parser(
        "energy",
        help="fit gamma, lognormal and Weibull distributions to the energy of the sessions",
    )
    energy.add_argument("file", type=Path, help="real sessions; energy_wh or *_kwh is read")
    energy.add_argument("--energy-column", help="the column of energies, if not recognised")
    energy.set_defaults(run=_print_energy)
    mix = commands.add_parser(
        "mix", help="fit battery, state of charge and share taken, for vehicles that differ"
    )
    mix.add_argument("file", type=Path, help=f"real sessions; {', '.join(_COLUMNS)} are read")
    mix.set_defaults(run=_print_mix)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (TraceError, OSError, ValueError) as error:
        parser.exit(2, f"fit_demand: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
