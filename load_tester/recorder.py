"""One run, from the first reading of the grid to the last: the runner and the monitor."""

import gc
import random
import secrets
import time
from datetime import UTC, datetime

from rich.console import Console

from load_tester.client import Gateway
from load_tester.latency import Spread
from load_tester.limits import Breaking, ServiceWatch, Thresholds
from load_tester.monitor import Monitor
from load_tester.options import Options
from load_tester.power import Point, known_points
from load_tester.progress import Progress
from load_tester.reconciliation.checks import reconcile
from load_tester.reconciliation.counters import GridCounters
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Reconciliation
from load_tester.reconciliation.ledger import LedgerRecords
from load_tester.result import Cost, Recording
from load_tester.runner import Behaviour, Runner
from load_tester.session_follower import SessionFollower
from load_tester.vehicle import Outcome, Plan


class Recorder:
    """Executes a plan and records the results."""

    def __init__(
        self,
        options: Options,
        plan: Plan,
        gateway: Gateway,
        console: Console,
    ) -> None:
        self._options, self._plan = options, plan
        self._gateway, self._console = gateway, console
        self._began = datetime.now(UTC)
        # Not from the seed: two runs with the same seed must not confuse their vehicles.
        tag = f"lt-{secrets.token_hex(4)}-"
        due = [vehicle.due for vehicle in plan.vehicles] if plan.stages else []
        self._service_watch = ServiceWatch(plan.stages, Thresholds.of(options), due)
        self.runner = Runner(
            plan,
            gateway,
            Behaviour(options.patience, options.timeout, tag, options.idempotent),
            clock=time.perf_counter,
            rng=random.Random(options.seed),  # noqa: S311 - jitter, not security
            watch=self._service_watch.observe if plan.stages else lambda _: False,
            follow=SessionFollower(options.url, options.api_key).follow
            if options.respond_async
            else None,
        )
        self._monitor = Monitor(
            options.url,
            now=lambda: self.runner.now,
            records=DecisionRecords(tag) if options.decisions else None,
            ledger=LedgerRecords(tag),
            substation_metrics=options.substation_metrics,
            api_key=options.api_key,
            on_waiting=self.runner.tally.note_waiting,
            decisions_fault="" if options.decisions else "not asked for",
        )

    def record(self) -> Recording:
        """Run, and return the recording."""
        before = self._monitor.begin()
        cost = self._run()
        self._monitor.finish()
        stages = self._plan.stages
        return Recording(
            self._plan,
            self.runner.charges,
            self._monitor.samples,
            self._monitor.records,
            self._monitor.decisions_fault,
            self._reconcile(before),
            Breaking.from_watch(self._service_watch, stages) if stages else None,
            cost,
            self._options,
            self._began,
            self._points(before),
        )

    def _points(self, before: GridCounters) -> list[Point]:
        reported = [
            substation.point
            for substation in before.substations.values()
            if substation and substation.point
        ]
        return known_points(reported, self._options.point_power_kw, self._options.time_scale)

    def _run(self) -> Cost:
        self._began = datetime.now(UTC)
        if self._monitor.records is not None:
            self._monitor.records.began = self._began.timestamp()
        gc.collect()
        gc.freeze()  # existing objects need no check at each collection
        cpu, wall = time.process_time(), time.perf_counter()
        progress = Progress(self._console, self.runner.tally, lambda: self.runner.now)
        self._monitor.start()
        progress.start()
        try:
            self.runner.run()
        finally:
            progress.finish()
        return Cost(
            time.perf_counter() - wall,
            time.process_time() - cpu,
            Spread.of(charge.lag for charge in self.runner.charges),
        )

    def _reconcile(self, before: GridCounters) -> Reconciliation:
        charges = self.runner.charges
        if not (self._options.check and charges):
            return Reconciliation()
        charged = sum(charge.outcome is Outcome.CHARGED for charge in charges)
        answered = {
            charge.session_id
            for charge in charges
            if charge.session_id and charge.outcome in (Outcome.CHARGED, Outcome.STOPPED)
        }
        return reconcile(
            charges,
            before,
            self._monitor.settle(lambda after: after.has_counted(charged, before), answered),
            self._monitor.records,
            self._began.timestamp(),
            several_gateways=self._gateway.addresses.several,
            substation_names={
                address: name for name, address in self._monitor.samples.addresses.items()
            },
            ledger=self._monitor.ledger,
            keyed_view=self._options.api_key is not None,
        )
