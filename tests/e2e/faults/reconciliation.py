"""Whether what vehicles were told, what substations logged and what everybody counted agree.

Pure.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from local_stack.session_logs import Attempt
from tests.support.fleet import FleetSession

# What rounding takes from an attempt's kWh in the log, or adds to it, at most.
_ROUNDED_KWH = 0.00051

Counters = Mapping[str, float]
AttemptsBySubstation = Mapping[str, Sequence[Attempt]]


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


def add_up(
    sessions: Sequence[FleetSession], attempts: AttemptsBySubstation, back_s: float
) -> Figures:
    """Count what became of a scene's vehicles."""
    charges = Counter(
        attempt.vehicle_id
        for substations_attempts in attempts.values()
        for attempt in substations_attempts
        if attempt.outcome == "charged"
    )
    charged = sum(session.status == 200 for session in sessions)
    return Figures(
        tried=len(sessions),
        charged=charged,
        came_again=sum(session.tries > 1 for session in sessions),
        lost=len(sessions) - charged,
        charged_twice=sum(count > 1 for count in charges.values()),
        back_s=back_s,
    )


def check_answers(
    sessions: Sequence[FleetSession], attempts: AttemptsBySubstation, *, most_over_kwh: float = 0.0
) -> None:
    """Assert that each vehicle told it is charged was, in the session and at the substation told.

    And that all of that session's attempts together gave it what it asked for, and that no
    substation charged anybody else.

    Args:
        sessions: the vehicles.
        attempts: what the substations logged.
        most_over_kwh: what a vehicle may have got on top, as where its substation was cut off.
    """
    reported = {
        (
            session.document["session_id"],
            session.document["vehicle_id"],
            session.document["substation"],
        )
        for session in sessions
        if session.status == 200
    }
    got = {
        (attempt.session_id, attempt.vehicle_id, substation)
        for substation, substations_attempts in attempts.items()
        for attempt in substations_attempts
        if attempt.outcome == "charged"
    }
    assert reported == got, (
        f"told but not charged: {reported - got}; charged but not told: {got - reported}"
    )
    delivered: dict[str, float] = defaultdict(float)
    rounding: dict[str, float] = defaultdict(float)
    for attempt in chain.from_iterable(attempts.values()):
        delivered[attempt.session_id] += attempt.delivered_kwh
        rounding[attempt.session_id] += _ROUNDED_KWH
    for session in sessions:
        if session.status == 200:
            session_id, asked = (
                session.document["session_id"],
                float(str(session.charge_request["kwh"])),
            )
            over, off = delivered[session_id] - asked, rounding[session_id]
            assert -off <= over <= most_over_kwh + off, (
                f"{session_id}: {asked} kWh asked for, {delivered[session_id]:.3f} delivered"
            )


def check_counters(
    before: Mapping[str, Counters],
    after: Mapping[str, Counters],
    sessions: Sequence[FleetSession],
    attempts: AttemptsBySubstation,
) -> None:
    """Assert that the counters of all parts that lived through the scene add up."""
    moved = {
        name: _moved(before[name], after[name])
        for name in before
        if _started(before[name]) == _started(after[name])
    }
    # One that was killed amends the sessions that it finds again, and counts them from zero.
    balancer = moved.get("balancer", after.get("balancer", {}))
    for substation, logged in attempts.items():
        if substation in moved:
            amended = _sum(
                balancer,
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
            sum(session.status == 200 for session in sessions),
        )
    if "balancer" in moved:
        for substation, logged in attempts.items():
            _equal(
                f"what the balancer says was charged at {substation} and what {substation} logged",
                _sum(
                    moved["balancer"],
                    "balancer_dispatches_total",
                    f'"charged",substation="{substation}"',
                ),
                sum(attempt.outcome == "charged" for attempt in logged),
            )


def _check_substation(
    substation: str, moved: Counters, logged: Sequence[Attempt], amended: float
) -> None:
    outcomes = Counter(attempt.outcome for attempt in logged)
    for outcome in ("charged", "aborted"):
        _equal(
            f"{substation}'s count of {outcome} and its log",
            _sum(moved, "substation_sessions_total", f'outcome="{outcome}"'),
            outcomes[outcome],
        )
        _equal(
            f"{substation}'s kWh to those {outcome} and its log",
            _sum(moved, "substation_energy_delivered_kwh_total", f'outcome="{outcome}"'),
            sum(attempt.delivered_kwh for attempt in logged if attempt.outcome == outcome),
        )
    # A charge that is asked for anew attaches to the one that runs; or, where that has just ended,
    # it is an attempt of its own.
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
