"""Writes one row per vehicle, for further analysis; --trace can replay the file."""

import csv
from collections.abc import Sequence
from typing import TextIO

from load_tester.power import Point, slowdown
from load_tester.vehicle import Charge

_HEADER = (
    "vehicle_id",
    "due_s",
    "kwh",
    "outcome",
    "status",
    "time_to_charge_s",
    "delay_s",
    "waited_s",
    "charging_s",
    "substation",
    "session_id",
    "attempts",
    "tries",
    "lag_s",
    "reason",
    "max_power_kw",
    "battery_kwh",
    "soc",
    "mean_power_kw",
    "peak_power_kw",
    "slowdown",
    "legs",
)


def write_csv(charges: Sequence[Charge], points: Sequence[Point], file: TextIO) -> None:
    """Write the vehicles in the order in which they were due; `points` are the kinds of points."""
    writer = csv.writer(file)
    writer.writerow(_HEADER)
    for charge in sorted(charges, key=lambda charge: charge.due):
        writer.writerow(
            (
                charge.vehicle_id,
                f"{charge.due:.6f}",
                charge.vehicle.kwh,
                charge.outcome.value,
                charge.status,
                f"{charge.time_to_charge:.6f}",
                _seconds(charge.delay),
                _seconds(charge.waited_s),
                _seconds(charge.charging_s),
                charge.substation,
                charge.session_id,
                charge.attempts,
                charge.tries,
                f"{charge.lag:.6f}",
                charge.reason,
                charge.vehicle.max_power_kw,
                charge.vehicle.battery_kwh,
                charge.vehicle.soc,
                charge.mean_power_kw,
                charge.peak_power_kw,
                _ratio(slowdown(charge, points)),
                " ".join(f"{substation}={kwh:.10g}" for substation, kwh in charge.energies.items()),
            )
        )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
