"""Which of a caller's like events to log: one that repeats itself must not fill the log."""

import math
from collections import OrderedDict

_EVERY_S = 10.0
# Beyond these the caller that was logged longest ago is forgotten, and logged again when it comes.
_MAX_CALLERS = 1000


class LogThrottle:
    """Lets one event of a caller into the log in ten seconds. Pure: the clock is passed in."""

    def __init__(self) -> None:
        self._logged: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, caller: str, now_s: float) -> int | None:
        """Count an event; return how many were left out since the last logged, None to leave it."""
        at_s, left_out = self._logged.get(caller, (-math.inf, 0))
        if now_s - at_s < _EVERY_S:
            self._logged[caller] = at_s, left_out + 1
            return None
        self._logged[caller] = now_s, 0
        self._logged.move_to_end(caller)
        if len(self._logged) > _MAX_CALLERS:
            self._logged.popitem(last=False)
        return left_out
