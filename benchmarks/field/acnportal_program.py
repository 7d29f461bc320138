"""Charges recorded sessions in acnportal, Caltech's simulator, with an equally shared limit.

It runs in a separate environment, where acnportal is installed, and prints the kWh of each session
as CSV.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from acnportal import acnsim  # type: ignore[import-not-found] # not in the project's environment
from acnportal.acnsim import events, models  # type: ignore[import-not-found] # likewise
from acnportal.algorithms import (  # type: ignore[import-not-found] # likewise
    RoundRobin,
    first_come_first_served,
)

from benchmarks.field.sessions import RecordedSession, read_caltech

_VOLTS = 208
_AMPERES = 32  # maximum of one station


def energies(
    sessions: Sequence[RecordedSession], limit_kw: float, increment_a: float, period_min: int
) -> dict[str, float]:
    """Return the kWh that each session has by its departure.

    Args:
        sessions: their times in minutes are multiples of the period.
        limit_kw: the shared limit, kW.
        increment_a: the step of the shared current, amperes.
        period_min: how long powers stay constant, minutes.
    """
    first = min(one.arrival for one in sessions)
    network = acnsim.ChargingNetwork()
    for point in sorted({one.point for one in sessions}):
        network.register_evse(models.EVSE(point, max_rate=_AMPERES), _VOLTS, 0)
    limit_a = limit_kw * 1000 / _VOLTS
    network.add_constraint(acnsim.Current(list(network.station_ids)), limit_a, name="limit")

    def period(time: float) -> int:
        return round((time - first) / 60 / period_min)

    vehicles = {
        one.session_id: models.EV(
            period(one.arrival),
            period(one.departure),
            one.demand.kwh,
            one.point,
            one.session_id,
            models.Battery(one.demand.kwh, 0, one.demand.max_power_kw),
        )
        for one in sessions
    }
    queue = events.EventQueue(
        [events.PluginEvent(vehicle.arrival, vehicle) for vehicle in vehicles.values()]
    )
    algorithm = RoundRobin(first_come_first_served, continuous_inc=increment_a)
    algorithm.max_recompute = 1  # every period, because a full vehicle frees power
    start = datetime.fromtimestamp(first, UTC)
    acnsim.Simulator(network, algorithm, queue, start, period=period_min, verbose=False).run()
    return {name: vehicle.energy_delivered for name, vehicle in vehicles.items()}


def main() -> None:
    """Read the sessions, simulate, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit-kw", type=float, required=True)
    parser.add_argument("--increment-a", type=float, required=True)
    parser.add_argument("--period-min", type=int, required=True)
    options = parser.parse_args()
    sessions = read_caltech(options.file)
    found = energies(sessions, options.limit_kw, options.increment_a, options.period_min)
    csv.writer(sys.stdout).writerows((name, f"{kwh:.6f}") for name, kwh in found.items())


if __name__ == "__main__":
    main()
