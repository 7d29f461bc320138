"""Runs a piece of work repeatedly, without a greenlet in between.

A sleeping greenlet keeps its stack: thousands of them took more memory than the data they work on.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import gevent


class Pause(NamedTuple):
    """Time until the next turn, seconds; `least_s` is the minimum if the turn is urgent."""

    least_s: float
    usual_s: float


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
        self._not_before = 0.0
        self._is_hurried = False

    def start(self, after_s: float = 0.0) -> None:
        """Run the first turn after this time, seconds."""
        # Timers start at the loop's own time, which is old after work that held it up.
        gevent.get_hub().loop.update_now()
        self._next = gevent.spawn_later(after_s, self._take_turn)

    def hurry(self) -> None:
        """Run the next turn now; if one is running, right after it."""
        self._is_hurried = True
        if self._next is not None:
            self._next.kill(block=False)
            self.start(max(0.0, self._not_before - time.monotonic()))

    def stop(self) -> None:
        """Run no more turns; one that is running continues."""
        if self._next is not None:
            self._next.kill(block=False)
            self._next = None

    def _take_turn(self) -> None:
        self._next, self._is_hurried = None, False
        pause = None
        try:
            pause = self._turn()
        finally:
            if pause is None:
                self._at_end()
        if pause is not None:
            self._not_before = time.monotonic() + pause.least_s
            usual_s = 0.0 if self._is_hurried else pause.usual_s
            self.start(max(pause.least_s, usual_s))
