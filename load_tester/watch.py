"""Watches the grid beside a run: its decisions, its loads, and its counters before and after."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import gevent
import requests

from load_tester.counters import GatewayCounters, GridCounters, SiteCounters
from load_tester.decisions import DecisionBook
from load_tester.site import GridSamples

_DECISIONS_EVERY_S = 0.25
_LOADS_EVERY_S = 0.5
_PAGE_TIMEOUT_S = 3.0
_COUNTER_TIMEOUT_S = 1.5
_SETTLE_S = 2.0
_SETTLE_EVERY_S = 0.2
_LAST_TRIES = 3
_AFTER_ALL = 10**12  # a sequence that no balancer reaches: asks for `last` alone
_MOST_PAGE_BYTES = 16 << 20
_PART_BYTES = 1 << 16


class PageMissing(Exception):
    """A page that could not be read; the message says why, in a few words."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Pages:
    """Reads the grid's pages with GET, over connections of its own."""

    def __init__(self, timeout: float, api_key: str | None = None) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a password of the environment
        if api_key is not None:
            self._session.headers["Authorization"] = f"Bearer {api_key}"
        self._timeout = timeout

    def text(self, url: str) -> str:
        """Return a page.

        Raises:
            PageMissing: none came, or not with status 200.
        """
        try:
            with self._session.get(
                url, timeout=self._timeout, stream=True, allow_redirects=False
            ) as response:
                content = b""
                for part in response.iter_content(_PART_BYTES):
                    content += part
                    if len(content) >= _MOST_PAGE_BYTES:
                        break
        except requests.RequestException as error:
            raise PageMissing(_page_fault(error)) from None
        if response.status_code != 200:
            raise PageMissing(f"answered {response.status_code}", response.status_code)
        return content.decode("utf-8", "replace")

    def document(self, url: str) -> dict[str, Any]:
        """Return a page that is a JSON object.

        Raises:
            PageMissing: none came, or it is something else.
        """
        try:
            document = json.loads(self.text(url))
        except (ValueError, RecursionError):
            raise PageMissing("is not JSON") from None
        if not isinstance(document, dict):
            raise PageMissing("is not a JSON object")
        return document


def _page_fault(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "did not answer in time"
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "its name was not found"
            case ConnectionRefusedError():
                return "refused the connection"
            case ConnectionError():
                return "broke the connection off"
            case OSError(errno=int()):
                return "cannot be reached"
    return "broke the connection off"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what an error goes back to, nearest first."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


@dataclass(slots=True)
class Watch:
    """Polls the pages that the gateway passes on, and the sites' own.

    `now` tells seconds since the start of the run. Pages that are not there end their own poll and
    nothing else: any gateway will do for the run itself.
    """

    url: str
    now: Callable[[], float]
    book: DecisionBook | None
    site_metrics: Sequence[str] = ()
    api_key: str | None = field(default=None, repr=False)
    on_waiting: Callable[[int], None] = lambda _: None
    samples: GridSamples = field(default_factory=GridSamples)
    decisions_fault: str = ""
    _pages: Pages = field(init=False)
    # Sites' pages among them, which have no business with the gateway's key.
    _metrics: Pages = field(default_factory=lambda: Pages(_COUNTER_TIMEOUT_S))
    # In quotes as only the stubs are generic.
    _polls: "list[gevent.Greenlet[..., None]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pages = Pages(_PAGE_TIMEOUT_S, self.api_key)

    def begin(self) -> GridCounters:
        """Look at the grid before the run and return its counters."""
        gevent.joinall([gevent.spawn(self._sample_loads), gevent.spawn(self._find_last_decision)])
        return self.read_counters()

    def _find_last_decision(self) -> None:
        if self.book is None:
            return
        try:
            page = self._pages.document(self._at(f"decisions?since={_AFTER_ALL}"))
            self.book.since = int(page["last"])
        except PageMissing as error:
            self._give_up_decisions(f"/decisions {error}")
        except (KeyError, TypeError, ValueError):
            self._give_up_decisions("/decisions has no `last`")

    def start(self) -> None:
        """Poll in the background until `finish`."""
        self._polls.append(gevent.spawn(self._repeat, _LOADS_EVERY_S, self._sample_loads))
        if self.book is not None:
            self._polls.append(gevent.spawn(self._repeat, _DECISIONS_EVERY_S, self._read_decisions))

    def finish(self) -> None:
        """Stop polling and read the decisions that are left."""
        gevent.killall(self._polls)
        for _ in range(_LAST_TRIES):
            if self.book is None or self._read_decisions():
                return
        if self.book is not None:
            self.book.cut_off = True

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
            self.samples.absorb(self._pages.document(self._at("substations")), self.now())
        except (PageMissing, ValueError):
            return
        if self.samples.waiting:
            self.on_waiting(self.samples.waiting[-1][1])

    def _read_decisions(self) -> bool:
        """Take in all decisions since the last; return whether that worked.

        What a lost page would have held comes with the next.
        """
        while self.book is not None:
            try:
                page = self._pages.document(self._at(f"decisions?since={self.book.overlap}"))
                if not self.book.absorb(page):
                    return True
            except PageMissing as error:
                if error.status not in (404, 405, 501):
                    return False
                self._give_up_decisions(f"/decisions {error}")
            except ValueError as error:
                self._give_up_decisions(str(error))
        return True

    def _give_up_decisions(self, reason: str) -> None:
        self.book, self.decisions_fault = None, reason

    def read_counters(self) -> GridCounters:
        """Read the metrics pages of the gateway and of every site, all at once."""
        faults: dict[str, str] = {}
        gateway: list[GatewayCounters] = []
        sites: dict[str, SiteCounters | None] = {}

        def read_gateway() -> None:
            try:
                gateway.append(GatewayCounters.from_page(self._metrics.text(self._at("metrics"))))
            except (PageMissing, ValueError) as error:
                faults["gateway"] = str(error)

        def read_site(address: str, page: str) -> None:
            sites[address] = None
            try:
                sites[address] = SiteCounters.from_page(self._metrics.text(page))
            except (PageMissing, ValueError) as error:
                faults[address] = f"{address} {error}"

        pages = self._site_pages()
        gevent.joinall(
            [gevent.spawn(read_gateway)]
            + [gevent.spawn(read_site, address, page) for address, page in pages.items()]
        )
        return GridCounters(gateway[0] if gateway else None, sites, faults)

    def _site_pages(self) -> Mapping[str, str]:
        """Return each site's metrics page by the site's address."""
        known = sorted(self.samples.addresses.values())
        if not self.site_metrics:
            return {address: urljoin(f"{address}/", "metrics") for address in known}
        by_origin = {address.rstrip("/"): address for address in known}
        return {by_origin.get(page.rpartition("/")[0], page): page for page in self.site_metrics}

    def settle(self, enough: Callable[[GridCounters], bool]) -> GridCounters:
        """Read the counters after the run, again for a moment while they do not suffice.

        A service may count a vehicle just after it answered it.
        """
        deadline = time.monotonic() + _SETTLE_S
        counters = self.read_counters()
        while not enough(counters) and time.monotonic() < deadline:
            gevent.sleep(_SETTLE_EVERY_S)
            counters = self.read_counters()
        return counters
