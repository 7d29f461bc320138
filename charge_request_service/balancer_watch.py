"""Tells whether a balancer lives while it has vehicles in flight.

Its connections cannot tell: those to a balancer that is frozen, or cut off, stand as if it worked.
"""

import math
import time
from collections.abc import Callable
from enum import Enum, auto

import gevent

from grid_common.http.cancellation import CancelScope
from grid_common.logs import Log


class BalancerLost(BaseException):
    """The balancer was silent for too long with this vehicle in flight.

    A BaseException, like gevent.Timeout, so that no library on the way swallows it.
    """


class Sign(Enum):
    """What a balancer answers to a check."""

    LIVES = auto()
    DRAINS = auto()  # it finishes what it has


class MissCounter:
    """What checks that went unanswered in a row mean. Pure.

    It counts checks and not time: a gateway that was itself frozen then takes only the one check
    that it slept through for the balancer's silence.
    """

    def __init__(self, *, silent_after: int, lost_after: int) -> None:
        """Start with a balancer that is believed to live.

        Args:
            silent_after: checks missed in a row that make the balancer silent.
            lost_after: checks missed in a row that make what it holds lost.
        """
        self._silent_after = silent_after
        self._lost_after = max(silent_after, lost_after)
        self._missed = 0

    @property
    def doubtful(self) -> bool:
        """Whether its last check went unanswered: another balancer is the better choice."""
        return self._missed > 0

    @property
    def silent(self) -> bool:
        """Whether no vehicle should be sent to the balancer now."""
        return self._missed >= self._silent_after

    @property
    def lost(self) -> bool:
        """Whether to wait no longer for the vehicles that it holds."""
        return self._missed >= self._lost_after

    def check_ended(self, *, answered: bool) -> None:
        """Count a check."""
        self._missed = 0 if answered else self._missed + 1


class _InFlight(CancelScope):
    """The block of a vehicle that the balancer has, which is among `those_in_flight` meanwhile."""

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
    """Checks one balancer for as long as it has vehicles in flight or is not well.

    A vehicle that is broken off may be charged again by the next balancer while this one's
    substation charges it still; one that waits is answered as soon as a frozen balancer goes on. So
    the patience with those in flight is long, and new vehicles are kept from a silent balancer
    early.
    """

    def __init__(
        self,
        check: Callable[[], Sign | None],
        *,
        interval_s: float,
        checks_missed: int,
        patience_s: float,
        is_other_well: Callable[[], bool],
        log: Log,
    ) -> None:
        """Prepare; nothing is checked before a vehicle is in flight.

        Args:
            check: tells what the balancer answers, None for nothing; takes `interval_s` at most.
            interval_s: time between two checks.
            checks_missed: missed in a row, they make the balancer silent.
            patience_s: how long a silent balancer may keep the vehicles that it holds.
            is_other_well: tells whether there is another balancer to go on with.
            log: the service's log, bound to the balancer.
        """
        self._check = check
        self._interval_s = interval_s
        self._misses = MissCounter(
            silent_after=checks_missed, lost_after=math.ceil(patience_s / interval_s)
        )
        self._is_other_well = is_other_well
        self._log = log
        # How often sessions were moved on from here: those of before are not led there any more.
        self.term = 0
        self._movable: set[CancelScope] = set()
        self._in_flight: set[CancelScope] = set()
        self._watching = False
        # What an attempt to hand a vehicle over found, until a check finds otherwise.
        self._refuses = self._drains = False
        self._closed = False

    @property
    def held(self) -> int:
        """Vehicles of this gateway in the balancer's hands."""
        return len(self._in_flight)

    @property
    def is_well(self) -> bool:
        """Whether nothing speaks against giving it a vehicle."""
        return not (self._refuses or self._drains or self._misses.doubtful)

    def is_silent(self) -> bool:
        """Tell whether the balancer has stopped answering; it is asked on until it does again."""
        if self._misses.silent:
            self._see_to_it()
        return self._misses.silent

    def refused(self) -> None:
        """Note that it took no connection: others are better until a check is answered."""
        self._refuses = True
        self._see_to_it()

    def drains(self) -> None:
        """Note that it said that it drains: others are better until it is another's turn there."""
        self._drains = True
        self._see_to_it()

    def vehicle_in_flight(self, *, movable: bool = False) -> CancelScope:
        """Watch the balancer for as long as the block leaves a vehicle to it.

        Args:
            movable: whether another balancer can go on with it as soon as this one is silent.

        Raises:
            BalancerLost: in the block, it has been silent for longer than the patience.
        """
        self._see_to_it()
        return _InFlight(self._in_flight, *([self._movable] if movable else []))

    def close(self) -> None:
        """Ask no more once the last vehicle is done."""
        self._closed = True

    def _see_to_it(self) -> None:
        if not self._watching:
            self._watching = True
            gevent.spawn(self._watch)

    def _is_wanted(self) -> bool:
        return bool(self._in_flight or not (self._closed or self.is_well))

    def _watch(self) -> None:
        pause_s = self._interval_s
        try:
            while True:
                gevent.sleep(pause_s)
                if not self._is_wanted():
                    return
                began = time.monotonic()
                self._look()
                pause_s = max(0.0, self._interval_s - (time.monotonic() - began))
        finally:
            self._watching = False

    def _look(self) -> None:
        was_silent = self._misses.silent
        sign = self._check()
        self._misses.check_ended(answered=sign is not None)
        if sign is not None:
            self._refuses, self._drains = False, sign is Sign.DRAINS
        if self._misses.silent is not was_silent:
            news = "balancer answers again" if was_silent else "balancer silent"
            self._log.warning(news, vehicles_in_flight=len(self._in_flight))
        if self._misses.silent and self._movable and self._is_other_well():
            self.term += 1
            self._log.warning("sessions moved on", sessions=len(self._movable))
            for cancel_scope in self._movable:
                cancel_scope.throw(BalancerLost())
        if self._misses.lost:
            for cancel_scope in self._in_flight:
                cancel_scope.throw(BalancerLost())
