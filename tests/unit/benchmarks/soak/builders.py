"""Faults, and the comparison with them, for tests of a soak."""

from benchmarks.harness.log_reconciliation import Reconciliation, Told
from benchmarks.soak.plan import Injection, What
from benchmarks.soak.reconciliation import Injected, compare
from local_stack.session_logs import Attempt

LEASE_KWH = 2.0


def injected(what: What, target: str, began: float, ended: float) -> Injected:
    """A fault that happened."""
    return Injected(Injection(0, what, target, ended - began), began, ended)


def reconciliation(
    vehicles: list[Told], attempts: dict[str, list[Attempt]], *faults: Injected
) -> Reconciliation:
    """Bring them together."""
    return compare(vehicles, attempts, faults, proxies=["load_balancer"], lease_kwh=LEASE_KWH)
