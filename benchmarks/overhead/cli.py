"""The command: measures, prints progress, writes the report."""

import argparse
import itertools
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from benchmarks import interruption, machine, out
from benchmarks.overhead import choice, holding, many, report, throughput
from benchmarks.overhead.results import ChoiceCost, Held, Many, Results, Rush, TopologyResult, load
from benchmarks.overhead.topologies import TOPOLOGIES, WHOLE, WHOLE_HAPROXY, Topology, running
from local_stack.process import StartError

RESULTS = Path(__file__).resolve().parent.parent / "results"
_AT_A_TIME = (1, 32)
_SUBSTATIONS = (3, 30, 300, 3_000)
# A proxy has two file descriptors for each vehicle that it holds.
_FILES = 20_000
# HAProxy is measured only for its memory, which grows linearly like ours.
_MAX_HELD = {WHOLE: 1_000_000, WHOLE_HAPROXY: 1_000}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit status is 1 if a vehicle was lost or a choice costs too much."""
    options = parse(arguments)
    interruption.raise_on_signal()
    measurement = _Measurement(options, Console(highlight=False))
    try:
        results = measurement.run()
    except KeyboardInterrupt:
        measurement.say(interruption.WORDS)
        return interruption.STATUS
    except (StartError, RuntimeError) as error:
        measurement.say(f"error: {error}")
        return 1
    if options.out is None:
        measurement.say("\n" + report.write(results))
    else:
        results.save(options.out / "overhead.json")
        text = report.write(load(options.out / "overhead.json"))
        (options.out / "overhead.md").write_text(text, encoding="utf-8")
        measurement.say(f"written to {options.out}")
    dear = [one for one in results.choices if choice.is_too_dear(one)]
    for one in dear:
        measurement.say(f"error: a choice among {one.substations} costs {one.median_us} µs")
    return int(
        bool(dear) or any(held.lost for topology in results.topologies for held in topology.held)
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; an error ends the program with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead",
        description="Measure the cost of the balancer's choice, and of a charge, hop by hop, also "
        "with HAProxy or the simple proxy in the balancer's place; then hold thousands of vehicles "
        "at once.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, and 300 vehicles held"
    )
    parser.add_argument(
        "--ways",
        dest="topologies",
        type=_topologies,
        default=list(TOPOLOGIES),
        metavar="A,B",
        help=f"only these of {', '.join(topology.key for topology in TOPOLOGIES)}",
    )
    parser.add_argument(
        "--many",
        action="store_true",
        help="only the choice, and many substations; the rest of a report is kept",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        choices=range(1, 10),
        default=3,
        help="rounds in which the topologies, or the numbers of substations, take turns "
        "(default: 3)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="directory of the report; a whole run writes to benchmarks/results, any other prints "
        "it by default",
    )
    options = parser.parse_args(arguments)
    options.rounds, options.seconds = (1, 2) if options.quick else (options.rounds, 5)
    options.vehicles = (300,) if options.quick else (1_000, 5_000, 9_000)
    options.probes = 100 if options.quick else 400
    if options.out is None and not options.quick and options.topologies == list(TOPOLOGIES):
        options.out = RESULTS
    options.out = out.made(parser, options.out)
    return options


def _topologies(given: str) -> list[Topology]:
    every = {topology.key: topology for topology in TOPOLOGIES}
    try:
        return [every[key.strip()] for key in given.split(",")]
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"{error} is not one of {', '.join(every)}") from None


class _Measurement:
    """A measurement in progress, which it reports on a console."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options = options
        self._console = console
        self._skipped: dict[str, str] = {}
        self._rushes: dict[Topology, dict[int, list[Rush]]] = defaultdict(lambda: defaultdict(list))
        self._held: dict[Topology, list[Held]] = defaultdict(list)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def run(self) -> Results:
        """Measure everything.

        Raises:
            StartError: a process did not start.
            RuntimeError: vehicles were not charged, or the limit on open files is too low.
        """
        began = time.monotonic()
        _check_files(_FILES)  # now, before the long measurements that do not need them
        choices = self._choose()
        if self._options.many:
            with tempfile.TemporaryDirectory(prefix="cost-") as folder:
                return replace(
                    load(RESULTS / "overhead.json"),
                    choices=choices,
                    many=self._be_many(Path(folder)),
                )
        topologies = [
            topology
            for topology in self._options.topologies
            if not self._skip(topology.name, topology.missing())
        ]
        with tempfile.TemporaryDirectory(prefix="cost-") as folder:
            crowds: list[Many] = []
            if not self._skip("charges of no length", throughput.missing()):
                crowds = self._be_many(Path(folder))
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
            many=crowds,
            topologies=[
                TopologyResult(
                    topology.key,
                    topology.name,
                    [_median(rounds) for rounds in self._rushes[topology].values()],
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
            self.say(f"a choice, {one.policy}, {one.substations} substations: {one.median_us} µs")
        return choices

    def _be_many(self, folder: Path) -> list[Many]:
        allow_files(_FILES)
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
                self.say(
                    f"round {number} of {self._options.rounds}, {policy}, {substations} "
                    f"substations: {row.per_s:,.0f} a second, p99 "
                    f"{row.p99_s * 1000:.1f} ms, {row.cpu_s * 1e6:.0f} µs of CPU; idle "
                    f"{row.idle_cpu:.1%}, {row.memory_bytes / 1024:,.0f} KB"
                )
        return [many.median(rows) for rows in rounds.values()]

    def _skip(self, name: str, why: str | None) -> bool:
        if why is not None:
            self._skipped[name] = why
            self.say(f"{name}: skipped, {why}")
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
                        self.say(
                            f"round {number} of {self._options.rounds}, {topology.name}, "
                            f"{at_a_time} at "
                            f"a time: {rush.per_s:,.0f} a second, p99 {rush.p99_s * 1000:.1f} ms"
                        )

    def _hold_all(self, topologies: Sequence[Topology], folder: Path) -> None:
        allow_files(_FILES)
        probes = self._options.probes
        for vehicles in self._options.vehicles:
            for topology in topologies:
                if vehicles > _MAX_HELD.get(topology, 0):
                    continue
                self.say(
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
                self.say(
                    f"    {held.lost} lost; others' p99 "
                    f"{held.while_they_charge.p99_s * 1000:.1f} ms, alone "
                    f"{held.alone.p99_s * 1000:.1f} ms"
                )


def _median(rounds: Sequence[Rush]) -> Rush:
    """Return the round with the median rate (the lower one of two)."""
    middle = statistics.median_low([rush.per_s for rush in rounds])
    return next(rush for rush in rounds if rush.per_s == middle)


def _check_files(count: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise RuntimeError(f"{count} open files are needed and {hard} allowed; raise `ulimit -Hn`")


def allow_files(count: int) -> None:
    """Raise the limit on open files for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
