"""One soak, from the grid's start to its counters."""

import csv
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.harness import machine
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.log_reconciliation import (
    AttemptsBySubstation,
    Told,
    miscounts,
    moved,
    since_start,
    total,
)
from benchmarks.soak.meter import Meter, Sample
from benchmarks.soak.options import Options
from benchmarks.soak.plan import plan
from benchmarks.soak.reconciliation import Injected, compare
from benchmarks.soak.results import MAX_FILES_LEFT, Results
from benchmarks.soak.testbed import LEASE_KWH, GridUnderTest, rate
from local_stack.process import Process
from local_stack.scrape import scrape
from local_stack.session_logs import attempts

_LOOK_EVERY_S = 0.2
_TELL_EVERY_S = 10.0
# Time between the grid's start and the first vehicle, until permanent connections are open,
# seconds.
_REST_S = 5.0
# Maximum time for the last vehicles, and until kept-alive connections are closed, seconds.
_LAST_VEHICLES_S = 150.0
_KEPT_ALIVE_S = 100.0


class Soak:
    """A run, which it reports on a console."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._seconds = options.minutes * 60
        self._began = 0.0  # time of the first vehicle, seconds of the epoch
        self._reported = 0.0

    def run(self) -> Results:
        """Run it.

        Raises:
            StartError: a part of the grid did not start (again).
            CannotMeasure: the load tester failed.
        """
        with (
            tempfile.TemporaryDirectory(prefix="soak-") as folder,
            GridUnderTest(Path(folder)) as testbed,
        ):
            self._began = time.time() + _REST_S
            meter = Meter(testbed.services, self._now)
            meter.start()
            time.sleep(_REST_S)
            before = meter.latest()
            vehicles = testbed.vehicles(
                seconds=self._seconds, load=self._options.load, seed=self._options.seed
            )
            try:
                vehicles.start()
                injected = self._inject_all(testbed, meter, vehicles)
                self._wait(meter, vehicles, until_s=self._seconds + _LAST_VEHICLES_S)
            finally:
                vehicles.kill()
            after = self._rest(meter, before)
            meter.stop()
            return self._results(testbed, meter, injected, before, after)

    def _now(self) -> float:
        return time.time() - self._began

    def _inject_all(
        self, testbed: GridUnderTest, meter: Meter, vehicles: Process
    ) -> list[Injected]:
        injections = plan(
            self._seconds,
            self._options.every_s,
            self._options.seed,
            substations=testbed.substations,
            proxies=testbed.proxies,
            steadfast=testbed.steadfast,
        )
        injected = []
        for number, inject in enumerate(injections, start=1):
            self._wait(meter, vehicles, until_s=inject.at_s)
            if not vehicles.running:
                raise CannotMeasure(f"the load tester ended early:\n{vehicles.log_tail()}")
            self._print_progress(f"fault {number}/{len(injections)}: {inject}")
            injected.append(Injected(inject, *testbed.inject(inject)))
        return injected

    def _wait(self, meter: Meter, vehicles: Process, *, until_s: float) -> None:
        """Wait for a time, or for the last vehicle."""
        while vehicles.running and self._now() < until_s:
            if self._now() - self._reported > _TELL_EVERY_S:
                self._reported = self._now()
                self._print_progress(_last_line(vehicles))
                self._print_progress(_use(meter.latest()))
            time.sleep(_LOOK_EVERY_S)

    def _rest(self, meter: Meter, before: Mapping[str, Sample]) -> Mapping[str, Sample]:
        """Wait until every part is at rest as before; return its final state."""
        self._print_progress("all vehicles are gone; waiting for connections to close")
        deadline = time.monotonic() + _KEPT_ALIVE_S
        while True:
            time.sleep(_REST_S)
            after = meter.latest()
            at_rest = all(
                after[part].files <= before[part].files + MAX_FILES_LEFT for part in before
            )
            if at_rest or time.monotonic() > deadline:
                return after

    def _results(
        self,
        testbed: GridUnderTest,
        meter: Meter,
        injected: list[Injected],
        before: Mapping[str, Sample],
        after: Mapping[str, Sample],
    ) -> Results:
        if not testbed.json_file.exists() or not testbed.json_file.stat().st_size:
            raise CannotMeasure("the load tester wrote no result")
        checked = json.loads(testbed.json_file.read_text())["books"]["findings"]
        logged = {
            substation.name: attempts(substation.log_file)
            for substation in testbed.grid.substations
        }
        return Results(
            minutes=self._options.minutes,
            load=self._options.load,
            seed=self._options.seed,
            rate=rate(self._options.load),
            began=self._began,
            injected=injected,
            lives=meter.lives,
            steadfast=testbed.steadfast,
            at_rest={part: (before[part].files, after[part].files) for part in before},
            reconciliation=compare(
                _read_told(testbed.each_file),
                logged,
                injected,
                proxies=testbed.proxies,
                lease_kwh=LEASE_KWH,
            ),
            findings=[
                *_miscounts(testbed, logged),
                *(one["text"] for one in checked if one["verdict"] == "error"),
            ],
            machine=machine.describe(),
        )

    def _print_progress(self, text: str) -> None:
        minutes, seconds = divmod(max(0, int(self._now())), 60)
        self._console.print(f"{minutes:02}:{seconds:02}  {text}")


def _read_told(file: Path) -> list[Told]:
    """Read what the load tester wrote, a row a vehicle."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            Told(
                row["vehicle_id"],
                float(row["kwh"]),
                row["outcome"] == "charged",
                row["substation"],
                row["session_id"],
                int(row["tries"]),
                row["reason"],
            )
            for row in csv.DictReader(lines)
        ]


def _miscounts(testbed: GridUnderTest, logged: AttemptsBySubstation) -> Iterator[str]:
    balancer, several = scrape(testbed.grid.balancer.url), moved(logged)
    for substation in testbed.grid.substations:
        name, counters = substation.name, scrape(substation.url)
        amended = total(balancer, "balancer_amended_charges_total", f'substation="{name}"')
        own, repeated = since_start(counters, logged[name]), amended + len(several[name])
        yield from miscounts(name, counters, own, repeated=repeated)


def _last_line(vehicles: Process) -> str:
    lines = vehicles.log_tail().splitlines()
    return lines[-1].strip() if lines else "vehicles set out"


def _use(latest: Mapping[str, Sample]) -> str:
    return " · ".join(
        f"{part} {sample.memory / (1 << 20):.0f} MiB, {sample.files} files"
        for part, sample in latest.items()
    )
