"""The results of a measurement, and their file, from which the report is derived."""

from dataclasses import dataclass
from typing import ClassVar

from benchmarks.harness.results import Stored
from benchmarks.harness.throughput import Rush


@dataclass(frozen=True, slots=True)
class Times:
    """Times to charge nearly no energy, seconds."""

    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """Many vehicles at once, and others that arrived meanwhile."""

    vehicles: int
    charged: int
    lost: int
    memory_bytes: dict[str, float]  # memory per vehicle, by part
    alone: Times
    while_they_arrive: Times
    while_they_charge: Times


@dataclass(frozen=True, slots=True)
class ChoiceCost:
    """The cost of a policy's choice among this many substations."""

    policy: str
    substations: int
    median_us: float


@dataclass(frozen=True, slots=True)
class Many:
    """A balancer with this many substations, which themselves cost next to nothing."""

    policy: str
    substations: int
    per_s: float  # charges of no length
    p99_s: float
    cpu_s: float  # the balancer's CPU time per charge
    idle_cpu: float  # share of a CPU that it uses without charges
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class TopologyResult:
    """One topology; the rushes, one at a time and many at a time, are medians of their rounds."""

    key: str
    name: str
    rushes: list[Rush]
    held: list[Held]


@dataclass(frozen=True, slots=True)
class Results(Stored):
    """A whole measurement."""

    written_by: ClassVar[str] = "make bench-cost"
    machine: dict[str, str]
    versions: dict[str, str]
    took_s: float
    rounds: int
    skipped: dict[str, str]
    choices: list[ChoiceCost]
    many: list[Many]
    topologies: list[TopologyResult]
