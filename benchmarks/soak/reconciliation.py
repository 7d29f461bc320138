"""Compares responses with logs, and tells which differences the injected faults excuse. Pure."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from benchmarks.harness.log_reconciliation import (
    AttemptsBySubstation,
    Reconciliation,
    Told,
    reconcile,
)
from benchmarks.harness.reconciliation import Disconnection
from benchmarks.soak.plan import Injection
from local_stack.session_logs import Attempt

# Maximum time of a response from a substation to the vehicle, seconds: a fault that takes away one
# of the hops within it takes the response with it.
_ON_ITS_WAY_S = 0.5


class Injected(NamedTuple):
    """A fault that happened; times in seconds of the epoch."""

    inject: Injection
    began: float
    ended: float

    def takes_answer(self, substation: str, attempt: Attempt, proxies: Collection[str]) -> bool:
        """Return whether the response to a charge was lost: behind a cut link, or with a hop."""
        match self.inject.what:
            case "kill" if self.inject.target in {substation, *proxies}:
                over = self.began
            case "cut" if self.inject.target == substation:
                over = self.ended
            case _:
                return False
        return self.began - _ON_ITS_WAY_S <= attempt.ended <= over + _ON_ITS_WAY_S


def compare(
    told: Sequence[Told],
    attempts: AttemptsBySubstation,
    injected: Sequence[Injected],
    *,
    proxies: Collection[str],
    lease_kwh: float,
) -> Reconciliation:
    """Compare.

    Args:
        told: the vehicles.
        attempts: the logged sessions of each substation.
        injected: the faults.
        proxies: names of the parts that pass responses on.
        lease_kwh: what a substation delivers at most to a vehicle while it hears nothing of it.
    """
    disconnections = [
        Disconnection(one.inject.target, one.began, one.ended)
        for one in injected
        if one.inject.what in ("cut", "freeze")
    ]
    return reconcile(
        told,
        attempts,
        is_answer_lost=lambda substation, attempt: any(
            one.takes_answer(substation, attempt, proxies) for one in injected
        ),
        excess_kwh=lambda substation, attempt: (
            lease_kwh
            * any(one.meets(substation, attempt.began, attempt.ended) for one in disconnections)
        ),
    )
