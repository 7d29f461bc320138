"""The figures of a run of a power scene: times of vehicles, and violated limits."""

from __future__ import annotations

from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.simulation.power.demand import HOUR_S, MINUTE_S
from benchmarks.simulation.power.scenes import MEASURED_H
from load_tester.latency import percentile

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.world import World

# Digits to keep: machines may differ in the last digits of a double.
_DIGITS = 6


class PowerFigures(NamedTuple):
    """The figures of one run, for vehicles that arrived while it was measured.

    Times in minutes of the substations.
    """

    vehicles: int
    lost: int
    refused: int
    mean_min: float  # from arrival to charged
    p95_min: float
    wait_min: float  # mean time of it in the queue
    longest_wait_min: float
    error: float  # mean error of the predicted charging time, relative to the real one; 0 if none
    charged_an_hour: float  # all that were charged while it was measured
    over_limit_kw: float  # maximum power of a substation beyond its limit
    moved: int

    @classmethod
    def of(cls, world: World) -> PowerFigures:
        """Return the figures of a finished run."""
        since, until = (hour * HOUR_S for hour in MEASURED_H)
        measured = [one for one in world.vehicles if since <= one.arrival.at < until]
        charged = [one for one in measured if one.charged_at is not None]
        times = sorted(_minutes(one.arrival.at, one.charged_at) for one in charged)
        waits = [_minutes(one.arrival.at, one.dispatched_at) for one in charged]
        errors = [error for error in map(_error, charged) if error is not None]
        refused = sum(one.refused for one in measured)
        in_time = sum(since <= (one.charged_at or 0.0) < until for one in world.vehicles)
        return cls(
            len(measured),
            len(measured) - len(charged) - refused,
            refused,
            rounded(fmean(times)),
            rounded(percentile(times, 95)),
            rounded(fmean(waits)),
            rounded(max(waits)),
            rounded(fmean(errors) if errors else 0.0),
            rounded(in_time / (MEASURED_H[1] - MEASURED_H[0])),
            rounded(
                max(substation.worst_over_limit_kw for substation in world.substations.values())
            ),
            sum(balancer.failovers for balancer in world.balancers),
        )


def _minutes(since: float, until: float | None) -> float:
    assert until is not None  # noqa: S101 - only for charged vehicles
    return (until - since) / MINUTE_S


def _error(vehicle: Vehicle) -> float | None:
    prediction = vehicle.prediction
    if prediction is None or vehicle.charged_at is None or vehicle.dispatched_at is None:
        return None
    real_s = vehicle.charged_at - vehicle.dispatched_at
    error = abs(prediction.charging_s - real_s) / real_s
    return error if isfinite(error) else None


def rounded(value: float) -> float:
    """Round to the digits to keep."""
    return float(f"{value:.{_DIGITS}g}")
