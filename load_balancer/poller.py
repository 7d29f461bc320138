"""Polls each substation's metrics page, each on its own and all at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass(eq=False, repr=False)
class Poller:
    """Keeps one substation's state true for as long as the pool knows the substation."""

    substation: Substation
    pool: Pool
    page: Upstream  # the server of its metrics page
    profile: SubstationProfile
    settings: Settings
    headers: dict[str, str]
    random: Random
    polls: Counter
    log: Log
    _turns: Turns | None = field(default=None, init=False)
    _cpu_s: float = field(default=0.0, init=False)  # to read the page the last time
    _is_slow: bool = field(default=False, init=False)
    _stopped: bool = field(default=False, init=False)

    def start(self, after_s: float, at_end: Callable[[], object]) -> None:
        """Poll until the substation is forgotten, or until told to stop.

        Args:
            after_s: when to poll for the first time, seconds from now.
            at_end: called once that is over.
        """

        def end() -> None:
            self.page.close()
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
            or self.pool.substations.get(self.substation.address) is not self.substation
        ):
            return None
        before = self.substation.health
        self._poll()
        if self.substation.health is not before:
            self.log.warning(
                "health changed",
                health=self.substation.health.value,
                before=before.value,
                reason=self.substation.reason,
            )
        least_s = max(MIN_PAUSE_S, self._cpu_s / MAX_OF_A_CPU)
        self._warn_if_slow(least_s)
        return Pause(least_s, self.pool.pause_s(self.substation, self.random))

    def _warn_if_slow(self, pause_s: float) -> None:
        """Warn once if the gauge will be too old to be trusted before it is read again."""
        was_slow, self._is_slow = self._is_slow, pause_s > self.pool.health_check.trust_s
        if self._is_slow and not was_slow:
            self.log.warning(
                "metrics page takes too long to read",
                cpu_s=round(self._cpu_s, 4),
                read_again_in_s=round(pause_s, 3),
            )

    def _poll(self) -> None:
        self.pool.poll_began(self.substation, time.monotonic())
        outcome, self._cpu_s = "ok", 0.0
        try:
            reading = self._read()
        except (UnreadableGauge, ProtocolError) as error:
            outcome = "bad_page"
            self.pool.poll_unreadable(self.substation, str(error))
        except UpstreamError as error:
            outcome = "unreachable"
            self.pool.poll_missed(self.substation, str(error), time.monotonic())
        else:
            self.pool.poll_read(self.substation, reading, time.monotonic())
        self.polls.labels(self.substation.name, outcome).inc()

    def _read(self) -> Reading:
        limit = self.settings.max_metrics_bytes
        try:
            response = self.page.request(
                "GET",
                self.profile.metrics_path,
                headers=self.headers,
                within_s=self.settings.poll_timeout,
                limit=limit,
            )
        except ResponseTooLarge:
            raise over_limit(limit) from None
        work = _Work()
        try:
            page = page_text(response, limit)
            return read_gauge(page, self.profile, work.give_way)
        finally:
            self._cpu_s = work.spent_s()


class _Work:
    """CPU time that a page takes to read, in pieces between which others have their turn."""

    def __init__(self) -> None:
        self._spent_s = 0.0  # in earlier pieces
        self._began = time.thread_time()

    def spent_s(self) -> float:
        """Return the time so far, seconds."""
        return self._spent_s + time.thread_time() - self._began

    def give_way(self) -> None:
        """Let others have their turn, if it is time."""
        passed_s = time.thread_time() - self._began
        if passed_s > _WORK_AT_ONCE_S:
            self._spent_s += passed_s
            gevent.sleep(passed_s)
            self._began = time.thread_time()
