"""Whether what vehicles were told, what substations logged and what everybody counted agree.

Pure.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from local_stack.session_logs import Visit
from tests.support.fleet import Ride

# What rounding takes from a visit's kWh in the log, or adds to it, at most.
_ROUNDED_KWH = 0.00051

Counters = Mapping[str, float]
VisitsBySubstation = Mapping[str, Sequence[Visit]]


@dataclass(frozen=True)
class Figures:
    """What became of a scene's vehicles.

    Attributes:
        tried: vehicles that asked for a charge.
        charged: those that were told that they are charged.
        came_again: those that were told to come back, or lost their connection, and came again.
        lost: those that were never charged.
        charged_twice: those that substations charged to the end more than once.
        back_s: seconds from the end of the fault until the grid saw every part well.
    """

    tried: int
    charged: int
    came_again: int
    lost: int
    charged_twice: int
    back_s: float


def add_up(rides: Sequence[Ride], visits: VisitsBySubstation, back_s: float) -> Figures:
    """Count what became of a scene's vehicles."""
    charges = Counter(
        visit.vehicle_id
        for substations_visits in visits.values()
        for visit in substations_visits
        if visit.outcome == "charged"
    )
    charged = sum(ride.status == 200 for ride in rides)
    return Figures(
        tried=len(rides),
        charged=charged,
        came_again=sum(ride.tries > 1 for ride in rides),
        lost=len(rides) - charged,
        charged_twice=sum(count > 1 for count in charges.values()),
        back_s=back_s,
    )


def check_answers(
    rides: Sequence[Ride], visits: VisitsBySubstation, *, most_over_kwh: float = 0.0
) -> None:
    """Assert that each vehicle told it is charged was, in the session and at the substation told.

    And that all of that session's visits together gave it what it asked for, and that no substation
    charged anybody else.

    Args:
        rides: the vehicles.
        visits: what the substations logged.
        most_over_kwh: what a vehicle may have got on top, as where its substation was cut off.
    """
    told = {
        (ride.document["session_id"], ride.document["vehicle_id"], ride.document["substation"])
        for ride in rides
        if ride.status == 200
    }
    got = {
        (visit.session_id, visit.vehicle_id, substation)
        for substation, substations_visits in visits.items()
        for visit in substations_visits
        if visit.outcome == "charged"
    }
    assert told == got, f"told but not charged: {told - got}; charged but not told: {got - told}"
    delivered: dict[str, float] = defaultdict(float)
    rounding: dict[str, float] = defaultdict(float)
    for visit in chain.from_iterable(visits.values()):
        delivered[visit.session_id] += visit.delivered_kwh
        rounding[visit.session_id] += _ROUNDED_KWH
    for ride in rides:
        if ride.status == 200:
            session_id, asked = ride.document["session_id"], float(str(ride.wish["kwh"]))
            over, off = delivered[session_id] - asked, rounding[session_id]
            assert -off <= over <= most_over_kwh + off, (
                f"{session_id}: {asked} kWh asked for, {delivered[session_id]:.3f} delivered"
            )


def check_counters(
    before: Mapping[str, Counters],
    after: Mapping[str, Counters],
    rides: Sequence[Ride],
    visits: VisitsBySubstation,
) -> None:
    """Assert that the counters of all parts that lived through the scene add up."""
    moved = {
        name: _moved(before[name], after[name])
        for name in before
        if _started(before[name]) == _started(after[name])
    }
    for substation, logged in visits.items():
        if substation in moved:
            amended = _sum(
                moved.get("balancer", {}),
                "balancer_amended_charges_total",
                f'substation="{substation}"',
            )
            _check_substation(substation, moved[substation], logged, amended)
    if "gateway" in moved:
        _equal(
            "the gateway's vehicles and answers",
            _sum(moved["gateway"], "charge_requests_total"),
            _sum(moved["gateway"], "http_requests_total", 'method="POST",route="/charge"'),
        )
        _equal(
            "the gateway's vehicles charged and those told so",
            _sum(moved["gateway"], "charge_requests_total", 'status="200"'),
            sum(ride.status == 200 for ride in rides),
        )
    if "balancer" in moved:
        for substation, logged in visits.items():
            _equal(
                f"what the balancer says was charged at {substation} and what {substation} logged",
                _sum(
                    moved["balancer"],
                    "balancer_dispatches_total",
                    f'"charged",substation="{substation}"',
                ),
                sum(visit.outcome == "charged" for visit in logged),
            )


def _check_substation(
    substation: str, moved: Counters, logged: Sequence[Visit], amended: float
) -> None:
    outcomes = Counter(visit.outcome for visit in logged)
    for outcome in ("charged", "aborted"):
        _equal(
            f"{substation}'s count of {outcome} and its log",
            _sum(moved, "substation_sessions_total", f'outcome="{outcome}"'),
            outcomes[outcome],
        )
        _equal(
            f"{substation}'s kWh to those {outcome} and its log",
            _sum(moved, "substation_energy_delivered_kwh_total", f'outcome="{outcome}"'),
            sum(visit.delivered_kwh for visit in logged if visit.outcome == outcome),
        )
    # A charge that is asked for anew attaches to the one that runs; or, where that has just ended,
    # it is a visit of its own.
    came = _sum(moved, "http_requests_total", 'method="POST",route="/charge"')
    ended = _sum(moved, "substation_sessions_total")
    assert came - amended <= ended <= came, (
        f"{substation}'s vehicles and its charged, aborted and refused together: {came:g} and "
        f"{ended:g}" + (f", {amended:g} asked for anew" if amended else "")
    )


def _equal(what: str, one: float, other: float) -> None:
    # Logs round kWh to a thousandth, each session's on its own.
    assert math.isclose(one, other, abs_tol=0.1), f"{what}: {one:g} and {other:g}"


def _sum(counters: Counters, name: str, labels: str = "") -> float:
    return sum(
        value for key, value in counters.items() if key.partition("{")[0] == name and labels in key
    )


def _moved(before: Counters, after: Counters) -> Counters:
    return {name: value - before.get(name, 0) for name, value in after.items()}


def _started(counters: Counters) -> float:
    return counters["process_start_time_seconds"]
