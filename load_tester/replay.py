"""Plans a run from real sessions: compresses months into a minute or two. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from load_tester.text import count_of
from load_tester.trace import Trace, TraceSession
from load_tester.trace_columns import TraceError
from load_tester.vehicle import Plan, Vehicle

# Mean demand of a replay without a given speed: five sixths of what the default grid can deliver
# (24 points of 50 kW with TIME_SCALE 360: 120 kWh a second). The grid is busy, with queues when
# vehicles arrive together, but nobody waits for more than some seconds.
DEFAULT_KWH_PER_S = 100.0
_DEFAULT_POINT_KW = 50.0
# Without a given speed, idle gaps are limited to this multiple of the median gap. Otherwise nights
# and holidays would make up most of the replay, and vehicles would arrive in clusters.
GAP_LIMIT = 4.0
_LEAST_DURATION_S = 1.0
_PLAUSIBLE_EPOCH = 1e8  # arrivals over this are dates, below it seconds
_LAST_EPOCH = datetime(9999, 12, 31, tzinfo=UTC).timestamp()  # the end of the calendar


def plan_replay(
    trace: Trace,
    *,
    vehicles: int | None = None,
    speed: float | None = None,
    duration: float | None = None,
) -> Plan:
    """Plan the first `vehicles` sessions of a trace.

    With `speed` the trace is replayed unchanged at that speed. Without it, idle gaps are shortened,
    and the speed is chosen so that the replay lasts `duration` seconds. Without `duration`, the
    mean demand is DEFAULT_KWH_PER_S, if each vehicle charges with a point's full power.

    Raises:
        TraceError: the trace has fewer vehicles, or its arrivals are not plausible dates.
    """
    if vehicles is not None and vehicles > len(trace.sessions):
        raise TraceError(
            f"--vehicles {vehicles}: {trace.name} has only {len(trace.sessions):,} usable "
            "sessions; give at most that number, or omit --vehicles for all"
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
    columns = [trace.arrival_column, trace.energy_column, *trace.property_columns]
    notes.append(f"read the columns {', '.join(columns[:-1])} and {columns[-1]}")
    return Plan("replay", summary, planned, tuple(notes))


def _point_share(session: TraceSession) -> float:
    """Return how much longer than at full power it occupies a point of the default grid."""
    most_kw = session.properties.max_power_kw
    return 1.0 if most_kw is None else max(1.0, _DEFAULT_POINT_KW / most_kw)


def _cut_gaps(arrivals: Sequence[float]) -> tuple[list[float], str]:
    """Return times from 0 with shortened idle gaps, and a note of what was shortened."""
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    positive = [gap for gap in gaps if gap > 0]
    limit = GAP_LIMIT * median(positive) if positive else 0.0
    moments = [0.0]
    for gap in gaps:
        moments.append(moments[-1] + min(gap, limit))
    cut = sum(gap > limit for gap in gaps)
    if not cut:
        return moments, ""
    what = f"{count_of(cut, 'idle gap')} over {_hours(limit)}"
    return moments, f"{what} shortened to that; give --speed to keep them"


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
