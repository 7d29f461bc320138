"""One run: vehicles arrive, parts are killed, and in the end everything is compared."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.harness import databases, machine
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.grid import registers
from benchmarks.harness.reconciliation import Disconnection, Reconciliation, reconcile
from benchmarks.harness.vehicles import Arrivals, Vehicle
from benchmarks.kills import evidence, moments
from benchmarks.kills.options import Options
from benchmarks.kills.plan import Fault, Moment, What, faults
from benchmarks.kills.segments import Segment
from benchmarks.kills.testbed import LEASE_KWH, GridUnderTest, Part

_READY_WITHIN_S = 60.0
# Pause between faults: short ones hit the recovery from the fault before.
_CALM_S = (0.0, 0.5)
_LAST_VEHICLES_S = 180.0
_SETTLE_S = 5.0
_REPORT_EVERY = 25


@dataclass
class Results:
    """The results of a run.

    Attributes:
        segment: the segment.
        began: start, UTC.
        kills: number of parts that were killed.
        by_fault: how often each kind of fault was injected, in words.
        seconds: duration of the run.
        tries: number of the vehicles' requests.
        longest_s: longest time from a vehicle's first request to its end, seconds.
        settle_s: time from the last fault until every vehicle had ended, seconds.
        traced: whether parts could be killed at system calls.
        broke_off: why the run was aborted; None if it was not.
    """

    segment: Segment
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    kills: int = 0
    by_fault: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    tries: int = 0
    longest_s: float = 0.0
    settle_s: float = 0.0
    traced: bool = True
    broke_off: str | None = None
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    commit: str | None = field(default_factory=machine.commit)
    machine: dict[str, str] = field(default_factory=machine.describe)

    @property
    def troubles(self) -> dict[str, list[str]]:
        """The differences by kind, in words; empty if there are none."""
        broke_off = {} if self.broke_off is None else {"broke off": [self.broke_off]}
        return {**self.reconciliation.troubles, **broke_off}


class Run:
    """The run of one segment, which it reports on a console."""

    def __init__(self, segment: Segment, options: Options, folder: Path, console: Console) -> None:
        """Prepare; logs, ledger and journals go to a directory."""
        self._segment = segment
        self._rate = options.rate
        self._prints_faults = options.tell
        self._folder = folder
        self._console = console
        self._vehicles: Sequence[Vehicle] = ()
        self._disconnections: list[Disconnection] = []
        self._timers: list[threading.Timer] = []

    def run(self) -> Results:
        """Run it. An exception that aborts it is recorded in the results."""
        began = time.monotonic()
        results = Results(self._segment, traced=moments.can_trace())
        try:
            with ExitStack() as opened:
                server = None
                if self._segment.ledger == databases.POSTGRESQL:
                    own = self._folder / "postgresql"
                    server = opened.enter_context(databases.server(own))
                testbed = opened.enter_context(GridUnderTest(self._folder, server))
                rng = random.Random(f"vehicles/{self._segment.seed}")
                with Arrivals(testbed.grid.url, rng, self._rate) as arrivals:
                    self._vehicles = arrivals.vehicles
                    try:
                        self._inject(testbed, results)
                    finally:
                        for timer in self._timers:
                            timer.cancel()
                    injected = time.monotonic()
                    arrivals.finish(_LAST_VEHICLES_S)
                    results.settle_s = time.monotonic() - injected
                time.sleep(_SETTLE_S)  # so that broken sessions settle with the balancer
                results.reconciliation = self._reconcile(testbed)
        except (CannotMeasure, RuntimeError, OSError) as error:
            results.broke_off = f"{type(error).__name__}: {error}"
        results.seconds = time.monotonic() - began
        results.tries = sum(vehicle.tries for vehicle in self._vehicles)
        results.longest_s = max((one.longest_s for one in self._vehicles), default=0.0)
        return results

    def _inject(self, testbed: GridUnderTest, results: Results) -> None:
        rng = random.Random(f"pauses/{self._segment.seed}")
        drawn = faults(
            self._segment.seed,
            parts=list(testbed.parts),
            committing=testbed.committing,
            links=list(testbed.links),
        )
        reported = 0
        time.sleep(1.0)
        with (self._folder / evidence.FAULTS).open("w", encoding="utf-8") as log:
            while results.kills < self._segment.kills:
                fault = next(drawn)
                if self._prints_faults:
                    self._console.print(f"{results.kills:>5}  {fault}")
                line = {"time": datetime.now(UTC).isoformat(), "event": str(fault)}
                print(json.dumps(line), file=log, flush=True)
                self._play(testbed, fault, results)
                results.kills += fault.kills
                if not self._prints_faults and results.kills >= reported + _REPORT_EVERY:
                    reported = results.kills
                    self._print_progress(results)
                time.sleep(rng.uniform(*_CALM_S))
            for timer in self._timers:
                timer.join()
            testbed.wait_until_ready(testbed.parts, _READY_WITHIN_S)

    def _play(self, testbed: GridUnderTest, fault: Fault, results: Results) -> None:
        parts = [testbed.parts[name] for name in fault.targets if name in testbed.parts]
        moment = fault.moment
        match fault.what:
            case What.CUT:
                link = testbed.links[fault.targets[0]]
                testbed.cut(fault.targets[0], fault.way)
                self._end_later(fault, link.heal)
            case What.FREEZE:
                parts[0].freeze()
                self._end_later(fault, parts[0].thaw)
            case What.KILL:
                moment = self._kill(testbed, fault, parts, traced=results.traced)
        results.by_fault[f"{fault.what} {moment}" if fault.what is What.KILL else fault.what] += 1
        if fault.what is What.KILL and fault.waits:
            testbed.wait_until_ready(fault.targets, _READY_WITHIN_S)

    def _end_later(self, fault: Fault, end: Callable[[], None]) -> None:
        """End a fault when its time is over; others are injected meanwhile unless it waits."""
        began = time.time()

        def over() -> None:
            end()
            self._disconnections.append(Disconnection(fault.targets[0], began, time.time()))

        timer = threading.Timer(fault.hold_s, over)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)
        if fault.waits:
            timer.join()

    def _kill(
        self, testbed: GridUnderTest, fault: Fault, parts: Sequence[Part], *, traced: bool
    ) -> Moment:
        """Kill parts and restart them; return at which moment they died."""
        moment = fault.moment
        if moment is Moment.ENDED:
            moments.wait_for_end(testbed.log_files)
        elif moment in (Moment.COMMIT, Moment.SEND):
            pids = testbed.children(fault.targets[0])
            if not (traced and pids and moments.kill_at_call(pids, moment, fault.nth)):
                moment = Moment.ANY
        for part in parts:
            part.kill()
        time.sleep(fault.hold_s)
        for part in parts:
            part.start()
        return moment

    def _reconcile(self, testbed: GridUnderTest) -> Reconciliation:
        ledger = list(testbed.grid.sessions(testbed.grid.gateway))
        metered = registers(testbed.grid)
        for name, read in (
            ("vehicles", [asdict(one) for one in self._vehicles]),
            ("ledger", ledger),
            ("registers", metered),
        ):
            text = json.dumps(read, indent=1, default=sorted)
            (self._folder / f"{name}.json").write_text(text, encoding="utf-8")
        return reconcile(
            self._vehicles,
            ledger,
            metered,
            disconnections=self._disconnections,
            lease_kwh=LEASE_KWH,
        )

    def _print_progress(self, results: Results) -> None:
        ended = sum(vehicle.state is not None for vehicle in self._vehicles)
        self._console.print(
            f"{results.kills} of {self._segment.kills} killed; {ended} of {len(self._vehicles)} "
            "vehicles have their end",
        )
