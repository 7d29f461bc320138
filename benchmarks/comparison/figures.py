"""What a run shows of a contender: how its vehicles fared, and how it used the substations.

Pure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.comparison.limit import Limit, limit
from benchmarks.comparison.occupancy import Away, Occupancy, imbalance
from benchmarks.comparison.scenes import Fault, Scene
from benchmarks.comparison.testbed import Run
from load_tester.latency import Spread
from load_tester.vehicle import Charge, Outcome
from local_stack.session_logs import peak_load

# A point counts as free for a refused vehicle if it had been free for longer than this, seconds.
FREE_FOR_S = 0.05
# A log line is written a moment after what it tells of, and a busy machine makes that moment long:
# attempts that overlap by less than twice this, seconds, are taken to have followed each other.
_BLUR_S = 0.005
_NEVER = 1e9


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one contender in one scene.

    Times in seconds; imbalance in shares of a substation's points.
    """

    vehicles: int
    lost: int  # got no 200: refused, broken off, or gave up
    refused_while_free: int  # of the lost: told no although a point was free
    charged_twice: int
    mean_s: float  # from due to charged, of those charged; 0 where none was
    p50_s: float
    p99_s: float
    limit: Limit
    mean_imbalance: float
    worst_imbalance: float
    over_capacity: int  # most vehicles at a substation beyond its capacity
    sent_to_full: int  # times that a vehicle came to a substation that had to turn it away
    bypass_vehicles: int
    bypass_vehicles_turned_away: int
    latest_send_s: float  # how late the generator itself was, at worst
    others_share: float | None  # of the processors' time, used by others meanwhile; None: not known

    @property
    def ratio(self) -> float:
        """Mean time to charge over the limit's."""
        return self.mean_s / self.limit.mean_s

    @property
    def charged_all(self) -> bool:
        """Whether its times are those of all vehicles, so that they can be compared."""
        return not self.lost


def figures(scene: Scene, run: Run) -> Figures:
    """Sum a run up."""
    record = run.record
    substations = occupancies(scene, run)
    spread = Spread.of(
        charge.time_to_charge for charge in record.charges if charge.outcome is Outcome.CHARGED
    )
    balance = imbalance(substations, scene.ends_at)
    charged = Counter(
        attempt.vehicle_id
        for substation in run.attempts
        for attempt in substation
        if attempt.charged
    )
    return Figures(
        vehicles=len(record.charges),
        lost=sum(charge.outcome is not Outcome.CHARGED for charge in record.charges),
        refused_while_free=sum(_was_avoidable(charge, substations) for charge in record.charges),
        charged_twice=sum(times > 1 for times in charged.values()),
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


def as_seen(faults: Sequence[Fault], run: Run) -> list[Fault]:
    """Have a substation that was started again start at the moment at which it was ready."""
    return [
        Fault(run.ready_again.get(fault.substation, _NEVER), fault.what, fault.substation)
        if fault.what == "starts"
        else fault
        for fault in faults
    ]


def occupancies(scene: Scene, run: Run) -> list[Occupancy]:
    """Tell how full each substation was over the run."""
    faults = as_seen(run.record.faults, run)
    return [
        Occupancy(
            points,
            [
                (attempt.began - run.record.began, attempt.ended - run.record.began)
                for attempt in log
            ],
            _away(faults, number, scene.longest_s),
        )
        for number, (points, log) in enumerate(zip(scene.capacities, run.attempts, strict=True))
    ]


def _away(faults: Sequence[Fault], substation: int, longest_s: float) -> list[Away]:
    """List when a substation could not be used.

    What a killed substation held is not in its log, so it is not looked at from the moment on at
    which the first of those vehicles may have come.
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
    """Tell whether a vehicle was told no although a point had been free for a while."""
    if charge.outcome is Outcome.CHARGED or charge.status is None:
        return False
    return any(substation.was_free(charge.ended, FREE_FOR_S) for substation in substations)
