"""Polls each substation's metrics page, each on its own and all at once."""

import time
from collections.abc import Callable
from random import Random

import gevent
from prometheus_client import Counter

from grid_common.http.client import ProtocolError, ResponseTooLarge, Upstream, UpstreamError
from grid_common.logs import Log
from load_balancer.gauge import UnreadableGauge, read_gauge
from load_balancer.metrics_page import over_limit, page_text
from load_balancer.profile import SubstationProfile
from load_balancer.routing.health import Reading
from load_balancer.routing.poll_schedule import MAX_OF_A_CPU, MIN_PAUSE_S
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Substation
from load_balancer.settings import Settings
from load_balancer.turns import Pause, Turns

# Others have their turn after so much reading, and for as long at least. Seconds.
_WORK_AT_ONCE_S = 0.001


class Poller:
    """Keeps one substation's state true for as long as the pool knows the substation."""

    def __init__(
        self,
        substation: Substation,
        pool: Pool,
        page: Upstream,
        profile: SubstationProfile,
        settings: Settings,
        *,
        headers: dict[str, str],
        random: Random,
        polls: Counter,
        log: Log,
    ) -> None:
        self._substation = substation
        self._pool = pool
        self._page = page
        self._profile = profile
        self._settings = settings
        self._headers = headers
        self._random = random
        self._polls = polls
        self._log = log.bind(substation=substation.name, address=substation.address)
        self._turns: Turns | None = None
        self._work = _Work()
        self._is_slow = False
        self._stopped = False

    def start(self, after_s: float, at_end: Callable[[], object]) -> None:
        """Poll until the substation is forgotten, or until told to stop.

        Args:
            after_s: when to poll for the first time, seconds from now.
            at_end: called once that is over.
        """

        def end() -> None:
            self._page.close()
            at_end()

        self._turns = Turns(self._take_turn, end)
        self._turns.start(after_s)

    def want_poll(self) -> None:
        """Ask for a poll now rather than in turn."""
        if self._turns is not None:
            self._turns.hurry()

    def stop(self) -> None:
        """Poll no more."""
        self._stopped = True
        self.want_poll()

    def _take_turn(self) -> Pause | None:
        if (
            self._stopped
            or self._pool.substations.get(self._substation.address) is not self._substation
        ):
            return None
        before = self._substation.health
        self._poll()
        if self._substation.health is not before:
            self._log.warning(
                "health changed",
                health=self._substation.health.value,
                before=before.value,
                reason=self._substation.reason,
            )
        least_s = max(MIN_PAUSE_S, self._work.spent_s / MAX_OF_A_CPU)
        self._warn_if_slow(least_s)
        return Pause(least_s, self._pool.pause_s(self._substation, self._random))

    def _warn_if_slow(self, pause_s: float) -> None:
        """Warn once if the gauge will be too old to be trusted before it is read again."""
        was_slow, self._is_slow = self._is_slow, pause_s > self._pool.health_check.trust_s
        if self._is_slow and not was_slow:
            self._log.warning(
                "metrics page takes too long to read",
                cpu_s=round(self._work.spent_s, 4),
                read_again_in_s=round(pause_s, 3),
            )

    def _poll(self) -> None:
        self._pool.poll_began(self._substation, time.monotonic())
        outcome = "ok"
        self._work = _Work()
        try:
            reading = self._read()
        except (UnreadableGauge, ProtocolError) as error:
            outcome = "bad_page"
            self._pool.poll_unreadable(self._substation, str(error))
        except UpstreamError as error:
            outcome = "unreachable"
            self._pool.poll_missed(self._substation, str(error), time.monotonic())
        else:
            self._pool.poll_read(self._substation, reading, time.monotonic())
        self._polls.labels(self._substation.name, outcome).inc()

    def _read(self) -> Reading:
        limit = self._settings.max_metrics_bytes
        try:
            response = self._page.request(
                "GET",
                self._profile.metrics_path,
                headers=self._headers,
                within_s=self._settings.poll_timeout,
                limit=limit,
            )
        except ResponseTooLarge:
            raise over_limit(limit) from None
        with self._work:
            page = page_text(response, limit)
            return read_gauge(page, self._profile, self._work.give_way)


class _Work:
    """CPU time that a page takes to read, in pieces between which others have their turn."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.thread_time()

    def __exit__(self, *_error: object) -> None:
        self.spent_s += time.thread_time() - self._began

    def give_way(self) -> None:
        """Let others have their turn, if it is time."""
        passed_s = time.thread_time() - self._began
        if passed_s > _WORK_AT_ONCE_S:
            self.spent_s += passed_s
            gevent.sleep(passed_s)
            self._began = time.thread_time()
