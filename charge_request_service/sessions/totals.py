"""Totals of the sessions that began today, from the ledger."""

import time
from collections.abc import Callable
from datetime import datetime
from datetime import time as time_of_day
from typing import Any, NamedTuple

from gevent.lock import RLock

from charge_request_service.sessions.cleanup import MAX_IN_MEMORY
from charge_request_service.sessions.documents import iso
from charge_request_service.sessions.ledger import Ledger
from charge_request_service.sessions.record import State

# A result is cached for this long, seconds, or for this multiple of the time that it took, if that
# is longer. This bounds the load on the ledger, however often callers ask.
_CACHE_S, _CACHE_FACTOR = 5.0, 20.0


class _Found(NamedTuple):
    document: dict[str, Any]
    at: float
    took_s: float


class Totals:
    """The totals of one gateway. The day begins at midnight in its time zone (`TZ`)."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._now = now
        self._opened = now().astimezone()
        self._found: dict[str | None, _Found] = {}
        self._finding = RLock()

    def document(self, owner: str | None) -> dict[str, Any]:
        """Return the totals of all sessions that began today, or of an owner's.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        since = self._since()
        found = self._kept(owner, since)
        if found is None:
            with self._finding:  # one at a time
                found = self._kept(owner, since) or self._find(owner, since)
        return {**found.document, "age_s": round(self._clock() - found.at, 3)}

    def _since(self) -> datetime:
        midnight = datetime.combine(self._now().date(), time_of_day.min).astimezone()
        if self._ledger.is_lost_with_this_process:
            return max(midnight, self._opened)
        return midnight

    def _kept(self, owner: str | None, since: datetime) -> _Found | None:
        found = self._found.get(owner)
        if found is None or found.document["since"] != _text(since):
            return None
        fresh_s = max(_CACHE_S, _CACHE_FACTOR * found.took_s)
        return found if self._clock() - found.at < fresh_s else None

    def _find(self, owner: str | None, since: datetime) -> _Found:
        began = self._clock()
        tallies = self._ledger.tallies(int(since.timestamp() * 1000), owner)
        at = self._clock()
        counts = dict.fromkeys(State, 0) | {one.state: one.sessions for one in tallies}
        vehicles = sum(counts.values())
        in_memory = self._ledger.is_lost_with_this_process
        document = {
            "since": _text(since),
            "vehicles": vehicles,
            "open": counts[State.WAITING] + counts[State.CHARGING],
            "charged": counts[State.CHARGED],
            "stopped": counts[State.STOPPED],
            "refused": counts[State.REFUSED],
            "energy_kwh": round(sum(one.energy_kwh for one in tallies), 6),
            "complete": not (in_memory and vehicles >= MAX_IN_MEMORY),
        }
        found = self._found[owner] = _Found(document, at, at - began)
        return found


def _text(since: datetime) -> str:
    return iso(int(since.timestamp() * 1_000_000))
