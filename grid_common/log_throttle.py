"""Chooses which of a caller's repeated events to log, so that they do not fill the log."""

import math
from collections import OrderedDict

_EVERY_S = 10.0
# Above this number the caller logged longest ago is forgotten, and logged when it returns.
_MAX_CALLERS = 1000


class LogThrottle:
    """Passes one event per caller and ten seconds. Pure: the clock is passed in."""

    def __init__(self) -> None:
        self._logged: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, caller: str, now_s: float) -> int | None:
        """Count an event; return how many were suppressed before it, or None to suppress it."""
        at_s, left_out = self._logged.get(caller, (-math.inf, 0))
        if now_s - at_s < _EVERY_S:
            self._logged[caller] = at_s, left_out + 1
            return None
        self._logged[caller] = now_s, 0
        self._logged.move_to_end(caller)
        if len(self._logged) > _MAX_CALLERS:
            self._logged.popitem(last=False)
        return left_out
