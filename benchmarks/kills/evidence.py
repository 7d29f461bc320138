"""Finds log lines about failed sessions in a segment's directory."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_MAX_SESSIONS, _MAX_LINES, _WIDEST = 5, 40, 400
FAULTS = "faults.log"


def log_lines(folder: Path, sessions: Sequence[str]) -> Iterator[str]:
    """Yield what each part logged about each session, in order, with the faults of that time."""
    faults = _lines(folder / FAULTS)
    for session_id in sessions[:_MAX_SESSIONS]:
        found = sorted(
            (line["time"], f"{line.pop('service')}: {_short(line)}")
            for log in sorted((folder / "grid").glob("*.log"))
            for line in _lines(log, session_id)
        )
        yield f"session {session_id}:"
        if not found:
            yield "  no part logged anything of it"
            continue
        first, last = found[0][0], found[-1][0]
        injections = [(one["time"], one["event"]) for one in faults if first <= one["time"] <= last]
        for time, text in sorted([*found, *injections])[:_MAX_LINES]:
            yield f"  {time[11:23]} {text}"
    if len(sessions) > _MAX_SESSIONS:
        yield f"and {len(sessions) - _MAX_SESSIONS} more sessions"


def _lines(log: Path, about: str = "") -> list[dict[str, Any]]:
    if not log.exists():
        return []
    with log.open(encoding="utf-8", errors="replace") as lines:
        chosen = [line for line in lines if about in line and line.startswith("{")]
    found = []
    for line in chosen:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # the part was killed while writing it
            continue
    return [one for one in found if "time" in one and ("service" in one or not about)]


def _short(line: dict[str, Any]) -> str:
    event = line.pop("event", "")
    rest = {name: value for name, value in line.items() if name not in ("time", "session_id")}
    return f"{event} {json.dumps(rest)}"[:_WIDEST]
