"""Sends a scene's vehicles to whatever stands in the balancer's place, and its strangers past it.

Open loop: each vehicle goes out when it is due, and its time runs from that moment. It asks once:
one that is refused drives away, as most would.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

import gevent
from gevent.pool import Group

from benchmarks.comparison.scenes import Fault, Scene
from load_tester.client import Gateway
from load_tester.runner import Manners, Runner, Tally
from load_tester.vehicle import Charge, Outcome, Plan, Vehicle

VEHICLE_TAG, STRANGER_TAG = "ev-", "stranger-"


@dataclass(frozen=True, slots=True)
class Trip:
    """What became of all vehicles. `began` is in seconds of the epoch, the rest counts from it."""

    began: float
    charges: Sequence[Charge]
    strangers: Sequence[Charge]
    faults: Sequence[Fault]  # at the moments at which they were over


class Traffic:
    """One scene's vehicles on the road."""

    def __init__(self, scene: Scene, balancer: str, substations: Sequence[str]) -> None:
        """Plan to send a scene's vehicles to a balancer's URL, its strangers to a substation's."""
        self._scene = scene
        self._runners = [_runner(balancer, scene.vehicles, VEHICLE_TAG, scene.patience_s)]
        if scene.strangers is not None:
            url = substations[scene.strangers.substation]
            self._runners.append(
                _runner(url, scene.strangers.vehicles, STRANGER_TAG, scene.patience_s)
            )

    @property
    def tally(self) -> Tally:
        """The balancer's vehicles so far."""
        return self._runners[0].tally

    @property
    def now(self) -> float:
        """Seconds since the first could have been due."""
        return self._runners[0].now

    def run(self, befall: Callable[[Fault], object]) -> Trip:
        """Send all, let the scene's faults happen, and wait until every vehicle has its end."""
        began = time.time()
        group = Group()
        for runner in self._runners:
            group.spawn(runner.run)
        gevent.sleep(0)
        happened: list[Fault] = []
        for fault in self._scene.faults:
            gevent.sleep(max(0.0, fault.at - self.now))
            befall(fault)
            happened.append(Fault(self.now, fault.what, fault.substation))
        group.join(raise_error=True)
        charges, *strangers = (_whole(runner) for runner in self._runners)
        return Trip(began, charges, strangers[0] if strangers else [], happened)


def _whole(runner: Runner) -> Sequence[Charge]:
    """Return all charges; a fault of the generator must not pass for a rival's."""
    unended = sum(charge.outcome is Outcome.CUT_SHORT for charge in runner.charges)
    missing = len(runner.plan.vehicles) - len(runner.charges) + unended
    if missing:
        raise RuntimeError(f"the generator itself failed for {missing} vehicles: see above")
    return runner.charges


def _runner(url: str, vehicles: Sequence[Vehicle], tag: str, patience_s: float) -> Runner:
    gateway = Gateway(urlsplit(url), timeout=patience_s)
    gateway.addresses.in_turn()  # looked up before the clock runs, not by the first vehicle
    return Runner(
        Plan("side by side", "", vehicles),
        gateway,
        Manners(patience=0.0, timeout=patience_s, tag=tag),
        clock=time.perf_counter,
        rng=Random(0),
    )
