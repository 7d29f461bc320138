"""Compares the responses to vehicles with the substations' logs and counters. Pure."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TextIO

from benchmarks.soak.plan import Injection
from local_stack.session_logs import Attempt

AttemptsBySubstation = Mapping[str, Sequence[Attempt]]

# An answer takes this long from a substation to the vehicle at most, seconds: a fault that takes
# away one of the hops within it takes the answer with it.
_ON_ITS_WAY_S = 0.5
# Maximum difference of an attempt's kWh between vehicle and substation: both round to 0.001 kWh.
_MAX_OFF_KWH = 0.002
# Maximum rounding error of an attempt's kWh in the log.
_ROUNDED_KWH = 0.0005


class Reported(NamedTuple):
    """The final response to a vehicle."""

    vehicle_id: str
    outcome: str
    kwh: float
    substation: str
    session_id: str
    tries: int
    reason: str


class Injected(NamedTuple):
    """A fault that happened; times in seconds of the epoch."""

    inject: Injection
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The results of the vehicles.

    Attributes:
        vehicles: number of vehicles.
        charged: those with a response that they are charged.
        came_again: those that retried after a lost connection or a refusal.
        lost: those that were never charged, with the reason.
        twice: those that were fully charged more than once without an excuse.
        answer_lost: those that were charged more than once because a fault lost the response to
            the first charge: its substation was behind a cut link, or a part on the response's
            path was killed just then. Without a ledger this cannot be prevented.
        kwh_reported: energy in the responses, kWh.
        kwh_logged: energy of the same charges in the substations' logs, kWh.
        unknown_charges: responses without a logged charge.
        otherwise_delivered: vehicles whose response and log have different energies.
        miscounted: running parts whose counters differ from their logs.
    """

    vehicles: int
    charged: int
    came_again: int
    lost: Sequence[str]
    twice: Sequence[str]
    answer_lost: Sequence[str]
    kwh_reported: float
    kwh_logged: float
    unknown_charges: int
    otherwise_delivered: Sequence[str]
    miscounted: Sequence[str]

    @property
    def add_up(self) -> bool:
        """Whether responses, logs and counters agree."""
        return not (self.unknown_charges or self.otherwise_delivered or self.miscounted)


def read_reported(file: TextIO) -> list[Reported]:
    """Read what the load tester wrote, a row a vehicle."""
    return [
        Reported(
            row["vehicle_id"],
            row["outcome"],
            float(row["kwh"]),
            row["substation"],
            row["session_id"],
            int(row["tries"]),
            row["reason"],
        )
        for row in csv.DictReader(file)
    ]


def add_up(
    reported: Sequence[Reported],
    attempts: AttemptsBySubstation,
    injected: Sequence[Injected],
    miscounted: Sequence[str],
    *,
    proxies: Iterable[str],
) -> Reconciliation:
    """Compare the vehicles' responses with the substations' logs."""
    charges: dict[str, list[tuple[str, Attempt]]] = defaultdict(list)
    for substation, logged in attempts.items():
        for attempt in logged:
            if attempt.outcome == "charged":
                charges[attempt.vehicle_id].append((substation, attempt))
    answers = {one.vehicle_id: one for one in reported if one.outcome == "charged"}
    kwh_logged, known = 0.0, 0
    twice: list[str] = []
    answer_lost: list[str] = []
    otherwise: list[str] = []
    for vehicle_id, found in charges.items():
        answer = answers.get(vehicle_id)
        # The last match: the same session may have been tried twice at the same substation.
        answered = [one for one in found if answer and _is_of(answer, *one)][-1:]
        known += len(answered)
        for substation, attempt in answered:
            kwh_logged += attempt.delivered_kwh
            # One by one, because a single error would not show in the sum of a run.
            if abs(answers[vehicle_id].kwh - attempt.energy_kwh) > _MAX_OFF_KWH:
                otherwise.append(
                    f"{vehicle_id} was told {answers[vehicle_id].kwh:g} kWh, {substation} logged "
                    f"{attempt.energy_kwh:g}"
                )
        if len(found) > 1:
            # The answered one is expected; if none was answered, the last one.
            kept = (answered or found[-1:])[0]
            extra = [one for one in found if one is not kept]
            excused = all(_was_cut_off(*one, injected, set(proxies)) for one in extra)
            (answer_lost if excused else twice).append(_describe(vehicle_id, found))
    return Reconciliation(
        vehicles=len(reported),
        charged=len(answers),
        came_again=sum(one.tries > 1 for one in reported),
        lost=[f"{one.vehicle_id}: {one.reason}" for one in reported if one.outcome != "charged"],
        twice=twice,
        answer_lost=answer_lost,
        kwh_reported=sum(one.kwh for one in answers.values()),
        kwh_logged=kwh_logged,
        unknown_charges=len(answers) - known,
        otherwise_delivered=otherwise,
        miscounted=list(miscounted),
    )


def _is_of(answer: Reported, substation: str, attempt: Attempt) -> bool:
    return (substation, attempt.session_id) == (answer.substation, answer.session_id)


def _describe(vehicle_id: str, found: Sequence[tuple[str, Attempt]]) -> str:
    return f"{vehicle_id}: " + ", ".join(
        f"{substation} until {attempt.ended:.3f} (session {attempt.session_id})"
        for substation, attempt in found
    )


def _was_cut_off(
    substation: str, attempt: Attempt, injected: Sequence[Injected], proxies: set[str]
) -> bool:
    """Return whether a fault lost the response to a charge."""
    for one in injected:
        on_the_way = one.inject.target in {substation, *proxies}
        match one.inject.what:
            case "kill" if on_the_way:
                if one.began - _ON_ITS_WAY_S <= attempt.ended <= one.began + _ON_ITS_WAY_S:
                    return True
            case "cut" if one.inject.target == substation:
                if one.began - _ON_ITS_WAY_S <= attempt.ended <= one.ended + _ON_ITS_WAY_S:
                    return True
    return False


def miscounts(
    substation: str, counters: Mapping[str, float], attempts: Sequence[Attempt]
) -> list[str]:
    """Compare the counters of a running substation with its log since its start."""
    since = counters["process_start_time_seconds"]
    logged = [attempt for attempt in attempts if attempt.ended > since]
    found = []
    for outcome in ("charged", "aborted"):
        those = [attempt for attempt in logged if attempt.outcome == outcome]
        for what, name, log, most_off in (
            ("vehicles", "substation_sessions_total", float(len(those)), 0.0),
            (
                "kWh",
                "substation_energy_delivered_kwh_total",
                sum(attempt.delivered_kwh for attempt in those),
                # and the rounding error of the sum
                _ROUNDED_KWH * len(those) + 1e-6,
            ),
        ):
            count = counters.get(f'{name}{{outcome="{outcome}"}}', 0.0)
            if abs(count - log) > most_off:
                found.append(f"{substation} counts {count:g} {what} {outcome}, its log has {log:g}")
    arrived = sum(
        value
        for name, value in counters.items()
        if name.startswith("http_requests_total{") and 'route="/charge"' in name
    )
    ended = sum(
        value for name, value in counters.items() if name.startswith("substation_sessions_total{")
    )
    if arrived != ended:
        found.append(
            f"{substation} was asked for {arrived:g} charges and counts {ended:g} charged, aborted "
            "and refused"
        )
    return found
