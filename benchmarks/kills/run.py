"""One run: vehicles come, parts die, and in the end everything is reckoned up."""

import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.kills import moments
from benchmarks.kills.options import Options
from benchmarks.kills.plan import Fault, Moment, What, faults
from benchmarks.kills.reckoning import Reckoning, reckon
from benchmarks.kills.stage import LEASE_KWH, Stage
from benchmarks.kills.vehicles import Driver, Vehicle, draw

_READY_WITHIN_S = 60.0
# Between faults: from one that everything survived on its own to one that hits the recovery.
_CALM_S = (0.0, 0.8)
_LAST_VEHICLES_S = 180.0
_SETTLE_S = 5.0
_TELL_EVERY = 25


@dataclass
class Results:
    """What was done and seen.

    Attributes:
        kills: parts that were killed.
        by_fault: how often each kind struck, in words.
        seconds: how long the run took.
        tries: requests that the vehicles made.
        longest_s: longest time from a vehicle's first request to its end, seconds.
        settle_s: time from the last fault until every vehicle had its end, seconds.
    """

    options: Options
    kills: int = 0
    by_fault: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    tries: int = 0
    longest_s: float = 0.0
    settle_s: float = 0.0
    traced: bool = True
    reckoning: Reckoning = field(default_factory=Reckoning)
    machine: dict[str, str] = field(default_factory=machine.describe)


class Run:
    """A run, told on a console as it goes."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._vehicles: list[Vehicle] = []
        self._drivers: list[threading.Thread] = []
        self._give_up = threading.Event()
        self._arrive = threading.Event()
        self._cut_off: set[str] = set()

    def run(self) -> Results:
        """Run it.

        Raises:
            StartError: a part did not come up again.
            RuntimeError: PostgreSQL is asked for and not installed.
        """
        began = time.monotonic()
        results = Results(self._options, traced=moments.can_trace())
        with tempfile.TemporaryDirectory(prefix="kills-", dir="/tmp") as folder:
            Path(folder).chmod(0o755)
            with Stage(Path(folder), postgresql=self._options.postgresql) as stage:
                arrivals = threading.Thread(target=self._arrivals, args=(stage.grid.url,))
                arrivals.start()
                try:
                    self._strike(stage, results)
                    self._finish(stage, arrivals, results)
                finally:
                    self._arrive.set()
                    self._give_up.set()
                results.reckoning = self._reckon(stage)
        results.seconds = time.monotonic() - began
        results.tries = sum(vehicle.tries for vehicle in self._vehicles)
        results.longest_s = max((one.longest_s for one in self._vehicles), default=0.0)
        return results

    def _arrivals(self, url: str) -> None:
        rng = random.Random(f"vehicles/{self._options.seed}")
        while not self._arrive.wait(rng.expovariate(self._options.rate)):
            vehicle = draw(len(self._vehicles) + 1, rng)
            driver = threading.Thread(target=Driver(url, vehicle, self._give_up).drive, daemon=True)
            self._vehicles.append(vehicle)
            self._drivers.append(driver)
            driver.start()

    def _strike(self, stage: Stage, results: Results) -> None:
        rng = random.Random(f"pauses/{self._options.seed}")
        drawn = faults(
            self._options.seed,
            parts=list(stage.parts),
            committing=stage.committing,
            links=list(stage.links),
        )
        time.sleep(1.0)
        while results.kills < self._options.kills:
            fault = next(drawn)
            if self._options.tell:
                self._console.print(f"{results.kills:>5}  {fault}", markup=False)
            self._play(stage, fault, results)
            results.kills += fault.kills
            if not self._options.tell and fault.kills and results.kills % _TELL_EVERY == 0:
                self._tell(results)
            time.sleep(rng.uniform(*_CALM_S))

    def _play(self, stage: Stage, fault: Fault, results: Results) -> None:
        parts = [stage.parts[name] for name in fault.targets if name in stage.parts]
        moment = fault.moment
        match fault.what:
            case What.CUT:
                self._cut_off.update(fault.targets)
                stage.cut(fault.targets[0], fault.way)
                time.sleep(fault.hold_s)
                stage.links[fault.targets[0]].heal()
            case What.FREEZE:
                parts[0].freeze()
                time.sleep(fault.hold_s)
                parts[0].thaw()
            case What.KILL:
                if moment is Moment.ENDED:
                    moments.wait_for_end(stage.log_files)
                elif moment in (Moment.COMMIT, Moment.SEND):
                    pids = stage.children(fault.targets[0])
                    if not (results.traced and moments.kill_at_call(pids, moment, fault.nth)):
                        moment = Moment.ANY
                for part in parts:
                    part.kill()
                time.sleep(fault.hold_s)
                for part in parts:
                    part.start()
        results.by_fault[f"{fault.what} {moment}" if fault.what is What.KILL else fault.what] += 1
        for part in parts:
            part.wait_until(part.missing, _READY_WITHIN_S)

    def _finish(self, stage: Stage, arrivals: threading.Thread, results: Results) -> None:
        """Let the last vehicles come to their ends."""
        self._arrive.set()
        arrivals.join()
        for link in stage.links.values():
            link.heal()
        began = time.monotonic()
        deadline = began + _LAST_VEHICLES_S
        for driver in self._drivers:
            driver.join(max(0.0, deadline - time.monotonic()))
        results.settle_s = time.monotonic() - began
        time.sleep(_SETTLE_S)  # what was cut off settles with its balancer

    def _reckon(self, stage: Stage) -> Reckoning:
        return reckon(
            self._vehicles,
            stage.ledger(),
            stage.registers(),
            cut_off=dict.fromkeys(self._cut_off, LEASE_KWH),
        )

    def _tell(self, results: Results) -> None:
        ended = sum(vehicle.state is not None for vehicle in self._vehicles)
        self._console.print(
            f"{results.kills} of {self._options.kills} killed; {ended} of {len(self._vehicles)} "
            "vehicles have their end",
            markup=False,
        )
