"""Monitors the grid during a run: decisions, loads, and counters before and after."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urljoin

import gevent

from load_tester.pages import PageMissing, Pages
from load_tester.reconciliation.counters import GatewayCounters, GridCounters, SubstationCounters
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.ledger import LedgerRecords
from load_tester.substation import GridSamples

_DECISIONS_EVERY_S = 0.25
_LOADS_EVERY_S = 0.5
_PAGE_TIMEOUT_S = 3.0
_COUNTER_TIMEOUT_S = 1.5
_SETTLE_S = 2.0
_SETTLE_EVERY_S = 0.2
_LAST_TRIES = 3
_AFTER_ALL = 10**12  # above any real sequence number: requests `last` only

T = TypeVar("T")


@dataclass(slots=True)
class Monitor:
    """Polls the pages that the gateway passes on, and the substations' own.

    `now` returns seconds since the start of the run. A missing page ends its own poll and nothing
    else, so any gateway will do for the run itself.
    """

    url: str
    now: Callable[[], float]
    records: DecisionRecords | None
    ledger: LedgerRecords
    substation_metrics: Sequence[str] = ()
    api_key: str | None = field(default=None, repr=False)
    on_waiting: Callable[[int], None] = lambda _: None
    samples: GridSamples = field(default_factory=GridSamples)
    decisions_fault: str = ""
    _pages: Pages = field(init=False)
    # Includes substations' pages, to which the gateway's key must not be sent.
    _metrics: Pages = field(default_factory=lambda: Pages(_COUNTER_TIMEOUT_S), init=False)
    # Quoted, because only the stubs are generic.
    _polls: "list[gevent.Greenlet[..., None]]" = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._pages = Pages(_PAGE_TIMEOUT_S, self.api_key)

    def begin(self) -> GridCounters:
        """Read the grid's state before the run and return its counters."""
        newest_session = partial(self.ledger.begin, self._page)
        looks = (self._sample_loads, self._find_last_decision, newest_session)
        gevent.joinall([gevent.spawn(look) for look in looks])
        return self.read_counters()

    def _page(self, page: str) -> dict[str, Any]:
        return self._pages.document(self._at(page))

    def _find_last_decision(self) -> None:
        if self.records is None:
            return
        try:
            for balancer in self._balancers():
                page = self._page(_decisions(_AFTER_ALL, balancer))
                self.records.cursor(balancer).since = int(page["last"])
        except PageMissing as error:
            self._give_up_decisions(f"/decisions {error}")
        except (KeyError, TypeError, ValueError):
            self._give_up_decisions("/decisions has no `last`")

    def start(self) -> None:
        """Poll in the background until `finish`."""
        self._polls.append(gevent.spawn(self._repeat, _LOADS_EVERY_S, self._sample_loads))
        if self.records is not None:
            self._polls.append(gevent.spawn(self._repeat, _DECISIONS_EVERY_S, self._read_decisions))

    def finish(self) -> None:
        """Stop polling and read the remaining decisions."""
        gevent.killall(self._polls)
        for _ in range(_LAST_TRIES):
            if self.records is None or self._read_decisions():
                return
        if self.records is not None:
            self.records.cut_off = True

    @staticmethod
    def _repeat(every: float, action: Callable[[], object]) -> None:
        while True:
            began = time.monotonic()
            action()
            gevent.sleep(max(every / 4, every - (time.monotonic() - began)))

    def _at(self, page: str) -> str:
        return urljoin(f"{self.url}/", page)

    def _sample_loads(self) -> None:
        try:
            self.samples.absorb(self._page("substations"), self.now())
        except (PageMissing, ValueError):
            return
        if self.samples.waiting:
            self.on_waiting(self.samples.waiting[-1][1])

    def _read_decisions(self) -> bool:
        """Read all decisions since the last; return whether that succeeded.

        A failed read loses nothing: the next one includes it.
        """
        read = [self._read_decisions_of(balancer) for balancer in self._balancers()]
        return all(read)

    def _balancers(self) -> list[str]:
        """Return the gateway's balancers; one without a name if there is only one.

        A balancer that is gone is not asked any more: its last decisions are lost.
        """
        try:
            balancers = [str(one["url"]) for one in self._page("balancers")["balancers"]]
        except (PageMissing, KeyError, TypeError):
            return [""]  # not every gateway has the list
        return balancers if len(balancers) > 1 else [""]

    def _read_decisions_of(self, balancer: str) -> bool:
        while self.records is not None:
            try:
                page = self._page(_decisions(self.records.cursor(balancer).overlap, balancer))
                if not self.records.absorb(page, balancer):
                    return True
            except PageMissing as error:
                if error.status not in (404, 405, 501):
                    return False
                self._give_up_decisions(f"/decisions {error}")
            except ValueError as error:
                self._give_up_decisions(str(error))
        return True

    def _give_up_decisions(self, reason: str) -> None:
        self.records, self.decisions_fault = None, reason

    def read_counters(self) -> GridCounters:
        """Read the metrics pages of the gateway and of every substation, concurrently."""
        faults: dict[str, str] = {}

        def read(name: str, page: str, parse: Callable[[str], T]) -> T | None:
            try:
                return parse(self._metrics.text(page))
            except (PageMissing, ValueError) as error:
                faults[name] = str(error) if name == "gateway" else f"{name} {error}"
                return None

        gateway = gevent.spawn(read, "gateway", self._at("metrics"), GatewayCounters.from_page)
        substations = {
            address: gevent.spawn(read, address, page, SubstationCounters.from_page)
            for address, page in self._substation_pages().items()
        }
        gateway.join()
        gevent.joinall([*substations.values()])
        found = {address: reading.value for address, reading in substations.items()}
        return GridCounters(gateway.value, found, faults)

    def _substation_pages(self) -> Mapping[str, str]:
        """Return the metrics page of each substation, by the substation's address."""
        known = sorted(self.samples.addresses.values())
        if not self.substation_metrics:
            return {address: urljoin(f"{address}/", "metrics") for address in known}
        by_origin = {address.rstrip("/"): address for address in known}
        return {
            by_origin.get(page.rpartition("/")[0], page): page for page in self.substation_metrics
        }

    def settle(
        self, enough: Callable[[GridCounters], bool], answered: Collection[str]
    ) -> GridCounters:
        """Read counters and ledger after the run; retry for a moment while incomplete.

        A service may count a vehicle, or write its session down, just after its response, and end a
        session just after the vehicle disconnected. `answered`: sessions that had a response.
        """
        deadline = time.monotonic() + _SETTLE_S
        complete = False
        while True:
            complete = complete or self.ledger.read(self._page, answered)
            counters = self.read_counters()
            if (complete and enough(counters)) or time.monotonic() >= deadline:
                return counters
            gevent.sleep(_SETTLE_EVERY_S)


def _decisions(since: int, balancer: str) -> str:
    of = f"&balancer={quote(balancer, safe='')}" if balancer else ""
    return f"decisions?since={since}{of}"
