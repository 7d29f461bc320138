"""Runs a piece of work repeatedly, without a greenlet in between.

A sleeping greenlet keeps its stack: thousands of them took more memory than the data they work on.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import gevent

from load_balancer.routing.poll_schedule import PollSchedule


class Pause(NamedTuple):
    """When the next turn begins. Times in seconds."""

    least_s: float  # at least so long after this turn's end
    interval_s: float  # usually so long after this turn's begin


class Turns:
    """Turns of one piece of work, one after the other."""

    def __init__(
        self, turn: Callable[[], Pause | None], at_end: Callable[[], object] = lambda: None
    ) -> None:
        """Prepare; nothing runs until `start`.

        Args:
            turn: runs a turn; returns how long to wait for the next, or None after the last.
            at_end: called after the last turn, even if that failed.
        """
        self._turn = turn
        self._at_end = at_end
        self._next: gevent.Greenlet[[], None] | None = None  # while it waits
        self._schedule = PollSchedule()

    def start(self, after_s: float = 0.0) -> None:
        """Run the first turn after this time, seconds."""
        # Timers start at the loop's own time, which is old after work that held it up.
        gevent.get_hub().loop.update_now()
        self._next = gevent.spawn_later(after_s, self._take_turn)

    def hurry(self) -> None:
        """Run the next turn now; if one is running, right after it."""
        next_at = self._schedule.want()
        if self._next is not None and next_at is not None:
            self._next.kill(block=False)
            self.start(max(0.0, next_at - time.monotonic()))

    def stop(self) -> None:
        """Run no more turns; one that is running continues."""
        if self._next is not None:
            self._next.kill(block=False)
            self._next = None

    def _take_turn(self) -> None:
        self._next, pause = None, None
        self._schedule.begin(time.monotonic())
        try:
            pause = self._turn()
        finally:
            if pause is None:
                self._at_end()
        if pause is not None:
            now = time.monotonic()
            self._schedule.end(now, pause.least_s)
            self.start(self._schedule.next_at(pause.interval_s) - now)
