"""Holds each session until it is charged, even if other sessions change when that is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import gevent
from gevent.event import Event

from substation_service.substation import Charging, Substation

# A charge of no length yields too: responses to requests that came together then leave together,
# which takes a tenth less CPU time.
_MIN_SLEEP_S = 1e-9
# Nobody can wake a charge this short: to sleep costs less than to wait for an event.
_SHORT_S = 0.001
# libev's timers accept no longer time, seconds.
_MAX_SLEEP_S = 86_400.0


@dataclass(eq=False, repr=False)
class Scheduler:
    """Wakes sessions. One per process.

    A session that charges at its own pace sleeps until its end, which can only move to later unless
    whoever moves it wakes it. A session that shares the limit is woken by a greenlet that follows
    the substation's events, so that a change of power wakes no other greenlet.
    """

    substation: Substation
    clock: Callable[[], float]  # returns the time, after ending everything that was due by then
    on_limit_ended: Callable[[], object]  # called when the standing limit returns
    # Sessions that share the limit, and those at their own pace; None once woken.
    _waiting: dict[Charging, Event | None] = field(default_factory=dict, init=False)
    _sleeping: dict[Charging, Event | None] = field(default_factory=dict, init=False)
    _changed: Event = field(default_factory=Event, init=False)

    def __post_init__(self) -> None:
        gevent.spawn(self._follow)

    def wait(self, charging: Charging) -> bool:
        """Return True once a vehicle is fully charged.

        Return False if it is woken before, or is no longer plugged in.
        """
        substation = self.substation
        remaining_s = substation.remaining_s(charging, self.clock())
        while True:
            if remaining_s and substation.is_shared:
                if self._is_woken(self._waiting, charging, None):
                    return False
            elif remaining_s > _SHORT_S:
                if self._is_woken(self._sleeping, charging, min(remaining_s, _MAX_SLEEP_S)):
                    return False
            else:
                gevent.sleep(max(remaining_s, _MIN_SLEEP_S))
            remaining_s = substation.remaining_s(charging, self.clock())
            if not substation.has(charging):
                return False
            if not remaining_s:
                return True

    def _is_woken(
        self, waiting: dict[Charging, Event | None], charging: Charging, timeout_s: float | None
    ) -> bool:
        event = waiting[charging] = Event()
        if waiting is self._waiting:
            self._changed.set()
        try:
            event.wait(timeout_s)
        finally:
            is_woken = waiting.pop(charging) is None
        return is_woken

    def wake(self, charging: Charging) -> None:
        """Make whoever waits for a vehicle check it again.

        Call it if the attempt ended, or will end at another time.
        """
        for waiting in (self._waiting, self._sleeping):
            if waiting and (event := waiting.get(charging)) is not None:
                waiting[charging] = None
                event.set()

    def changed(self) -> None:
        """Note that a vehicle left, or that the limit changed."""
        if self._waiting or self.substation.limit_ends < inf:
            self._changed.set()

    def _follow(self) -> None:
        substation = self.substation
        limits_ended = substation.limits_ended
        while True:
            self._changed.clear()
            now = self.clock()
            event = substation.next_event(now)
            if limits_ended != substation.limits_ended:
                limits_ended = substation.limits_ended
                self.on_limit_ended()
            for charging, charged in self._waiting.items():
                if charged is not None and charging.ends <= now:
                    charged.set()
            if event is None or not (self._waiting or substation.limit_ends < inf):
                self._changed.wait()
            else:
                self._changed.wait(min(event - now, _MAX_SLEEP_S))
