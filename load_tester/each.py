"""Writes one row a vehicle, for a closer look; the file can be replayed with --trace."""

import csv
from collections.abc import Sequence
from typing import TextIO

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
)


def write_each(charges: Sequence[Charge], file: TextIO) -> None:
    """Write the vehicles in the order in which they were due."""
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
                charge.site,
                charge.session_id,
                charge.attempts,
                charge.tries,
                f"{charge.lag:.6f}",
                charge.reason,
            )
        )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
