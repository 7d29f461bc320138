"""A whole measurement: the choice, charges of no length, and vehicles held at once."""

import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks.harness import machine, throughput
from benchmarks.harness.options import RESULTS
from benchmarks.harness.throughput import Rush, median_round
from benchmarks.overhead import choice, holding, many
from benchmarks.overhead.options import Options
from benchmarks.overhead.results import ChoiceCost, Held, Many, Results, TopologyResult
from benchmarks.overhead.topologies import WHOLE, WHOLE_HAPROXY, Topology, running

_AT_A_TIME = (1, 32)
_SUBSTATIONS = (3, 30, 300, 3_000)
# A proxy has two file descriptors for each vehicle that it holds.
_FILES = 20_000
# HAProxy is measured only for its memory, which grows linearly like ours.
_MAX_HELD = {WHOLE: 1_000_000, WHOLE_HAPROXY: 1_000}


class Measurement:
    """A measurement in progress, which it reports on a console."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._skipped: dict[str, str] = {}
        self._rushes: dict[Topology, dict[int, list[Rush]]] = defaultdict(lambda: defaultdict(list))
        self._held: dict[Topology, list[Held]] = defaultdict(list)

    def run(self) -> Results:
        """Measure everything.

        Raises:
            StartError: a process did not start.
            CannotMeasure: vehicles were not charged, or the limit on open files is too low.
        """
        began = time.monotonic()
        machine.check_files(_FILES)  # now, before the long measurements that do not need them
        choices = self._choose()
        if self._options.many:
            with tempfile.TemporaryDirectory(prefix="cost-") as folder:
                return replace(
                    Results.load(RESULTS / "overhead.json"),
                    choices=choices,
                    many=self._be_many(Path(folder)),
                )
        topologies = [
            topology
            for topology in self._options.topologies
            if not self._skip(topology.name, topology.missing())
        ]
        with tempfile.TemporaryDirectory(prefix="cost-") as folder:
            many: list[Many] = []
            if not self._skip("charges of no length", throughput.missing()):
                many = self._be_many(Path(folder))
                self._rush_all(topologies, Path(folder))
            self._hold_all(topologies, Path(folder))
        return Results(
            machine=machine.describe(),
            versions={name: version(name) for name in ("flask", "gevent", "gunicorn", "httptools")}
            | {
                topology.balancer.name: topology.balancer.version()
                for topology in topologies
                if topology.balancer
            },
            took_s=time.monotonic() - began,
            rounds=self._options.rounds,
            skipped=self._skipped,
            choices=choices,
            many=many,
            topologies=[
                TopologyResult(
                    topology.key,
                    topology.name,
                    [median_round(rounds) for rounds in self._rushes[topology].values()],
                    self._held[topology],
                )
                for topology in topologies
            ],
        )

    def _choose(self) -> list[ChoiceCost]:
        choices = [
            choice.measure(policy, substations)
            for policy in choice.CHOOSERS
            for substations in _SUBSTATIONS
        ]
        for one in choices:
            self._console.print(
                f"a choice, {one.policy}, {one.substations} substations: {one.median_us} µs"
            )
        return choices

    def _be_many(self, folder: Path) -> list[Many]:
        machine.allow_files(_FILES)
        rounds: dict[tuple[str, int], list[Many]] = defaultdict(list)
        sizes = (3, 300) if self._options.quick else _SUBSTATIONS
        for number in range(1, self._options.rounds + 1):
            for policy, substations in itertools.product(choice.CHOOSERS, sizes):
                row = many.measure(
                    policy,
                    substations,
                    folder / f"{number}-{policy}-{substations}",
                    idle_s=self._options.seconds,
                    seconds=self._options.seconds,
                )
                rounds[policy, substations].append(row)
                self._console.print(
                    f"round {number} of {self._options.rounds}, {policy}, {substations} "
                    f"substations: {row.per_s:,.0f} a second, p99 "
                    f"{row.p99_s * 1000:.1f} ms, {row.cpu_s * 1e6:.0f} µs of CPU; idle "
                    f"{row.idle_cpu:.1%}, {row.memory_bytes / 1024:,.0f} KB"
                )
        return [median_round(rows) for rows in rounds.values()]

    def _skip(self, name: str, why: str | None) -> bool:
        if why is not None:
            self._skipped[name] = why
            self._console.print(f"{name}: skipped, {why}")
        return why is not None

    def _rush_all(self, topologies: Sequence[Topology], folder: Path) -> None:
        for number in range(1, self._options.rounds + 1):
            for topology in topologies:
                with running(
                    topology,
                    folder / f"{number}-{topology.key}",
                    points=throughput.POINTS,
                    time_scale=throughput.TIME_SCALE,
                ) as hops:
                    for at_a_time in _AT_A_TIME:
                        rush = throughput.rush(
                            hops, folder, at_a_time=at_a_time, seconds=self._options.seconds
                        )
                        self._rushes[topology][at_a_time].append(rush)
                        self._console.print(
                            f"round {number} of {self._options.rounds}, {topology.name}, "
                            f"{at_a_time} at "
                            f"a time: {rush.per_s:,.0f} a second, p99 {rush.p99_s * 1000:.1f} ms"
                        )

    def _hold_all(self, topologies: Sequence[Topology], folder: Path) -> None:
        machine.allow_files(_FILES)
        probes = self._options.probes
        for vehicles in self._options.vehicles:
            for topology in topologies:
                if vehicles > _MAX_HELD.get(topology, 0):
                    continue
                self._console.print(
                    f"{topology.name}, {vehicles:,} vehicles at once: "
                    f"about {holding.charging_s(vehicles, probes) * 1.5:.0f} s ..."
                )
                place = folder / f"held-{vehicles}-{topology.key}"
                with running(
                    topology,
                    place,
                    points=holding.points(vehicles),
                    time_scale=holding.time_scale(vehicles, probes),
                ) as hops:
                    held = holding.hold(hops, place, vehicles=vehicles, probes=probes)
                self._held[topology].append(held)
                self._console.print(
                    f"    {held.lost} lost; others' p99 "
                    f"{held.while_they_charge.p99_s * 1000:.1f} ms, alone "
                    f"{held.alone.p99_s * 1000:.1f} ms"
                )
