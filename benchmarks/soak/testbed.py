"""The grid under test: its processes, a fault proxy in front of each substation, and vehicles."""

import os
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Self

from benchmarks.soak.plan import Injection
from load_tester.demand import WORKPLACE
from local_stack import faults
from local_stack.fault_proxy import FaultProxy
from local_stack.grid import DEFAULT_POINTS, Grid, Ports
from local_stack.process import Process

_POINT_POWER_KW = 50
# Twice the default: 20 vehicles a second at 80% load. What parts keep of the last vehicles, such as
# 4096 decisions, has then been replaced a few times before memory is measured.
_TIME_SCALE = 720
_READY_WITHIN_S = 30.0
# How long a vehicle retries after a broken connection or a refusal, seconds: long enough to clear
# the queue after a fault, with a fifth of the capacity to spare.
_PATIENCE_S = 300


def rate(load: float) -> float:
    """Return the vehicles per second that request this share of the grid's capacity."""
    kwh_per_s = sum(DEFAULT_POINTS) * _POINT_POWER_KW * _TIME_SCALE / 3600
    return load * kwh_per_s / WORKPLACE.mean


class GridUnderTest:
    """A grid with faults in its parts and links. As a context manager it starts and ends it."""

    def __init__(self, folder: Path) -> None:
        """Prepare everything on free loopback ports; logs go to a directory."""
        substations = len(DEFAULT_POINTS)
        ports, fronts = Ports.free(substations), Ports.free(substations).substations
        self._folder = folder
        self._fronts = dict(zip(ports.substations, fronts, strict=True))
        names = [f"substation{number}" for number in range(1, substations + 1)]
        self.grid = Grid(
            folder / "grid",
            ports=ports,
            substation_env={
                "POINT_POWER_KW": str(_POINT_POWER_KW),
                "TIME_SCALE": str(_TIME_SCALE),
            },
            balancer_env={
                "SUBSTATIONS": ",".join(
                    f"{name}=http://127.0.0.1:{port}"
                    for name, port in zip(names, fronts, strict=True)
                )
            },
        )
        self.links: dict[str, FaultProxy] = {}
        self.parts: Mapping[str, Process] = {part.name: part for part in self.grid.services}
        self.substations = [substation.name for substation in self.grid.substations]
        self.proxies = [self.grid.balancer.name, self.grid.gateway.name]
        # One of each service, whose memory is tracked.
        self.steadfast = [self.substations[0], *self.proxies]
        self.each_file, self.json_file = folder / "each.csv", folder / "result.json"

    def __enter__(self) -> Self:
        try:
            for substation in self.grid.substations:
                self.links[substation.name] = FaultProxy(
                    self._fronts[substation.port], substation.port
                )
            self.grid.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.grid.kill()
        for link in self.links.values():
            link.close()

    def vehicles(self, *, seconds: float, load: float, seed: int) -> Process:
        """Return the load tester, not yet started, for this duration and share of load."""
        return Process(
            "load_tester",
            [
                *(sys.executable, "-m", "load_tester", "--url", self.grid.url),
                *("soak", "--rate", f"{rate(load):.3f}", "--duration", f"{seconds:g}"),
                *("--seed", str(seed), "--patience", str(_PATIENCE_S)),
                *("--json", str(self.json_file), "--each", str(self.each_file)),
            ],
            env=os.environ,
            port=0,
            log=self._folder / "load_tester.log",
        )

    def inject(self, inject: Injection) -> tuple[float, float]:
        """Inject a fault, and wait until its target is ready again.

        Returns:
            When it began and ended, seconds of the epoch.
        """
        began = time.time()
        match inject.what:
            case "slow":
                faults.slow(self.links[inject.target], inject.hold_s)
            case "cut":
                faults.cut(self.links[inject.target], inject.hold_s)
            case "kill":
                faults.kill(self.parts[inject.target], inject.hold_s)
            case "freeze":
                faults.freeze(self.parts[inject.target], inject.hold_s)
            case "restart":
                faults.restart(self.parts[inject.target])
        ended = time.time()
        part = self.parts[inject.target]
        part.wait_until(partial(part.answers, "/readyz"), _READY_WITHIN_S)
        return began, ended
