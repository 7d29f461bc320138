"""Reads real charging sessions from a CSV file. Pure except for opening the file."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from load_tester.text import count_of, listed, quoted
from load_tester.trace_columns import COLUMNS, CellReader, Header, TraceError, are_compact_dates
from load_tester.trace_properties import NO_PROPERTIES, Properties, PropertyReader
from load_tester.vehicle import Need

_SEPARATORS = ",;\t"
_KWH_PER_UNIT = {"kwh": 1.0, "mwh": 1e3, "wh": 1e-3}


class TraceSession(NamedTuple):
    """One row: arrival in seconds (since 1970 if the file has dates), energy, properties."""

    arrival: float
    kwh: float
    properties: Properties = NO_PROPERTIES

    @property
    def need(self) -> Need:
        """What its vehicle asks for, rounded to the Wh, and its properties."""
        return Need(_asked_kwh(self.kwh), *self.properties)


def _asked_kwh(kwh: float) -> float:
    return round(kwh, 3) or 0.001


class _Row(NamedTuple):
    """The cells of one row, and its lines in the file."""

    cells: list[str]
    first: int
    last: int

    @property
    def place(self) -> str:
        """The line numbers, as text."""
        whole = self.first == self.last
        return f"line {self.first}" if whole else f"lines {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Trace:
    """The readable sessions of a file in order of arrival, and notes on what was skipped."""

    name: str
    sessions: tuple[TraceSession, ...]
    arrival_column: str
    energy_column: str
    property_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def without_properties(self) -> "Trace":
        """Return the same sessions with only their energies."""
        sessions = tuple(session._replace(properties=NO_PROPERTIES) for session in self.sessions)
        return dataclasses.replace(self, sessions=sessions, property_columns=())


def read_trace(path: Path, columns: Mapping[str, str | None] | None = None) -> Trace:
    """Read a CSV file with one session per row.

    Rows whose arrival or energy cannot be read, or whose energy is not over 0, are skipped and
    counted in the notes. `columns` names some, by the keys of COLUMNS; others are recognized.

    Raises:
        TraceError: there is no such file, no such column, or no usable row.
    """
    text = _read_text(path)
    if not text.strip():
        raise TraceError(f"{path}: is empty; give a CSV file with a header and a session per row")
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    first, *rows = _read_rows(path, text, separator)
    header = Header(path, names := [name.strip() for name in first.cells], columns or {})
    arrival_at, energy_at = _find(header, "arrival"), _find(header, "energy")
    properties = PropertyReader(header, separator, [row.cells for row in rows])
    unit, reader = _kwh_per_unit(names[energy_at]), CellReader(separator)
    compact = not names[arrival_at].lower().endswith("_s") and are_compact_dates(
        [row.cells[arrival_at] for row in rows if len(row.cells) > arrival_at]
    )
    sessions, faults = [], []
    for row in rows:
        try:
            _check_width(row, len(names), max(arrival_at, energy_at))
            arrival = reader.moment(row.cells[arrival_at], compact=compact)
            kwh = reader.kwh(row.cells[energy_at], unit)
            sessions.append(TraceSession(arrival, kwh, properties.read(row.cells, _asked_kwh(kwh))))
        except ValueError as error:
            faults.append(f"{row.place}: {error}")
    if not sessions:
        why = f"; the first: {faults[0]}" if faults else ""
        raise TraceError(f"{path}: no row can be replayed ({len(faults)} left out{why})")
    return Trace(
        path.name,
        tuple(sorted(sessions, key=lambda session: session.arrival)),
        names[arrival_at],
        names[energy_at],
        properties.columns,
        (*_notes(rows, faults, reader.comma), *properties.notes()),
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise TraceError(f"{path}: {reason}; give a CSV file that can be read") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8") from None


def _read_rows(path: Path, text: str, separator: str) -> list[_Row]:
    """Parse the text, without empty rows; there is at least one other."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, first = [], 1
    try:
        for cells in lines:
            if cells:
                rows.append(_Row(cells, first, lines.line_num))
            first = lines.line_num + 1
    except csv.Error as error:
        place = _Row([], first, max(first, lines.line_num)).place
        fault = f"{place}: is not CSV ({error}); look for a quote that is not closed"
        if "unexpected end of data" in str(error):
            fault = f"line {first}: a quote is opened and never closed; close it, or take it out"
        raise TraceError(f"{path}: {fault}") from None
    return rows


def _find(header: Header, what: str) -> int:
    found = header.find(what)
    if found is None:
        raise TraceError(
            f"{header.path}: no column of {what} recognised among {listed(header.names)}; "
            f"name one {' or '.join(COLUMNS[what])}, or say which it is with --{what}-column"
        )
    return found


def _kwh_per_unit(column: str) -> float:
    name = column.lower().rstrip(" )]}")
    return next((kwh for unit, kwh in _KWH_PER_UNIT.items() if name.endswith(unit)), 1.0)


def _check_width(row: _Row, width: int, last_read: int) -> None:
    if len(row.cells) <= last_read:
        raise ValueError("the row is too short")
    if any(cell.strip() for cell in row.cells[width:]):
        raise ValueError(
            f"the row has {len(row.cells)} cells where the header has {width}; put a number with "
            "a comma in quotes, or write it with a point"
        )


def _notes(rows: Sequence[_Row], faults: Sequence[str], comma: str) -> Iterator[str]:
    if faults:
        yield f"{count_of(len(faults), 'row')} left out; the first: {faults[0]}"
    long = [row for row in rows if row.first != row.last]
    if long:
        rows_of_several = count_of(len(long), "row")
        yield f"{rows_of_several} over several lines, by quotes; the first: {long[0].place}"
    if comma:
        yield f"read with a decimal comma, such as {quoted(comma)}"
