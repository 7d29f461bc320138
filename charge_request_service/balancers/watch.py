"""Detects whether a balancer is alive while it has vehicles in flight.

Its connections do not show it: those to a frozen or unreachable balancer stay open as if it worked.
"""

import math
import time
from collections.abc import Callable
from enum import Enum, auto

import gevent

from charge_request_service.settings import Settings
from grid_common.http.cancellation import CancelScope
from grid_common.logs import Log


class BalancerLost(BaseException):
    """The balancer was silent for too long while it had this vehicle.

    A BaseException, like gevent.Timeout, so that no library swallows it.
    """


class Sign(Enum):
    """A balancer's response to a health check."""

    LIVES = auto()
    DRAINS = auto()  # it finishes its vehicles and accepts no new ones


class MissCounter:
    """What consecutive failed checks mean. Pure.

    It counts checks, not time: if the gateway itself was frozen, only the one check in progress
    counts as the balancer's silence.
    """

    def __init__(self, *, silent_after: int, lost_after: int) -> None:
        """Start with a balancer that is assumed to be alive.

        After so many failed checks in a row it counts as silent, and its vehicles as lost.
        """
        self._silent_after = silent_after
        self._lost_after = max(silent_after, lost_after)
        self._missed = 0

    @property
    def doubtful(self) -> bool:
        """Whether the last check failed, so that another balancer is preferable."""
        return self._missed > 0

    @property
    def silent(self) -> bool:
        """Whether the balancer should get no vehicle now."""
        return self._missed >= self._silent_after

    @property
    def lost(self) -> bool:
        """Whether to give up waiting for the vehicles that it has."""
        return self._missed >= self._lost_after

    def check_ended(self, *, answered: bool) -> None:
        """Count a check."""
        self._missed = 0 if answered else self._missed + 1


class _InFlight(CancelScope):
    """The block of a vehicle at the balancer; it is in the `those_in_flight` sets while it runs."""

    def __init__(self, *those_in_flight: set[CancelScope]) -> None:
        super().__init__()
        self._those_in_flight = those_in_flight
        for those in those_in_flight:
            those.add(self)

    def close(self) -> None:
        super().close()
        for those in self._those_in_flight:
            those.discard(self)


class BalancerWatch:
    """Checks one balancer while it has vehicles in flight or is not healthy.

    A vehicle that is given up may be charged again through the next balancer while this one's
    substation is still charging it. A vehicle that keeps waiting gets its response as soon as a
    frozen balancer resumes. So the timeout for vehicles in flight is long, but new vehicles are
    kept from a silent balancer early.
    """

    def __init__(
        self,
        check: Callable[[], Sign | None],
        settings: Settings,
        is_other_healthy: Callable[[], bool],
        log: Log,
    ) -> None:
        """Create a watch; nothing is checked until a vehicle is in flight.

        `check` returns the balancer's response, or None, within CHECK_INTERVAL.
        `is_other_healthy` returns whether another healthy balancer exists.
        """
        self._check = check
        self._interval_s = settings.check_interval
        self._misses = MissCounter(
            silent_after=settings.check_unhealthy_threshold,
            lost_after=math.ceil(settings.balancer_patience / settings.check_interval),
        )
        self._is_other_healthy = is_other_healthy
        self._log = log
        # How often sessions were moved away from here. Sessions of earlier terms are no longer led
        # there.
        self.term = 0
        self._movable: set[CancelScope] = set()
        self._in_flight: set[CancelScope] = set()
        self._watching = False
        # Found by an attempt to forward a vehicle; holds until the next check.
        self._refuses = self._drains = False
        self._closed = False

    @property
    def held(self) -> int:
        """Number of this gateway's vehicles at the balancer."""
        return len(self._in_flight)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is known against giving it a vehicle."""
        return not (self._refuses or self._drains or self._misses.doubtful)

    def is_silent(self) -> bool:
        """Return whether the balancer has stopped responding; checks continue meanwhile."""
        if self._misses.silent:
            self._ensure_watching()
        return self._misses.silent

    def refused(self) -> None:
        """Note that it refused a connection: prefer others until a check succeeds."""
        self._refuses = True
        self._ensure_watching()

    def drains(self) -> None:
        """Note that it drains: prefer others until a check finds its replacement."""
        self._drains = True
        self._ensure_watching()

    def vehicle_in_flight(self, *, movable: bool = False) -> CancelScope:
        """Watch the balancer while the block waits for one of its vehicles.

        Another balancer can take a movable one over as soon as this one is silent.

        Raises:
            BalancerLost: in the block, if it was silent for longer than the patience.
        """
        self._ensure_watching()
        return _InFlight(self._in_flight, *([self._movable] if movable else []))

    def close(self) -> None:
        """Stop checking once the last vehicle is done."""
        self._closed = True

    def _ensure_watching(self) -> None:
        if not self._watching:
            self._watching = True
            gevent.spawn(self._watch)

    def _is_wanted(self) -> bool:
        return bool(self._in_flight or not (self._closed or self.is_healthy))

    def _watch(self) -> None:
        pause_s = self._interval_s
        try:
            while True:
                gevent.sleep(pause_s)
                if not self._is_wanted():
                    return
                began = time.monotonic()
                self._check_once()
                pause_s = max(0.0, self._interval_s - (time.monotonic() - began))
        finally:
            self._watching = False

    def _check_once(self) -> None:
        was_silent = self._misses.silent
        sign = self._check()
        self._misses.check_ended(answered=sign is not None)
        if sign is not None:
            self._refuses, self._drains = False, sign is Sign.DRAINS
        if self._misses.silent is not was_silent:
            news = "balancer answers again" if was_silent else "balancer silent"
            self._log.warning(news, vehicles_in_flight=len(self._in_flight))
        if self._misses.silent and self._movable and self._is_other_healthy():
            self.term += 1
            self._log.warning("sessions moved on", sessions=len(self._movable))
            for cancel_scope in self._movable:
                cancel_scope.throw(BalancerLost())
        if self._misses.lost:
            for cancel_scope in self._in_flight:
                cancel_scope.throw(BalancerLost())
