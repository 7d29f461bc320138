"""Has something done again and again, with no greenlet of its own in between.

A greenlet that sleeps keeps its stack: thousands of them took more memory than all they work on.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import gevent


class Pause(NamedTuple):
    """Until the next turn, seconds: `least_s` of it whoever is in a hurry."""

    least_s: float
    usual_s: float


class Turns:
    """Turns of one piece of work, one after the other."""

    def __init__(
        self, turn: Callable[[], Pause | None], at_end: Callable[[], object] = lambda: None
    ) -> None:
        """Prepare it.

        Args:
            turn: does a turn, and returns how long to wait for the next; None if it was the last.
            at_end: called after the last one, also where that failed.
        """
        self._turn = turn
        self._at_end = at_end
        self._next: gevent.Greenlet[[], None] | None = None  # while it waits
        self._not_before = 0.0
        self._is_hurried = False

    def start(self, after_s: float = 0.0) -> None:
        """Have the first turn after so many seconds."""
        self._next = gevent.spawn_later(after_s, self._take_turn)

    def hurry(self) -> None:
        """Have the next turn now rather than in time; after this one, if one is under way."""
        self._is_hurried = True
        if self._next is not None:
            self._next.kill(block=False)
            self.start(max(0.0, self._not_before - time.monotonic()))

    def stop(self) -> None:
        """Have no turn any more; one that is under way goes on."""
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
