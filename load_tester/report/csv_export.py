"""Writes one row per vehicle, for further analysis; --trace can replay the file."""

import csv
from collections.abc import Sequence
from typing import TextIO

from load_tester.power import Point, slowdown
from load_tester.vehicle import Charge, Vehicle


def write_csv(charges: Sequence[Charge], points: Sequence[Point], file: TextIO) -> None:
    """Write the vehicles in the order in which they were due; `points` are the kinds of points."""
    names = _row(Charge(Vehicle(0, 0.0, 0.0), "", 0.0, 0.0), points)
    writer = csv.DictWriter(file, [*names])
    writer.writeheader()
    for charge in sorted(charges, key=lambda charge: charge.due):
        writer.writerow(_row(charge, points))


def _row(charge: Charge, points: Sequence[Point]) -> dict[str, object]:
    vehicle = charge.vehicle
    return {
        "vehicle_id": charge.vehicle_id,
        "due_s": _decimals(charge.due),
        "kwh": vehicle.kwh,
        "outcome": charge.outcome.value,
        "status": charge.status,
        "time_to_charge_s": _decimals(charge.time_to_charge),
        "delay_s": _decimals(charge.delay),
        "waited_s": _decimals(charge.waited_s),
        "charging_s": _decimals(charge.charging_s),
        "substation": charge.substation,
        "session_id": charge.session_id,
        "attempts": charge.attempts,
        "tries": charge.tries,
        "lag_s": _decimals(charge.lag),
        "reason": charge.reason,
        "max_power_kw": vehicle.max_power_kw,
        "battery_kwh": vehicle.battery_kwh,
        "soc": vehicle.soc,
        "mean_power_kw": charge.mean_power_kw,
        "peak_power_kw": charge.peak_power_kw,
        "slowdown": _decimals(slowdown(charge, points), 4),
        "legs": " ".join(f"{substation}={kwh:.10g}" for substation, kwh in charge.energies.items()),
    }


def _decimals(value: float | None, places: int = 6) -> str:
    return "" if value is None else f"{value:.{places}f}"
