"""Vehicle properties in a trace besides energy: maximum power, battery, state of charge. Pure.

A row with unusable properties keeps its arrival and energy: it is replayed as a vehicle without
them.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from load_tester.text import count_of
from load_tester.trace_columns import CellReader, Header

_UNITS = {"mw": 1e3, "kw": 1.0, "w": 1e-3, "mwh": 1e3, "kwh": 1.0, "wh": 1e-3}
# The range of a charge request; other powers are measurement errors.
_LEAST_KW, _MAX_KW = 1.0, 10_000.0
_MAX_BATTERY_KWH = 1e6
_ROUNDING = 1e-9


class Properties(NamedTuple):
    """Properties of a vehicle; None: unknown. Battery and state of charge come together."""

    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None  # 0 to 1


NO_PROPERTIES = Properties()


class PropertyReader:
    """Reads the properties in one file's rows, and counts unusable ones."""

    def __init__(self, header: Header, separator: str, rows: Sequence[Sequence[str]]) -> None:
        """Find the columns.

        Raises:
            TraceError: a named column does not exist.
        """
        self._cells, self._names = CellReader(separator), header.names
        self._power, self._battery, self._soc = map(header.find, ("power", "battery", "soc"))
        states = [self._value(row, self._soc) for row in rows]
        in_percent = any(state is not None and state > 1 for state in states)
        self._soc_unit = 0.01 if in_percent else 1.0
        self._unusable = {"power": 0, "battery": 0}

    def read(self, cells: Sequence[str], kwh: float) -> Properties:
        """Read a row whose vehicle asks for this energy, kWh."""
        power_kw = self._amount(cells, self._power)
        if power_kw is not None and not _LEAST_KW <= power_kw <= _MAX_KW:
            power_kw = None
        battery_kwh = self._amount(cells, self._battery)
        soc = self._value(cells, self._soc)
        properties = Properties(power_kw)
        if battery_kwh is not None and soc is not None:
            soc = round(soc * self._soc_unit, 6)
            # As the grid checks it, with a rounding tolerance: 6 kWh fit into 60 kWh at 90%.
            fits = kwh <= (1 - soc + _ROUNDING) * battery_kwh
            if fits and 0 < battery_kwh <= _MAX_BATTERY_KWH and 0 <= soc <= 1:
                properties = Properties(power_kw, battery_kwh, soc)
        self._unusable["power"] += self._power is not None and power_kw is None
        has_battery = self._battery is not None and self._soc is not None
        self._unusable["battery"] += has_battery and properties.battery_kwh is None
        return properties

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that are read."""
        found = (self._power, self._battery, self._soc)
        return tuple(self._names[column] for column in found if column is not None)

    def notes(self) -> Iterator[str]:
        """Yield how many rows have no usable value in a column."""
        for what, count in self._unusable.items():
            if count:
                yield f"{count_of(count, 'row')} without a usable {what}, which is then not sent"

    def _amount(self, cells: Sequence[str], column: int | None) -> float | None:
        value = self._value(cells, column)
        if value is None or column is None:
            return None
        ending = re.search(r"[a-z]+$", self._names[column].lower().rstrip(" )]}"))
        return value * _UNITS.get(ending[0] if ending else "", 1.0)

    def _value(self, cells: Sequence[str], column: int | None) -> float | None:
        if column is None or column >= len(cells):
            return None
        try:
            return self._cells.number(self._names[column], cells[column])
        except ValueError:
            return None
