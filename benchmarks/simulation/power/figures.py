"""What a run of a scene of power shows: how long vehicles took, and whether promises held."""

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

# Digits that are kept: machines may differ in the last of a double.
_DIGITS = 6


class PowerFigures(NamedTuple):
    """Of one run; of the vehicles that came while it was measured.

    Minutes of the substations' time.
    """

    vehicles: int
    lost: int
    refused: int
    mean_min: float  # from arrival to charged
    p95_min: float
    wait_min: float  # of it in the queue, mean
    longest_wait_min: float
    error: float  # of the predicted charging time, mean, as a share of the real one; 0 if none was
    charged_an_hour: float  # all that were charged while it was measured
    over_limit_kw: float  # most that a substation ever drew beyond its limit
    moved: int

    @classmethod
    def of(cls, world: World) -> PowerFigures:
        """Sum a run up that has ended."""
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
    assert until is not None  # noqa: S101 - of vehicles that were charged
    return (until - since) / MINUTE_S


def _error(vehicle: Vehicle) -> float | None:
    prediction = vehicle.prediction
    if prediction is None or vehicle.charged_at is None or vehicle.dispatched_at is None:
        return None
    real_s = vehicle.charged_at - vehicle.dispatched_at
    error = abs(prediction.charging_s - real_s) / real_s
    return error if isfinite(error) else None


def rounded(value: float) -> float:
    """Keep as many digits as are kept."""
    return float(f"{value:.{_DIGITS}g}")
