"""Polls each site's metrics page, each on its own and all at once."""

import time
from random import Random

import gevent
from gevent.event import Event
from prometheus_client import Counter

from grid_common.logs import Log
from grid_common.upstream import Garbled, Upstream, UpstreamError
from load_balancer.gauge import GaugeNames, UnreadableGauge, read_gauge
from load_balancer.pool import Pool
from load_balancer.site import Site

# A metrics page of a site is some ten thousand bytes; a larger one than this is not read.
_PAGE_LIMIT = 1_000_000
# Polls that are asked for out of turn keep this distance, seconds.
_SHORTEST_PAUSE_S = 0.05


class Poller:
    """Keeps one site's state true for as long as the pool knows the site."""

    def __init__(
        self,
        site: Site,
        pool: Pool,
        page: Upstream,
        path: str,
        *,
        names: GaugeNames,
        timeout_s: float,
        random: Random,
        polls: Counter,
        log: Log,
    ) -> None:
        self._site = site
        self._pool = pool
        self._page = page
        self._path = path
        self._names = names
        self._timeout_s = timeout_s
        self._random = random
        self._polls = polls
        self._log = log.bind(substation=site.name, address=site.address)
        self._wanted = Event()

    def want_poll(self) -> None:
        """Ask for a poll now rather than in turn."""
        self._wanted.set()

    def run(self) -> None:
        """Poll until the site is forgotten."""
        while self._pool.sites.get(self._site.address) is self._site:
            before = self._site.health
            began = time.monotonic()
            self._poll(began)
            if self._site.health is not before:
                self._log.warning(
                    "health changed",
                    health=self._site.health.value,
                    before=before.value,
                    reason=self._site.reason,
                )
            pause_s = self._pool.pause_s(self._site, self._random) - (time.monotonic() - began)
            gevent.sleep(_SHORTEST_PAUSE_S)
            self._wanted.wait(max(0.0, pause_s - _SHORTEST_PAUSE_S))
            self._wanted.clear()
        self._page.close()

    def _poll(self, began: float) -> None:
        self._pool.poll_began(self._site, began)
        outcome = "ok"
        try:
            reading = read_gauge(self._fetch(), self._names)
        except (UnreadableGauge, Garbled) as error:
            outcome = "bad_page"
            self._pool.poll_unreadable(self._site, str(error))
        except UpstreamError as error:
            outcome = "unreachable"
            self._pool.poll_missed(self._site, str(error), time.monotonic())
        else:
            self._pool.poll_read(self._site, reading, time.monotonic())
        self._polls.labels(self._site.name, outcome).inc()

    def _fetch(self) -> str:
        answer = self._page.request("GET", self._path, within_s=self._timeout_s, limit=_PAGE_LIMIT)
        if answer.status != 200:
            raise UnreadableGauge(f"its page answered {answer.status}")
        return answer.body.decode("utf-8", "replace")
