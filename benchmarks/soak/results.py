"""A soak's results, and the assertions on them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.harness.findings import Finding
from benchmarks.harness.log_reconciliation import Reconciliation
from benchmarks.soak.meter import Life, Sample
from benchmarks.soak.reconciliation import Injected
from benchmarks.soak.slope import Slope, binned, theil_sen

# Growth of a part's memory over the second half that is tolerated: with 95% confidence it is less,
# bytes per second. At 1 MiB in 10 minutes a container of 512 MiB would take three days to fill.
MAX_GROWTH = (1 << 20) / 600
# A shorter second half shows the allocator's behaviour, not leaks, seconds.
MIN_HALF_S = 480.0
BIN_S = 10.0
# Open files at rest may differ by this many: kept-alive connections.
MAX_FILES_LEFT = 16


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a run.

    Attributes:
        minutes: how long vehicles arrived.
        load: share of the grid's capacity that they requested.
        seed: seed of vehicles and faults.
        rate: vehicles per second.
        began: start of the run, seconds of the epoch.
        injected: the faults, in order.
        lives: each part's measurements, from each start to its end.
        steadfast: the parts that live through the second half.
        at_rest: open files of each part before the first vehicle, and after the last.
        reconciliation: results of the vehicles.
        findings: counters that differ from the logs, and what the load tester found wrong.
        machine: the machine it ran on.
    """

    minutes: float
    load: float
    seed: int
    rate: float
    began: float
    injected: Sequence[Injected]
    lives: Sequence[Life]
    steadfast: Sequence[str]
    at_rest: Mapping[str, tuple[int, int]]
    reconciliation: Reconciliation
    findings: Sequence[str]
    machine: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """How long vehicles arrived, seconds."""
        return self.minutes * 60

    @property
    def parts(self) -> list[str]:
        """The parts' names, in order."""
        return list(self.at_rest)

    def second_half(self, part: str) -> list[Sample]:
        """Return the second half's samples of a part's longest life in it."""
        halves = [
            life.between(self.seconds / 2, self.seconds) for life in self.lives if life.part == part
        ]
        return max(halves, key=len, default=[])

    def growth(self, part: str) -> Slope | None:
        """Return the growth of a part's memory in the second half, bytes per second."""
        points = binned([(one.at_s, float(one.memory)) for one in self.second_half(part)], BIN_S)
        return theil_sen(points) if len(points) >= 3 else None


def findings(results: Results) -> Iterator[Finding]:
    """Check the results."""
    reconciliation = results.reconciliation
    yield Finding(
        "no vehicle is lost",
        _first(
            f"{reconciliation.charged} of {reconciliation.vehicles} charged", reconciliation.lost
        ),
        not reconciliation.lost and reconciliation.vehicles > 0,
    )
    yield Finding(
        "no vehicle is charged twice",
        _first(f"{len(reconciliation.twice)} twice", reconciliation.twice),
        not reconciliation.twice,
    )
    differences = [*reconciliation.unlogged, *reconciliation.differing, *results.findings]
    yield Finding(
        "answers, logs and counters add up",
        _first(
            f"{reconciliation.kwh_told:,.1f} kWh told, {reconciliation.kwh_logged:,.1f} "
            "logged; "
            f"{len(reconciliation.unlogged)} answers without a charge",
            differences,
        ),
        not differences,
    )
    for part in results.steadfast:
        yield _memory(results, part)
    for part, (before, after) in results.at_rest.items():
        yield Finding(
            f"{part} has closed its files and connections",
            f"{before} open before the first vehicle, {after} after the last",
            after <= before + MAX_FILES_LEFT,
        )


def _memory(results: Results, part: str) -> Finding:
    words = f"{part}'s memory is flat"
    growth = results.growth(part)
    evidence = f"{format_growth(growth)} MiB in 10 minutes" if growth else "not measured"
    if results.seconds / 2 < MIN_HALF_S:
        return Finding(words, f"{evidence}; too short a run to tell", kept=None)
    return Finding(words, evidence, growth is not None and growth.high < MAX_GROWTH)


def format_growth(growth: Slope) -> str:
    """Format a growth and its 95% interval, MiB in 10 minutes."""
    mib = [value * 600 / (1 << 20) for value in (growth.estimate, growth.low, growth.high)]
    return f"{mib[0]:+.2f} ({mib[1]:+.2f} to {mib[2]:+.2f})"


def _first(text: str, troubles: Sequence[str]) -> str:
    return f"{text}; first: {troubles[0]}" if troubles else text
