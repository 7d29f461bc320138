"""Holds each session until it is charged, also while the others at the site move its end."""

import time
from collections.abc import Callable
from math import inf

import gevent
from gevent.event import Event

from substation_service.substation import Charging, Substation

# A charge of no length gives way too: answers to those that came together then go out together,
# which takes a tenth less of the processor's time.
_SHORTEST_SLEEP_S = 1e-9
# libev's timers take no length of time that a clock cannot hold, seconds.
_LONGEST_SLEEP_S = 86_400.0


class Scheduler:
    """Wakes sessions. One for the process.

    A session that charges by itself sleeps until its end, which then can only move to later. One
    that shares the limit is woken by a greenlet that follows the site from event to event, so that
    a change of power wakes nobody but it.
    """

    def __init__(self, substation: Substation, on_limit_ended: Callable[[], object]) -> None:
        """Begin to follow a site; `on_limit_ended` is told when its standing limit is back."""
        self._substation = substation
        self._on_limit_ended = on_limit_ended
        self._waiting: dict[Charging, Event] = {}
        self._changed = Event()
        gevent.spawn(self._follow)

    def wait(self, charging: Charging) -> None:
        """Return once a vehicle has all that it asked for."""
        site = self._substation
        remaining_s = site.remaining_s(charging, time.monotonic())
        while True:
            if remaining_s and site.is_shared:
                charged = self._waiting[charging] = Event()
                self._changed.set()
                try:
                    charged.wait()
                finally:
                    del self._waiting[charging]
            else:
                gevent.sleep(min(max(remaining_s, _SHORTEST_SLEEP_S), _LONGEST_SLEEP_S))
            remaining_s = site.remaining_s(charging, time.monotonic())
            if not remaining_s:
                return

    def changed(self) -> None:
        """Note that a vehicle left, or that the limit changed."""
        if self._waiting or self._substation.limit_ends < inf:
            self._changed.set()

    def _follow(self) -> None:
        site = self._substation
        limits_ended = site.limits_ended
        while True:
            self._changed.clear()
            now = time.monotonic()
            event = site.next_event(now)
            if limits_ended != site.limits_ended:
                limits_ended = site.limits_ended
                self._on_limit_ended()
            for charging, charged in self._waiting.items():
                if charging.ends <= now:
                    charged.set()
            if event is None or not (self._waiting or site.limit_ends < inf):
                self._changed.wait()
            else:
                self._changed.wait(min(event - now, _LONGEST_SLEEP_S))
