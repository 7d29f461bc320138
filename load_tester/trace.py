"""Reads real charging sessions from a CSV file. Pure but for opening the file."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from load_tester.vehicle import PlanError

# Recognised in this order, whatever their case; the unit of an energy is the end of its name.
ARRIVAL_COLUMNS = ("arrival", "arrival_utc", "arrival_time", "connection_time", "start", "due_s")
ENERGY_COLUMNS = ("energy_wh", "energy_kwh", "requested_energy_kwh", "kwh", "energy")
_SEPARATORS = ",;\t"


class TraceError(PlanError):
    """A trace that cannot be replayed; the message names file, fault and remedy."""


class Session(NamedTuple):
    """One row: arrival in seconds (since 1970 where the file has dates) and energy in kWh."""

    arrival: float
    kwh: float


@dataclass(frozen=True, slots=True)
class Trace:
    """The readable sessions of a file in order of arrival, and what was left out."""

    name: str
    sessions: tuple[Session, ...]
    arrival_column: str
    energy_column: str
    notes: tuple[str, ...] = ()


def read_trace(
    path: Path, *, arrival_column: str | None = None, energy_column: str | None = None
) -> Trace:
    """Read a CSV file with one session a row.

    Rows whose arrival or energy cannot be read, or whose energy is not over 0, are left out and
    counted in the notes.

    Raises:
        TraceError: no such file, no such column, or no usable row.
    """
    text = _read_text(path)
    if not text.strip():
        raise TraceError(f"{path}: is empty; give a CSV file with a header and a session a row")
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [name.strip() for name in next(rows)]
        arrival_at = _find_column(path, header, arrival_column, ARRIVAL_COLUMNS, "arrival")
        energy_at = _find_column(path, header, energy_column, ENERGY_COLUMNS, "energy")
        unit = _kwh_per_unit(header[energy_at])
        sessions, faults = [], []
        for row in rows:
            if not row:
                continue
            try:
                sessions.append(
                    Session(_read_arrival(row[arrival_at]), _read_kwh(row[energy_at], unit))
                )
            except (ValueError, IndexError) as error:
                reason = "the row is too short" if isinstance(error, IndexError) else str(error)
                faults.append(f"line {rows.line_num}: {reason}")
    except csv.Error as error:
        raise TraceError(f"{path}: line {rows.line_num} is not CSV ({error})") from None
    if not sessions:
        first = f"; the first: {faults[0]}" if faults else ""
        raise TraceError(f"{path}: no row can be replayed ({len(faults)} left out{first})")
    return Trace(
        path.name,
        tuple(sorted(sessions, key=lambda session: session.arrival)),
        header[arrival_at],
        header[energy_at],
        _fault_notes(faults),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise TraceError(f"{path}: {reason}; give a CSV file that can be read") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8") from None


def _find_column(
    path: Path, header: Sequence[str], asked: str | None, known: Sequence[str], what: str
) -> int:
    option = f"--{what}-column"
    if asked is not None:
        if asked in header:
            return header.index(asked)
        raise TraceError(f"{option} {asked}: {path} has no such column, only {', '.join(header)}")
    lowered = [name.lower() for name in header]
    for name in known:
        if name in lowered:
            return lowered.index(name)
    raise TraceError(
        f"{path}: no column of {what} recognised among {', '.join(header)}; "
        f"name one {' or '.join(known)}, or say which it is with {option}"
    )


def _kwh_per_unit(column: str) -> float:
    lowered = column.lower()
    in_wh = lowered == "wh" or (lowered.endswith("_wh") and not lowered.endswith("_kwh"))
    return 1e-3 if in_wh else 1.0


def _read_kwh(text: str, unit: float) -> float:
    try:
        kwh = float(text) * unit
    except ValueError:
        raise ValueError(f"energy {text!r} is not a number") from None
    if not (math.isfinite(kwh) and kwh > 0):
        raise ValueError(f"energy {text!r} is not over 0")
    return kwh


def _read_arrival(text: str) -> float:
    text = text.strip()
    try:
        seconds = float(text)  # first, as 20190301 would pass for a date too
    except ValueError:
        return _read_date(text)
    if not math.isfinite(seconds):
        raise ValueError(f"arrival {text!r} is not a moment")
    return seconds


def _read_date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"arrival {text!r} is neither an ISO 8601 time nor a number of seconds"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # only differences count
    return moment.timestamp()


def _fault_notes(faults: Sequence[str]) -> tuple[str, ...]:
    if not faults:
        return ()
    rows = "1 row" if len(faults) == 1 else f"{len(faults):,} rows"
    return (f"{rows} left out; the first: {faults[0]}",)
