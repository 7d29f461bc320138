"""What a measurement found, and how it is kept in a file: the report is drawn from it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Rush:
    """Charges of no length, as fast as they are answered."""

    at_a_time: int
    per_s: float
    p50_s: float
    p99_s: float
    cpu_s: dict[str, float]  # by part: CPU time for each charge
    machine_busy: float  # share of all processors, by whomever


@dataclass(frozen=True, slots=True)
class Times:
    """Times to charge of next to nothing, seconds."""

    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """Many vehicles at once, and others that came meanwhile."""

    vehicles: int
    charged: int
    lost: int
    memory_bytes: dict[str, float]  # by part: for each vehicle
    alone: Times
    while_they_arrive: Times
    while_they_charge: Times


@dataclass(frozen=True, slots=True)
class ChoiceCost:
    """What a policy's choice among so many substations costs."""

    policy: str
    substations: int
    median_us: float


@dataclass(frozen=True, slots=True)
class Many:
    """A balancer with so many substations, which themselves cost next to nothing."""

    policy: str
    substations: int
    per_s: float  # charges of no length
    p99_s: float
    cpu_s: float  # the balancer's CPU time for each charge
    idle_cpu: float  # share of a processor that it takes without any
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class TopologyResult:
    """One way; the rushes one at a time and many at a time are each the median of their rounds."""

    key: str
    name: str
    rushes: list[Rush]
    held: list[Held]


@dataclass(frozen=True, slots=True)
class Results:
    """A whole measurement."""

    machine: dict[str, str]
    versions: dict[str, str]
    took_s: float
    rounds: int
    skipped: dict[str, str]
    choices: list[ChoiceCost]
    many: list[Many]
    topologies: list[TopologyResult]

    def save(self, file: Path) -> None:
        """Write everything as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load(file: Path) -> Results:
    """Read what `Results.save` wrote."""
    return TypeAdapter(Results).validate_json(file.read_bytes())
