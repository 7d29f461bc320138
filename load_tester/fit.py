"""Fits distributions to the energy of real sessions: `python -m load_tester.fit FILE.csv`.

Three families of two parameters each, by maximum likelihood. Among equals in parameters the one
with the greatest likelihood has the least AIC too, so that is the criterion. The Kolmogorov-Smirnov
distance, the widest gap between the fitted and the observed share of vehicles, tells how good the
best is.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.table import Table

from load_tester.gamma import digamma, lower_gamma, trigamma
from load_tester.streams import standard_streams
from load_tester.tables import report_console
from load_tester.trace import TraceError, read_trace

_TOLERANCE = 1e-12
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Fit:
    """One family fitted: `parameters` by name, kWh where they have a unit."""

    family: str
    parameters: dict[str, float]
    log_likelihood: float
    median: float
    distance: float  # Kolmogorov-Smirnov, 0 to 1

    @property
    def aic(self) -> float:
        """Akaike's criterion: less is better."""
        return 2 * len(self.parameters) - 2 * self.log_likelihood


def fit_all(values: Sequence[float]) -> list[Fit]:
    """Fit each family to positive values, best first.

    Raises:
        ValueError: fewer than two different values, or one that is not positive.
    """
    if len(set(values)) < 2:
        raise ValueError("a fit needs at least two different energies")
    if min(values) <= 0:
        raise ValueError("a fit needs energies over 0")
    ordered = sorted(values)
    fits = [_gamma(ordered), _lognormal(ordered), _weibull(ordered)]
    return sorted(fits, key=lambda fit: fit.aic)


def _lognormal(ordered: Sequence[float]) -> Fit:
    logs = [math.log(value) for value in ordered]
    mean = fmean(logs)
    deviation = math.sqrt(fmean((log - mean) ** 2 for log in logs))
    constant = math.log(deviation * math.sqrt(2 * math.pi))
    likelihood = sum(-log - constant - ((log - mean) / deviation) ** 2 / 2 for log in logs)

    def below(value: float) -> float:
        return (1 + math.erf((math.log(value) - mean) / deviation / math.sqrt(2))) / 2

    parameters = {"mu": mean, "sigma": deviation}
    return Fit("lognormal", parameters, likelihood, math.exp(mean), _distance(ordered, below))


def _gamma(ordered: Sequence[float]) -> Fit:
    logs = [math.log(value) for value in ordered]
    mean = fmean(ordered)
    gap = math.log(mean) - fmean(logs)
    # Minka's start, then Newton on log(shape) - digamma(shape) = gap.
    start = (3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    shape = _newton(
        start,
        lambda k: math.log(k) - digamma(k) - gap,
        lambda k: 1 / k - trigamma(k),
    )
    scale = mean / shape
    likelihood = sum(
        (shape - 1) * log - value / scale for log, value in zip(logs, ordered, strict=True)
    ) - len(ordered) * (math.lgamma(shape) + shape * math.log(scale))

    def below(value: float) -> float:
        return lower_gamma(shape, value / scale)

    median = _invert(below, 0.5, mean)
    parameters = {"shape": shape, "scale": scale}
    return Fit("gamma", parameters, likelihood, median, _distance(ordered, below))


def _weibull(ordered: Sequence[float]) -> Fit:
    # In units of the mean, so that no power overflows.
    mean = fmean(ordered)
    logs = [math.log(value / mean) for value in ordered]
    mean_log = fmean(logs)

    def sums(shape: float) -> tuple[float, float, float]:
        powers = [math.exp(shape * log) for log in logs]
        return (
            sum(powers),
            sum(power * log for power, log in zip(powers, logs, strict=True)),
            sum(power * log * log for power, log in zip(powers, logs, strict=True)),
        )

    def excess(shape: float) -> float:
        total, first, _ = sums(shape)
        return first / total - 1 / shape - mean_log

    def slope(shape: float) -> float:
        total, first, second = sums(shape)
        return second / total - (first / total) ** 2 + 1 / shape**2

    shape = _newton(1.0, excess, slope)
    scale = mean * (sums(shape)[0] / len(ordered)) ** (1 / shape)
    likelihood = sum(
        math.log(shape / scale) + (shape - 1) * math.log(value / scale) - (value / scale) ** shape
        for value in ordered
    )

    def below(value: float) -> float:
        return -math.expm1(-((value / scale) ** shape))

    parameters = {"shape": shape, "scale": scale}
    median = scale * math.log(2) ** (1 / shape)
    return Fit("weibull", parameters, likelihood, median, _distance(ordered, below))


def _newton(
    start: float, function: Callable[[float], float], slope: Callable[[float], float]
) -> float:
    """Find a positive root; a step that would leave the positive side goes half way to 0."""
    value = start
    for _ in range(_MOST_STEPS):
        step = function(value) / slope(value)
        following = value - step if value - step > 0 else value / 2
        if abs(following - value) <= _TOLERANCE * value:
            return following
        value = following
    return value


def _distance(ordered: Sequence[float], below: Callable[[float], float]) -> float:
    count = len(ordered)
    shares = [below(value) for value in ordered]
    return max(
        max((index + 1) / count - share, share - index / count)
        for index, share in enumerate(shares)
    )


def _invert(below: Callable[[float], float], share: float, start: float) -> float:
    low, high = 0.0, start
    while below(high) < share:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return high


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit a file's energies and print the table; exit status 2 where the file cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m load_tester.fit",
        description="Fit gamma, lognormal and Weibull distributions to the energy of the sessions "
        "in FILE.csv by maximum likelihood; the least AIC comes first. See docs/demand.md.",
    )
    parser.add_argument("file", type=Path, help="real sessions; energy_wh or *_kwh is read")
    parser.add_argument("--energy-column", help="the column of energies, if not recognised")
    options = parser.parse_args(arguments)
    stdout, _ = standard_streams()
    console = report_console(stdout)
    try:
        trace = read_trace(options.file, energy_column=options.energy_column)
        values = sorted(session.kwh for session in trace.sessions)
        fits = fit_all(values)
    except (TraceError, ValueError) as error:
        parser.exit(2, f"load_tester.fit: {error}\n")
    middle = values[len(values) // 2] if len(values) % 2 else fmean(_middle_pair(values))
    console.print(
        f"{options.file.name}: {len(values):,} sessions, column {trace.energy_column}, "
        f"{values[0]:.3f} to {values[-1]:.3f} kWh, mean {fmean(values):.3f}, median {middle:.3f}",
        markup=False,  # names of files and columns may have brackets
    )
    for note in trace.notes:
        console.print(note, markup=False)
    console.print(fit_table(fits))
    return 0


def _middle_pair(ordered: Sequence[float]) -> tuple[float, float]:
    half = len(ordered) // 2
    return ordered[half - 1], ordered[half]


def fit_table(fits: Sequence[Fit]) -> Table:
    """Lay out fits for the terminal, best first."""
    table = Table("family", "parameters", "AIC", "AIC over best", "median kWh", "KS distance")
    for fit in fits:
        table.add_row(
            fit.family,
            ", ".join(f"{name} {value:.4f}" for name, value in fit.parameters.items()),
            f"{fit.aic:,.1f}",
            f"{fit.aic - fits[0].aic:.1f}",
            f"{fit.median:.2f}",
            f"{fit.distance:.4f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
