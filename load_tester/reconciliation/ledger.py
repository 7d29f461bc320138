"""The gateway's session ledger, `GET /sessions`: the sessions of the run and of others.

No clocks are compared: the list is newest first, and is read up to the newest session from before
the run.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from load_tester.pages import PageMissing
from load_tester.response import reported_energies

_MAX_PAGES = 10_000
_NOT_THERE = (400, 404, 405, 501)
FINAL = ("charged", "stopped", "refused")


class Entry(NamedTuple):
    """A session in the ledger; `energies` in kWh by substation."""

    session_id: str
    state: str
    energies: Mapping[str, float]

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state not in FINAL


@dataclass(slots=True)
class LedgerRecords:
    """The sessions that began during the run. `fault` says why they are unknown; empty if known.

    `own_prefix` marks this run's vehicles.
    """

    own_prefix: str
    fault: str = "was not read"
    own: dict[str, list[Entry]] = field(default_factory=dict)  # by vehicle
    others: list[Entry] = field(default_factory=list)
    _newest: Mapping[str, Any] | None = None  # session before the run
    _there: bool = False

    @property
    def entries(self) -> list[Entry]:
        """All of them."""
        return [entry for entries in self.own.values() for entry in entries] + self.others

    @property
    def kwh(self) -> Mapping[str, float]:
        """The energy of all of them, by substation."""
        totals: defaultdict[str, float] = defaultdict(float)
        for entry in self.entries:
            for substation, kwh in entry.energies.items():
                totals[substation] += kwh
        return totals

    def begin(self, get: Callable[[str], Mapping[str, Any]]) -> None:
        """Read what exists before the run. `get` reads a page, or raises PageMissing."""
        try:
            rows = _rows(get("sessions?limit=1"))
        except PageMissing as error:
            # A gateway without a ledger is fine; one whose ledger fails is not.
            self.fault = "" if error.status in _NOT_THERE else f"/sessions {error}"
        except ValueError as error:
            self.fault = str(error)
        else:
            self._there, self._newest = True, rows[0] if rows else None

    def read(self, get: Callable[[str], Mapping[str, Any]], answered: Collection[str] = ()) -> bool:
        """Read all sessions of the run; return whether those of its own are complete.

        They are if all of them have ended, and those that were answered are there.
        """
        if not self._there:
            return True
        self.own, self.others, self.fault = {}, [], ""
        query: dict[str, Any] = {}
        if self._newest is not None:
            query["since"] = self._newest["began"]
        try:
            for _ in range(_MAX_PAGES):
                page = get(f"sessions?{urlencode(query)}")
                # `since` is in milliseconds, so earlier sessions may share the first one.
                if not all(self._take(row) for row in _rows(page)) or page.get("next") is None:
                    break
                query["cursor"] = page["next"]
            else:
                self.fault = f"has over {_MAX_PAGES:,} pages"
        except PageMissing as error:
            self.fault = f"/sessions {error}"
        except ValueError as error:
            self.fault = str(error)
        own = [entry for entries in self.own.values() for entry in entries]
        there = bool(self.fault) or {entry.session_id for entry in own}.issuperset(answered)
        return there and not any(entry.open for entry in own)

    @property
    def readable(self) -> bool:
        """Whether there is a ledger that was read completely."""
        return self._there and not self.fault

    def _take(self, row: Mapping[str, Any]) -> bool:
        """Add a session; return whether there may be more of the run."""
        if self._newest is not None and row["session_id"] == self._newest["session_id"]:
            return False
        entry = Entry(row["session_id"], str(row["state"]), reported_energies(row))
        vehicle_id = row["vehicle_id"]
        if vehicle_id.startswith(self.own_prefix):
            self.own.setdefault(vehicle_id, []).append(entry)
        else:
            self.others.append(entry)
        return True


def _rows(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a page's sessions.

    Raises:
        ValueError: it is not a page of sessions.
    """
    rows = page.get("sessions")
    names = ("session_id", "vehicle_id", "state", "began")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and all(isinstance(row.get(name), str) for name in names)
        for row in rows
    ):
        raise ValueError("/sessions answered with something other than sessions")
    return rows
