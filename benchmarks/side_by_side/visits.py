"""What the substations' own logs tell of the sessions that they held."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


class Visit(NamedTuple):
    """A vehicle at a point. Times in seconds of the epoch."""

    vehicle_id: str
    charged: bool  # to the end; else it left before, or was taken away
    began: float
    ended: float


def visits(log: Path) -> list[Visit]:
    """Read the sessions that a substation logged."""
    return list(_read(log.read_text(errors="replace")))


def _read(text: str) -> Iterator[Visit]:
    for line in text.splitlines():
        event = _event(line)
        if event.get("event") == "session ended":
            ended = datetime.fromisoformat(event["time"]).timestamp()
            yield Visit(
                event["vehicle_id"],
                event["outcome"] == "charged",
                ended - event["charging_s"],
                ended,
            )


def _event(line: str) -> dict[str, Any]:
    """Parse a line; one that is cut off, as a killed site leaves it, says nothing."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
