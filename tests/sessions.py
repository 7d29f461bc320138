"""What the substations' own logs tell of the sessions that they held."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


class Visit(NamedTuple):
    """One vehicle at one point. Times in seconds of the epoch."""

    session_id: str
    outcome: str
    kwh: float
    began: float
    ended: float
    vehicle_id: str
    delivered_kwh: float


def visits(log: Path | str) -> list[Visit]:
    """Read the sessions from a substation's log (its file or its text), as they began."""
    found = []
    for line in (log if isinstance(log, str) else log.read_text()).splitlines():
        if '"session ended"' in line:
            event = json.loads(line)
            ended = datetime.fromisoformat(event["time"]).timestamp()
            found.append(
                Visit(
                    event["session_id"],
                    event["outcome"],
                    event["kwh"],
                    ended - event["charging_s"],
                    ended,
                    event["vehicle_id"],
                    event["delivered_kwh"],
                )
            )
    return sorted(found, key=lambda visit: visit.began)


def peak_load(sessions: Sequence[Visit]) -> int:
    """Count the most vehicles at once; where one ends as another begins, the end comes first.

    Logged times are cut to the millisecond, so overlaps shorter than 2 ms are none.
    """
    changes = [(visit.began + 0.001, 1) for visit in sessions]
    changes += [(visit.ended - 0.001, -1) for visit in sessions]
    load = peak = 0
    for _, change in sorted(changes):
        load += change
        peak = max(peak, load)
    return peak
