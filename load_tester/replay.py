"""Turns real sessions into a run: compresses months into a minute or two. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from load_tester.trace import Trace, TraceError, TraceSession
from load_tester.vehicle import Plan, Vehicle

# What the replay asks of the grid in the mean when no speed is given: five sixths of what the
# default grid can give (24 points of 50 kW with TIME_SCALE 360 deliver 120 kWh a second). Busy,
# with queues when vehicles come together, yet nobody waits for more than some seconds.
DEFAULT_KWH_PER_S = 100.0
_DEFAULT_POINT_KW = 50.0
# Idle gaps are cut to so many times the median gap when no speed is given, or nights and holidays
# would make up most of the replay and its vehicles would come in clumps.
GAP_LIMIT = 4.0
_LEAST_DURATION_S = 1.0
_PLAUSIBLE_EPOCH = 1e8  # arrivals over this are dates, under it seconds
_LAST_EPOCH = datetime(9999, 12, 31, tzinfo=UTC).timestamp()  # the calendar ends here


def plan_replay(
    trace: Trace,
    *,
    vehicles: int | None = None,
    speed: float | None = None,
    duration: float | None = None,
) -> Plan:
    """Plan the first `vehicles` sessions of a trace.

    With `speed` the trace is replayed as it is, so many times faster. Without, idle gaps are cut
    and the speed is chosen so that the replay lasts `duration` seconds; without that too, so that
    it asks for DEFAULT_KWH_PER_S in the mean, where each vehicle takes what a point gives.

    Raises:
        TraceError: more vehicles are asked for than the trace has, or its arrivals are no dates.
    """
    if vehicles is not None and vehicles > len(trace.sessions):
        raise TraceError(
            f"--vehicles {vehicles}: {trace.name} has only {len(trace.sessions):,} usable "
            "sessions; ask for at most so many, or leave --vehicles out for all"
        )
    sessions = trace.sessions[:vehicles]
    if sessions[-1].arrival > _LAST_EPOCH:
        raise TraceError(
            f"{trace.name}: the arrivals in {trace.arrival_column} look like milliseconds; "
            "give seconds, or ISO 8601 times"
        )
    notes = [*trace.notes]
    if speed is None:
        moments, cut = _cut_gaps([session.arrival for session in sessions])
        if cut:
            notes.append(cut)
    else:
        moments = [session.arrival - sessions[0].arrival for session in sessions]
    span = moments[-1]
    if speed is None:
        if duration is None:
            work = sum(session.kwh * _point_share(session) for session in sessions)
            duration = max(_LEAST_DURATION_S, work / DEFAULT_KWH_PER_S)
        speed = span / duration if span else 1.0
    planned = tuple(
        Vehicle(number, round(moment / speed, 6), *session.need)
        for number, (moment, session) in enumerate(zip(moments, sessions, strict=True), start=1)
    )
    summary = (
        f"{len(planned):,} sessions of {trace.name} ({_period(sessions)}), "
        f"{_speed(speed)} times as fast"
    )
    columns = [trace.arrival_column, trace.energy_column, *trace.trait_columns]
    notes.append(f"read the columns {', '.join(columns[:-1])} and {columns[-1]}")
    return Plan("replay", summary, planned, tuple(notes))


def _point_share(session: TraceSession) -> float:
    """Tell how much longer than with a point's power it holds a point of the default grid."""
    most_kw = session.traits.max_power_kw
    return 1.0 if most_kw is None else max(1.0, _DEFAULT_POINT_KW / most_kw)


def _cut_gaps(arrivals: Sequence[float]) -> tuple[list[float], str]:
    """Return moments from 0 with idle gaps shortened, and a note of what was cut."""
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    positive = [gap for gap in gaps if gap > 0]
    limit = GAP_LIMIT * median(positive) if positive else 0.0
    moments = [0.0]
    for gap in gaps:
        moments.append(moments[-1] + min(gap, limit))
    cut = sum(gap > limit for gap in gaps)
    if not cut:
        return moments, ""
    what = "1 idle gap" if cut == 1 else f"{cut:,} idle gaps"
    return moments, (
        f"{what} over {_hours(limit)} shortened to that; give --speed to replay each as it was"
    )


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.1f} s"


def _speed(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.3g}"


def _period(sessions: Sequence[TraceSession]) -> str:
    first, last = sessions[0].arrival, sessions[-1].arrival
    if first < _PLAUSIBLE_EPOCH:
        return f"{last - first:,.0f} s"
    begin, end = (datetime.fromtimestamp(moment, UTC).date() for moment in (first, last))
    return f"{begin} to {end}"
