"""When a substation is polled next. Pure: the service and the simulation both run it."""

import math
from dataclasses import dataclass

# Minimum pause after a poll of a gauge, seconds; those that are wanted out of turn keep it, too.
MIN_PAUSE_S = 0.05
# Maximum share of a CPU for the pages of one substation: slow ones are read less often.
MAX_OF_A_CPU = 0.02


@dataclass(slots=True)
class PollSchedule:
    """The polls of one substation, one at a time. Times in seconds of the caller's clock."""

    not_before: float = -math.inf  # the end of the minimum pause
    is_wanted: bool = False  # out of turn
    _began_at: float = -math.inf
    _is_polling: bool = False

    def begin(self, now: float) -> None:
        """Record that a poll begins."""
        self._began_at, self._is_polling, self.is_wanted = now, True, False

    def end(self, now: float, min_pause_s: float) -> None:
        """Record that the poll has ended, and the minimum pause after it."""
        self._is_polling = False
        self.not_before = now + min_pause_s

    def want(self) -> float | None:
        """Ask for a poll out of turn.

        Returns:
            When it may begin; None during a poll, because the next one is planned after that.
        """
        self.is_wanted = True
        return None if self._is_polling else self.not_before

    def next_at(self, interval_s: float) -> float:
        """Return when the next poll begins, once one has ended.

        Args:
            interval_s: the usual time from the begin of one poll to the begin of the next, seconds.
        """
        return (
            self.not_before if self.is_wanted else max(self.not_before, self._began_at + interval_s)
        )
