"""The columns of a trace and their values: numbers, energies and times. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from load_tester.text import listed, plain_number, quoted
from load_tester.vehicle import PlanError

# Recognized in this order, in any spelling; the end of a name is the unit.
COLUMNS = {
    "arrival": ("arrival", "arrival_utc", "arrival_time", "connection_time", "start", "due_s"),
    "energy": ("energy_wh", "energy_kwh", "requested_energy_kwh", "kwh", "energy"),
    "power": ("max_power_kw", "pmax_w"),
    "battery": ("battery_kwh", "energy_capacity_wh"),
    "soc": ("soc", "soc_arrival"),
}
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
_MAYBE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
# Formats of dates that look like numbers, by their length.
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = range(1970, 2100)


class TraceError(PlanError):
    """A trace cannot be replayed; the message names file, fault and remedy."""


class Header(NamedTuple):
    """The names of a file's columns, and those that options name, by what they have."""

    path: Path
    names: Sequence[str]
    asked: Mapping[str, str | None]

    def find(self, what: str) -> int | None:
        """Return the index of the named column, or of the first known one; None without.

        Raises:
            TraceError: the named column does not exist.
        """
        asked = self.asked.get(what)
        if asked is not None:
            if asked in self.names:
                return self.names.index(asked)
            raise TraceError(
                f"--{what}-column {listed([asked])}: {self.path} has no such column, only "
                f"{listed(self.names)}"
            )
        spelled = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in self.names]
        return next((spelled.index(name) for name in COLUMNS[what] if name in spelled), None)


class CellReader:
    """Parses cells of a file with one separator.

    Attributes:
        comma: the first number with a decimal comma, empty if there was none.
    """

    def __init__(self, separator: str) -> None:
        self._separator = separator
        self.comma = ""

    def kwh(self, text: str, unit: float) -> float:
        """Parse an energy; `unit` is the unit of its column, kWh.

        Raises:
            ValueError: it is not a number over 0.
        """
        number = self.number("energy", text)
        if number is None:
            raise ValueError(f"energy {quoted(text)} is not a number")
        if not 0 < number * unit < math.inf:
            raise ValueError(f"energy {quoted(text)} is not over 0")
        return number * unit

    def moment(self, text: str, *, compact: bool) -> float:
        """Parse an arrival; return seconds, since 1970 if it is a date.

        Args:
            text: the cell.
            compact: whether a number that looks like a date is one.

        Raises:
            ValueError: it is neither a date nor a number.
        """
        text = text.strip()
        moment = _compact_date(text) if compact else None
        if moment is None:
            number = self.number("arrival", text)
            if number is not None:
                return number
            moment = _iso_date(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)  # only differences matter
        return moment.timestamp()

    def number(self, what: str, text: str) -> float | None:
        """Parse a number; None if it is not one. `what` names it in messages.

        Raises:
            ValueError: its comma may be a decimal or a thousands separator.
        """
        text = text.strip()
        if not _WITH_COMMA.fullmatch(text):
            return plain_number(text)
        if self._separator == "," and _MAYBE_THOUSANDS.fullmatch(text):
            raise ValueError(
                f"{what} {quoted(text)} has a comma that may separate decimals or thousands; write "
                "it with a point, or without a separator"
            )
        self.comma = self.comma or text
        return plain_number(text.replace(",", "."))


def are_compact_dates(texts: Sequence[str]) -> bool:
    """Return whether all numbers among a column's cells are dates such as 20190301.

    A column of seconds may contain some numbers that look like dates, but not only such numbers.
    """
    numbers = [text for text in map(str.strip, texts) if plain_number(text) is not None]
    return bool(numbers) and all(_compact_date(text) is not None for text in numbers)


def _compact_date(text: str) -> datetime | None:
    layout = _COMPACT.get(len(text))
    if layout is None or not (text.isascii() and text.isdigit()):
        return None
    try:
        moment = datetime.strptime(text, layout).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if moment.year in _YEARS else None


def _iso_date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"arrival {quoted(text)} is neither an ISO 8601 time nor a number of seconds"
        ) from None
