"""Sends a scene's vehicles to the contender, and its bypass vehicles directly to a substation.

Open loop: each vehicle is sent when it is due, and its time is measured from then. It does not
retry: a refused vehicle leaves, as most would.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

import gevent
from gevent.pool import Group

from benchmarks.comparison.scenes import Scene
from benchmarks.harness.errors import CannotMeasure
from benchmarks.simulation.scenes import Event
from load_tester.client import Gateway
from load_tester.runner import Behaviour, Runner, Tally
from load_tester.vehicle import Charge, Outcome, Plan, Vehicle

VEHICLE_TAG, BYPASS_TAG = "ev-", "bypass vehicle-"


@dataclass(frozen=True, slots=True)
class TrafficRecord:
    """The results of all vehicles. `began` is in seconds of the epoch, times are relative to it."""

    began: float
    charges: Sequence[Charge]
    bypass_vehicles: Sequence[Charge]
    faults: Sequence[Event]  # with the times at which they were complete


class Traffic:
    """The vehicles of one scene."""

    def __init__(self, scene: Scene, balancer: str, substations: Sequence[str]) -> None:
        """Plan to send vehicles to a balancer's URL, and bypass vehicles to a substation's."""
        self._scene = scene
        self._runners = [_runner(balancer, scene.vehicles, VEHICLE_TAG, scene.patience_s)]
        if scene.bypass_vehicles:
            self._runners.append(
                _runner(substations[0], scene.bypass_vehicles, BYPASS_TAG, scene.patience_s)
            )

    @property
    def tally(self) -> Tally:
        """The balancer's vehicles so far."""
        return self._runners[0].tally

    @property
    def now(self) -> float:
        """Seconds since the start of the scene."""
        return self._runners[0].now

    def run(self, inject: Callable[[Event], object]) -> TrafficRecord:
        """Send all vehicles, inject the scene's faults, and wait until every vehicle has ended."""
        began = time.time()
        group = Group()
        for runner in self._runners:
            group.spawn(runner.run)
        gevent.sleep(0)
        happened: list[Event] = []
        for fault in self._scene.faults:
            gevent.sleep(max(0.0, fault.at - self.now))
            inject(fault)
            happened.append(fault._replace(at=self.now))
        group.join(raise_error=True)
        charges, *bypass_vehicles = (_whole(runner) for runner in self._runners)
        return TrafficRecord(
            began, charges, bypass_vehicles[0] if bypass_vehicles else [], happened
        )


def _whole(runner: Runner) -> Sequence[Charge]:
    """Return all charges; an error of the generator must not count against a contender."""
    unended = sum(charge.outcome is Outcome.CUT_SHORT for charge in runner.charges)
    missing = len(runner.plan.vehicles) - len(runner.charges) + unended
    if missing:
        raise CannotMeasure(f"the generator itself failed for {missing} vehicles: see above")
    return runner.charges


def _runner(url: str, vehicles: Sequence[Vehicle], tag: str, patience_s: float) -> Runner:
    gateway = Gateway(urlsplit(url), timeout=patience_s)
    gateway.addresses.in_turn()  # resolved before the clock starts
    return Runner(
        Plan("side by side", "", vehicles),
        gateway,
        Behaviour(patience=0.0, timeout=patience_s, tag=tag),
        clock=time.perf_counter,
        rng=Random(0),
    )
