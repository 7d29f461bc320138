"""Compares the responses to vehicles, the sessions in the substations' logs, and counters. Pure.

What differs is returned in words; nothing is returned where all agree.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from local_stack.session_logs import Attempt

AttemptsBySubstation = Mapping[str, Sequence[Attempt]]
Counters = Mapping[str, float]
Logged = tuple[str, Attempt]  # an attempt, and its substation

# Maximum error of an attempt's kWh in the log, which is rounded to 0.001 kWh; the rest is for sums.
_ROUNDED_KWH = 0.00051


class Told(NamedTuple):
    """What a vehicle asked for, and the final response to it.

    Attributes:
        vehicle_id: its ID, which no other vehicle has.
        kwh: what it asked for.
        charged: whether it was told that it is charged.
        substation, session_id: where and in which session, by that response.
        tries: number of its requests.
        reason: why it was not charged.
    """

    vehicle_id: str
    kwh: float
    charged: bool
    substation: str = ""
    session_id: str = ""
    tries: int = 1
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The results of the vehicles.

    Attributes:
        vehicles: number of vehicles.
        charged: those with a response that they are charged.
        came_again: those that sent more than one request.
        lost: those that were never charged, with the reason.
        twice: those that were charged to the end more than once without an excuse.
        answer_lost: those that were charged more than once because the response to an earlier
            charge was lost on its way. Without a ledger this cannot be prevented.
        kwh_told: energy of the charges in the responses, kWh.
        kwh_logged: energy of the same sessions in the logs, kWh.
        unlogged: those with a response that no log confirms.
        differing: those that got another energy than they asked for, and charges of nobody.
    """

    vehicles: int
    charged: int
    came_again: int
    lost: Sequence[str]
    twice: Sequence[str]
    answer_lost: Sequence[str]
    kwh_told: float
    kwh_logged: float
    unlogged: Sequence[str]
    differing: Sequence[str]


def reconcile(
    told: Sequence[Told],
    attempts: AttemptsBySubstation,
    *,
    is_answer_lost: Callable[[str, Attempt], bool] = lambda *_: False,
    excess_kwh: Callable[[str, Attempt], float] = lambda *_: 0.0,
) -> Reconciliation:
    """Compare the responses to all vehicles with the substations' logs.

    Args:
        told: the vehicles.
        attempts: the logged sessions of each substation.
        is_answer_lost: whether the response to a charge at a substation was lost, so that its
            vehicle may be charged in another session, too.
        excess_kwh: what a session with this attempt may get beyond its request, as from a
            substation that was disconnected.
    """
    charges: defaultdict[str, list[Logged]] = defaultdict(list)  # by vehicle
    sessions: defaultdict[str, list[Logged]] = defaultdict(list)
    for substation, logged in attempts.items():
        for attempt in logged:
            sessions[attempt.session_id].append((substation, attempt))
            if attempt.charged:
                charges[attempt.vehicle_id].append((substation, attempt))
    kwh_logged = 0.0
    twice, answer_lost, unlogged, differing = list[str](), list[str](), list[str](), list[str]()
    for one in told:
        own = charges.pop(one.vehicle_id, [])
        answered = _answered(one, own, sessions[one.session_id]) if one.charged else []
        kept, extra = _divide(one, (answered or own)[-1:], own, sessions)
        if extra:
            excused = all(is_answer_lost(*part) for part in extra)
            (answer_lost if excused else twice).append(f"{one.vehicle_id}: {_describe(own)}")
        if answered:
            # One by one, because a single error would not show in the sum of a run.
            kwh, rounded = _kwh(kept), _ROUNDED_KWH * len(kept)
            allowed = max(excess_kwh(*part) for part in kept)
            if not -rounded <= kwh - one.kwh <= allowed + rounded:
                differing.append(
                    f"{one.vehicle_id} asked for {one.kwh:g} kWh, session {one.session_id} got "
                    f"{kwh:.3f}"
                )
            kwh_logged += kwh
        elif one.charged:
            unlogged.append(
                f"{one.vehicle_id} was told that {one.substation} charged it (session "
                f"{one.session_id}); logged: {_describe(own)}"
            )
    differing += [
        f"{name} asked for nothing; logged: {_describe(o)}" for name, o in charges.items()
    ]
    return Reconciliation(
        vehicles=len(told),
        charged=sum(one.charged for one in told),
        came_again=sum(one.tries > 1 for one in told),
        lost=[f"{one.vehicle_id}: {one.reason}" for one in told if not one.charged],
        twice=twice,
        answer_lost=answer_lost,
        kwh_told=sum(one.kwh for one in told if one.charged),
        kwh_logged=kwh_logged,
        unlogged=unlogged,
        differing=differing,
    )


def _divide(
    one: Told, last: Sequence[Logged], own: Sequence[Logged], sessions: Mapping[str, list[Logged]]
) -> tuple[list[Logged], list[Logged]]:
    """Divide a vehicle's attempts into those of its expected session, and charges too many.

    Args:
        one: the vehicle.
        last: the expected charge, if there is any.
        own: all of its charges to the end.
        sessions: the attempts of each session.
    """
    kept = [part for _, attempt in last for part in sessions[attempt.session_id]]
    extra = [part for part in own if part not in last]
    # Several attempts may each have charged their share of a session to the end. They are too many
    # if the vehicle had all of its energy without them.
    without = [part for part in kept if part not in extra]
    if _kwh(without) >= one.kwh - _ROUNDED_KWH * len(without):
        kept = without
    return kept, [part for part in extra if part not in kept]


def _answered(one: Told, own: Sequence[Logged], session: Sequence[Logged]) -> list[Logged]:
    """Return the charge that a vehicle was told of, if the logs have it.

    The named substation may have responded at once, because it had delivered its share in an
    attempt that ended early; then another one charged the rest to the end.
    """
    if all(substation != one.substation for substation, _ in session):
        return []
    charges = [part for part in own if part[1].session_id == one.session_id]
    # The last one there: the same session may have been tried twice at the same substation.
    return sorted(charges, key=lambda part: part[0] == one.substation)[-1:]


def _kwh(parts: Iterable[Logged]) -> float:
    return sum(attempt.delivered_kwh for _, attempt in parts)


def _describe(charges: Iterable[Logged]) -> str:
    texts = (
        f"{substation} until {attempt.ended:.3f} (session {attempt.session_id})"
        for substation, attempt in charges
    )
    return ", ".join(texts) or "nothing"


def since_start(counters: Counters, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return the attempts that a process with these counters has seen end."""
    return [one for one in attempts if one.ended > counters["process_start_time_seconds"]]


def moved(attempts: AttemptsBySubstation) -> dict[str, set[str]]:
    """Return each substation's sessions with several attempts, there or at other substations."""
    count = Counter(one.session_id for logged in attempts.values() for one in logged)
    return {
        substation: {one.session_id for one in logged if count[one.session_id] > 1}
        for substation, logged in attempts.items()
    }


def miscounts(
    substation: str, counters: Counters, logged: Sequence[Attempt], *, repeated: float = 0.0
) -> Iterator[str]:
    """Compare a substation's counters with its log.

    Args:
        substation: its name.
        counters: its counters, or what they increased by.
        logged: the attempts of the same time.
        repeated: maximum number of requests that began no attempt, because they amended the
            target of one that was running, or asked for energy that had been delivered already.
    """
    for outcome in ("charged", "aborted"):
        those = [attempt for attempt in logged if attempt.outcome == outcome]
        kwh = sum(attempt.delivered_kwh for attempt in those)
        for what, name, log, max_off in (
            ("vehicles", "substation_sessions_total", len(those), 0.0),
            ("kWh", "substation_energy_delivered_kwh_total", kwh, _ROUNDED_KWH * len(those)),
        ):
            count = total(counters, name, f'outcome="{outcome}"')
            if abs(count - log) > max_off + 1e-6:
                yield f"{substation} counts {count:g} {what} {outcome}, its log has {log:g}"
    came = total(counters, "http_requests_total", 'method="POST",route="/charge"')
    ended = total(counters, "substation_sessions_total")
    if not came - repeated <= ended <= came:
        yield (
            f"{substation} was asked for {came:g} charges, of which {repeated:g} may be repeated, "
            f"and counts {ended:g} charged, aborted and refused"
        )


def total(counters: Counters, name: str, labels: str = "") -> float:
    """Sum a counter over all series with these labels."""
    return sum(
        value for key, value in counters.items() if key.partition("{")[0] == name and labels in key
    )
