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


def visits(log: Path) -> list[Visit]:
    """Read the sessions that a substation logged, in the order of their beginning."""
    found = []
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "session ended":
            ended = datetime.fromisoformat(event["time"]).timestamp()
            found.append(
                Visit(
                    event["session_id"],
                    event["outcome"],
                    event["kwh"],
                    ended - event["charging_s"],
                    ended,
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
