"""The figures of a contender's run: times of its vehicles, and use of the substations. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from benchmarks.comparison.limit import Limit, limit
from benchmarks.comparison.occupancy import Away, Occupancy, imbalance
from benchmarks.comparison.scenes import Scene
from benchmarks.comparison.testbed import Run
from benchmarks.simulation.scenes import Event
from load_tester.latency import Spread
from load_tester.vehicle import Charge, Outcome
from local_stack.session_logs import peak_load

# A refusal counts as avoidable if a point had been free for longer than this, seconds.
FREE_FOR_S = 0.05
# A log line is written slightly after its event, on a busy machine even later. Attempts that
# overlap by less than twice this count as consecutive, seconds.
_BLUR_S = 0.005
# Logs give the energy of an attempt to the Wh; a vehicle has few of them.
_ROUNDING_KWH = 0.01
_NEVER = 1e9


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one contender in one scene.

    Times in seconds; imbalance as a share of a substation's points.
    """

    vehicles: int
    lost: int  # got no 200: refused, disconnected, or gave up
    refused_while_free: int  # of the lost: refused although a point was free
    charged_twice: int
    mean_s: float  # from due to charged, for charged vehicles; 0 if there were none
    p50_s: float
    p99_s: float
    limit: Limit
    mean_imbalance: float
    worst_imbalance: float
    over_capacity: int  # maximum number of vehicles at a substation beyond its capacity
    sent_to_full: int  # number of vehicles sent to a substation that had to refuse them
    bypass_vehicles: int
    bypass_vehicles_turned_away: int
    latest_send_s: float  # maximum delay of the generator itself
    others_share: float | None  # share of CPU time used by other programs; None: unknown

    @property
    def ratio(self) -> float:
        """Mean time to charge relative to the limit's."""
        return self.mean_s / self.limit.mean_s

    @property
    def charged_all(self) -> bool:
        """Whether its times are those of all vehicles, so that they can be compared."""
        return not self.lost


def figures(scene: Scene, run: Run) -> Figures:
    """Compute the figures of a run."""
    record = run.record
    substations = occupancies(scene, run)
    spread = Spread.of(
        charge.time_to_charge for charge in record.charges if charge.outcome is Outcome.CHARGED
    )
    balance = imbalance(substations, scene.ends_at)
    return Figures(
        vehicles=len(record.charges),
        lost=sum(charge.outcome is not Outcome.CHARGED for charge in record.charges),
        refused_while_free=sum(_was_avoidable(charge, substations) for charge in record.charges),
        charged_twice=_charged_twice(run),
        mean_s=spread.mean if spread else 0.0,
        p50_s=spread.p50 if spread else 0.0,
        p99_s=spread.p99 if spread else 0.0,
        limit=limit(scene, as_seen(record.faults, run)),
        mean_imbalance=balance.mean,
        worst_imbalance=balance.worst,
        over_capacity=max(
            max(0, peak_load(substation, blur_s=_BLUR_S) - points)
            for substation, points in zip(run.attempts, scene.capacities, strict=True)
        ),
        sent_to_full=run.refused_by_substations,
        bypass_vehicles=len(record.bypass_vehicles),
        bypass_vehicles_turned_away=sum(
            charge.outcome is not Outcome.CHARGED for charge in record.bypass_vehicles
        ),
        latest_send_s=max(charge.lag for charge in record.charges),
        others_share=run.others_share,
    )


def _charged_twice(run: Run) -> int:
    """Return how many vehicles got more than they asked for in attempts that charged to the end.

    Several attempts may be right: energy that a killed substation may have delivered is charged
    elsewhere once it is known that it did not.
    """
    charged_kwh: dict[str, float] = defaultdict(float)
    for attempt in chain.from_iterable(run.attempts):
        if attempt.charged:
            charged_kwh[attempt.vehicle_id] += attempt.delivered_kwh
    return sum(
        charged_kwh[charge.vehicle_id] > charge.vehicle.kwh + _ROUNDING_KWH
        for charge in (*run.record.charges, *run.record.bypass_vehicles)
    )


def as_seen(faults: Sequence[Event], run: Run) -> list[Event]:
    """Return the faults, with restarted substations starting when they were ready."""
    return [
        fault._replace(at=run.ready_again.get(fault.substation, _NEVER))
        if fault.what == "starts"
        else fault
        for fault in faults
    ]


def occupancies(scene: Scene, run: Run) -> list[Occupancy]:
    """Return how full each substation was over the run."""
    faults = as_seen(run.record.faults, run)
    return [
        Occupancy(
            spec.capacity,
            [
                (attempt.began - run.record.began, attempt.ended - run.record.began)
                for attempt in log
            ],
            _away(faults, spec.name, scene.longest_s),
        )
        for spec, log in zip(scene.substations, run.attempts, strict=True)
    ]


def _away(faults: Sequence[Event], substation: str, longest_s: float) -> list[Away]:
    """Return when a substation could not be used.

    The log of a killed substation lacks the vehicles that it had, so it is excluded from when the
    first of them may have arrived.
    """
    away: list[Away] = []
    since: float | None = None
    for fault in faults:
        if fault.substation != substation:
            continue
        if fault.what in ("is killed", "freezes"):
            since = fault.at - (longest_s if fault.what == "is killed" else 0.0)
        elif since is not None:
            away.append(Away(since, fault.at))
            since = None
    if since is not None:
        away.append(Away(since, _NEVER))
    return away


def _was_avoidable(charge: Charge, substations: Sequence[Occupancy]) -> bool:
    """Return whether a vehicle was refused although a point had been free for a while."""
    if charge.outcome is Outcome.CHARGED or charge.status is None:
        return False
    return any(substation.was_free(charge.ended, FREE_FOR_S) for substation in substations)
