"""The grid under test, with faults in its parts and links, and the vehicles."""

import time
from functools import partial
from pathlib import Path

from benchmarks.harness.grid import LinkedGrid, load_tester
from benchmarks.soak.plan import Injection
from load_tester.demand import WORKPLACE
from local_stack import faults
from local_stack.grid import DEFAULT_POINTS
from local_stack.process import Process

# Of a point, twice the default: 20 vehicles a second at 80% load. What parts keep of the last
# vehicles, such as 4096 decisions, has then been replaced a few times before memory is measured.
_KWH_PER_S = 10.0
# What a substation delivers at most to a vehicle of which it hears nothing: its lease is 2.8 s.
LEASE_KWH = 2.8 * _KWH_PER_S
_READY_WITHIN_S = 30.0
# How long a vehicle retries after a broken connection or a refusal, seconds: long enough to clear
# the queue after a fault, with a fifth of the capacity to spare.
_PATIENCE_S = 300


def rate(load: float) -> float:
    """Return the vehicles per second that request this share of the grid's capacity."""
    return load * sum(DEFAULT_POINTS) * _KWH_PER_S / WORKPLACE.mean


class GridUnderTest(LinkedGrid):
    """A grid with a fault proxy in front of each substation."""

    def __init__(self, folder: Path) -> None:
        """Prepare everything on free loopback ports; logs go to a directory."""
        super().__init__(folder, _KWH_PER_S)
        self.substations = [substation.name for substation in self.grid.substations]
        self.proxies = [self.grid.balancer.name, self.grid.gateway.name]
        # One of each service, whose memory is tracked.
        self.steadfast = [self.substations[0], *self.proxies]
        self.each_file, self.json_file = folder / "each.csv", folder / "result.json"
        self._log = folder / "load_tester.log"

    def vehicles(self, *, seconds: float, load: float, seed: int) -> Process:
        """Return the load tester, not yet started, for this duration and share of load."""
        return load_tester(
            *(self.grid.url, self._log),
            *("soak", "--rate", f"{rate(load):.3f}", "--duration", f"{seconds:g}"),
            *("--seed", str(seed), "--patience", str(_PATIENCE_S)),
            *("--json", str(self.json_file), "--each", str(self.each_file)),
        )

    def inject(self, inject: Injection) -> tuple[float, float]:
        """Inject a fault, and wait until its target is ready again.

        Returns:
            When it began and ended, seconds of the epoch.
        """
        began = time.time()
        part = self.services[inject.target]
        match inject.what:
            case "slow":
                faults.slow(self.links[inject.target], inject.hold_s)
            case "cut":
                faults.cut(self.links[inject.target], inject.hold_s)
            case "kill":
                faults.kill(part, inject.hold_s)
            case "freeze":
                faults.freeze(part, inject.hold_s)
            case "restart":
                part.restart()
        ended = time.time()
        part.wait_until(partial(part.answers, "/readyz"), _READY_WITHIN_S)
        return began, ended
