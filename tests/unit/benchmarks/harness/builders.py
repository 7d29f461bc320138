"""Vehicles and attempts for tests of the comparison with logs."""

from typing import Any

from benchmarks.harness.log_reconciliation import Told
from local_stack.session_logs import Attempt


def told(vehicle_id: str = "EV", **changed: Any) -> Told:
    """A vehicle that was told that it is charged, at the first try."""
    return Told(vehicle_id, 5.0, True, "substation1", f"of-{vehicle_id}")._replace(**changed)


def attempt(vehicle_id: str = "EV", **changed: Any) -> Attempt:
    """The attempt that goes with it."""
    return Attempt(f"of-{vehicle_id}", "charged", 5.0, 99.0, 100.0, vehicle_id, 5.0)._replace(
        **changed
    )


def counted(*, charged: float = 0, kwh: float = 0, asked: float = 0) -> dict[str, float]:
    """The counters of a substation, which refused the other requests."""
    return {
        "process_start_time_seconds": 50.0,
        'substation_sessions_total{outcome="charged"}': charged,
        'substation_sessions_total{outcome="aborted"}': 0.0,
        'substation_sessions_total{outcome="refused"}': asked - charged,
        'substation_energy_delivered_kwh_total{outcome="charged"}': kwh,
        'http_requests_total{method="POST",route="/charge",status="200"}': charged,
        'http_requests_total{method="POST",route="/charge",status="503"}': asked - charged,
        'http_requests_total{method="GET",route="/metrics",status="200"}': 9.0,
    }
