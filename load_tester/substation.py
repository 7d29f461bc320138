"""A substation during a run, from responses, decisions, samples and its own counters."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Reconciliation
from load_tester.vehicle import Charge


@dataclass(frozen=True, slots=True)
class SubstationSample:
    """A substation in `GET /substations`."""

    load: int
    capacity: int | None
    health: str


@dataclass(slots=True)
class GridSamples:
    """The contents of `GET /substations` during a run."""

    policy: str | None = None
    peak_waiting: int = 0
    waiting: list[tuple[float, int]] = field(default_factory=list)
    substations: dict[str, list[SubstationSample]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # name: address

    def absorb(self, page: Mapping[str, Any], time: float) -> None:
        """Add a page that was read at this time, seconds since the start of the run.

        Raises:
            ValueError: it is not a page of substations.
        """
        substations = page.get("substations")
        if not isinstance(substations, list):
            raise ValueError("/substations answered without `substations`")  # noqa: TRY004 - the page is wrong, not the program
        if isinstance(page.get("policy"), str):
            self.policy = page["policy"]
        waiting = page.get("waiting")
        if isinstance(waiting, int):
            self.peak_waiting = max(self.peak_waiting, waiting)
            self.waiting.append((time, waiting))
        for substation in substations:
            name = substation.get("name") if isinstance(substation, dict) else None
            if not isinstance(name, str):
                continue
            load, capacity = substation.get("load"), substation.get("capacity")
            if isinstance(substation.get("address"), str):
                self.addresses[name] = substation["address"]
            sample = SubstationSample(
                load if isinstance(load, int) else 0,
                capacity if isinstance(capacity, int) else None,
                str(substation.get("health", "unknown")),
            )
            self.substations.setdefault(name, []).append(sample)


@dataclass(frozen=True, slots=True)
class SubstationReport:
    """One row of the table of substations. None: unknown."""

    name: str
    vehicles: int
    kwh: float
    capacity: int | None
    peak_load: int | None
    counted: int | None  # growth of the substation's own counter of sessions
    counted_kwh: float | None
    ledger_kwh: float | None  # of all sessions in the ledger, including those of others
    metered_kwh: float | None  # growth of its meter
    unhealthy_samples: int


def report_substations(
    charges: Sequence[Charge],
    samples: GridSamples,
    decisions: DecisionRecords | None,
    reconciliation: Reconciliation,
) -> list[SubstationReport]:
    """Return the table of substations, by name."""
    vehicles: Counter[str] = Counter()
    energy: defaultdict[str, float] = defaultdict(float)
    for charge in charges:
        if charge.substation is not None and not charge.outcome.lost:
            vehicles[charge.substation] += 1
        for name, kwh in charge.answered_kwh.items():
            if name:
                energy[name] += kwh
    peaks = decisions.peaks if decisions is not None else {}
    names = sorted({*vehicles, *energy, *samples.substations, *peaks}, key=_natural)
    rows = []
    for name in names:
        seen = samples.substations.get(name, [])
        growth = reconciliation.growth.get(samples.addresses.get(name, ""))
        counted = None if growth is None or growth.gap else growth
        peak = peaks.get(name, (0, None))
        rows.append(
            SubstationReport(
                name,
                vehicles[name],
                energy[name],
                _last(sample.capacity for sample in seen) or peak[1],
                max([sample.load for sample in seen] + [peak[0]]),
                None if counted is None else round(counted.charged),
                None if counted is None else counted.kwh,
                reconciliation.ledger_kwh.get(name),
                None if growth is None else growth.metered_kwh,
                sum(sample.health != "up" for sample in seen),
            )
        )
    return rows


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _last(values: Iterable[int | None]) -> int | None:
    return next((value for value in reversed(list(values)) if value is not None), None)


def load_over_time(charges: Sequence[Charge], bins: int, end: float) -> dict[str, list[float]]:
    """Return each substation's mean load by this run's vehicles in `bins` intervals up to `end`.

    It is computed from the responses only, so it needs neither the balancer's clock nor its data: a
    vehicle was at its substation for the last `charging_s` seconds before its response. While the
    response travels, the next vehicle may already be at the same point; so these are means, not
    peaks.
    """
    stays: dict[str, list[tuple[float, float]]] = {}
    for charge in charges:
        if charge.substation is not None and charge.charging_s is not None:
            stay = (max(0.0, charge.ended - charge.charging_s), charge.ended)
            stays.setdefault(charge.substation, []).append(stay)
    width = end / bins if end > 0 else 1.0
    return {
        substation: _mean_load(stays[substation], bins, width)
        for substation in sorted(stays, key=_natural)
    }


def _mean_load(stays: Sequence[tuple[float, float]], bins: int, width: float) -> list[float]:
    """Distribute each stay over the intervals that it covers, in linear time."""
    load = [0.0] * bins
    change = [0.0] * (bins + 1)  # of the load in complete intervals
    for start, end in stays:
        first = min(bins - 1, int(start / width))
        last = min(bins - 1, int(end / width))
        if first == last:
            load[first] += (end - start) / width
            continue
        load[first] += (first + 1) - start / width
        load[last] += min(1.0, end / width - last)
        change[first + 1] += 1
        change[last] -= 1
    whole = 0.0
    for index in range(bins):
        whole += change[index]
        load[index] += whole
    return load
