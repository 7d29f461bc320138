"""Reads sessions from the substations' logs."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


class Attempt(NamedTuple):
    """One vehicle at one point. Times in seconds of the epoch."""

    session_id: str
    outcome: str
    kwh: float
    began: float
    ended: float
    vehicle_id: str
    delivered_kwh: float  # energy of this attempt
    earlier_kwh: float = 0.0  # energy of earlier attempts at the same substation

    @property
    def charged(self) -> bool:
        """Whether it received all that it asked for; otherwise it left, or was moved, before."""
        return self.outcome == "charged"

    @property
    def energy_kwh(self) -> float:
        """Its total energy there, kWh."""
        return round(self.earlier_kwh + self.delivered_kwh, 3)  # rounded like its parts


def attempts(log: Path | str) -> list[Attempt]:
    """Read the sessions from a substation's log (its file or its text), in order of their start."""
    text = log if isinstance(log, str) else log.read_text(errors="replace")
    return sorted(_read(text), key=lambda attempt: attempt.began)


def peak_load(sessions: Sequence[Attempt], *, blur_s: float = 0.001) -> int:
    """Return the maximum number of vehicles at once; an end counts before a simultaneous start.

    Overlaps shorter than twice `blur_s` (seconds) do not count, because logged times are truncated
    to milliseconds.
    """
    changes = [(attempt.began + blur_s, 1) for attempt in sessions]
    changes += [(attempt.ended - blur_s, -1) for attempt in sessions]
    load = peak = 0
    for _, change in sorted(changes):
        load += change
        peak = max(peak, load)
    return peak


def _read(text: str) -> Iterator[Attempt]:
    known_kwh: dict[str, float] = {}  # of each session, all attempts so far
    for line in text.splitlines():
        event = _event(line) if '"session ' in line else {}
        name = event.get("event")
        if name not in ("session ended", "session cut off by a restart"):
            continue
        session_id, delivered_kwh = event["session_id"], event["delivered_kwh"]
        energy_kwh = event.get("energy_kwh", delivered_kwh)
        is_cut_off = name != "session ended"
        # Killed before it had noted an end in its journal, or as it started, it logs them again.
        if is_cut_off and energy_kwh <= known_kwh.get(session_id, -1.0):
            continue
        known_kwh[session_id] = energy_kwh
        ended = datetime.fromisoformat(event["time"]).timestamp()
        yield Attempt(
            session_id,
            "cut off" if is_cut_off else event["outcome"],
            event["kwh"],
            ended - event.get("charging_s", 0.0),
            ended,
            event["vehicle_id"],
            delivered_kwh,
            max(0.0, energy_kwh - delivered_kwh),
        )


def _event(line: str) -> dict[str, Any]:
    """Parse a line; one that is cut off, as a killed substation leaves it, says nothing."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
