"""Vehicles, attempts and faults for tests of a soak's books."""

from typing import Any

from benchmarks.soak.plan import Injection, What
from benchmarks.soak.reconciliation import Injected, Reconciliation, Reported, add_up
from local_stack.session_logs import Attempt


def reported(vehicle_id: str = "EV", **changed: Any) -> Reported:
    """A vehicle that was told that it is charged, at the first try."""
    return Reported(vehicle_id, "charged", 5.0, "substation1", f"of-{vehicle_id}", 1, "")._replace(
        **changed
    )


def attempt(vehicle_id: str = "EV", **changed: Any) -> Attempt:
    """The attempt that goes with it."""
    return Attempt(f"of-{vehicle_id}", "charged", 5.0, 99.0, 100.0, vehicle_id, 5.0)._replace(
        **changed
    )


def injected(what: What, target: str, began: float, ended: float) -> Injected:
    """A fault that happened."""
    return Injected(Injection(0, what, target, ended - began), began, ended)


def reconciliation(
    vehicles: list[Reported], attempts: dict[str, list[Attempt]], faults: tuple[Injected, ...] = ()
) -> Reconciliation:
    """Bring them together."""
    return add_up(vehicles, attempts, faults, [], proxies=["load_balancer"])
