"""Builders for the inputs of the load tester's pure parts."""

from collections.abc import Mapping
from typing import Any

from load_tester.reconciliation.counters import GatewayCounters, GridCounters, SubstationCounters
from load_tester.vehicle import Charge, Outcome, Vehicle

TAG = "lt-test-"
BEGAN = 1_800_000_000.0


def charge(
    number: int = 1,
    *,
    due: float = 0.0,
    took: float = 2.0,
    kwh: float = 10.0,
    outcome: Outcome = Outcome.CHARGED,
    **fields: Any,
) -> Charge:
    """Make a vehicle's way: charged at substation1 for all of the time that it took."""
    made = Charge(Vehicle(number, due, kwh), f"{TAG}{number:06d}", due, due, due + took, outcome)
    if outcome is Outcome.CHARGED:
        made.status, made.session_id, made.substation = 200, f"session-{number}", "substation1"
        made.charging_s = took
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def decision(
    sequence: int, chosen: str, loads: dict[str, tuple[int, int]], **fields: Any
) -> dict[str, Any]:
    """Make a decision as the balancer tells it; `loads` are load and capacity by substation."""
    return {
        "sequence": sequence,
        "time": "2027-01-15T08:00:01.500000Z",  # BEGAN + 1.5 s
        "session_id": f"session-{sequence}",
        "vehicle_id": f"{TAG}{sequence:06d}",
        "substation": chosen,
        "attempt": 1,
        "waited_s": 0.0,
        "policy": "least-loaded",
        "reason": "because",
        "candidates": [
            {
                "substation": name,
                "load": load,
                "capacity": capacity,
                "score": round((load + 1) / capacity, 6),
                "gauge_age_s": 0.1,
            }
            for name, (load, capacity) in loads.items()
        ],
        "passed_over": [],
        **fields,
    }


def substation(
    charged: float,
    kwh: float | None,
    load: float = 0,
    started: float = 1.0,
    meter: float | None = None,
) -> SubstationCounters:
    """Make a substation's counters."""
    return SubstationCounters(charged, kwh, load, started, meter_kwh=meter)


def grid(
    substations: Mapping[str, SubstationCounters | None],
    answers: float | None = None,
    started: float = 1.0,
) -> GridCounters:
    """Make the grid's counters; `answers` are the gateway's 200s, None where it has no counter."""
    gateway = None if answers is None else GatewayCounters({"200": answers}, started)
    faults = {
        name: f"{name} refused"
        for name, reconciliation in substations.items()
        if reconciliation is None
    }
    return GridCounters(gateway, substations, faults)
