"""A rate limit for each caller, kept in memory. Knows nothing of HTTP."""

import re
from datetime import timedelta

from throttled import MemoryStore, Quota, RateLimiterType, Throttled, per_duration

_RATE = re.compile(r"([1-9]\d{0,8})/(second|minute|hour|day)( burst ([1-9]\d{0,8}))?", re.ASCII)
# Beyond these the caller that was not seen for longest is forgotten: its limit begins anew, and
# memory stays bounded (a few MB).
_MAX_CALLERS = 10_000


def read_rate(text: str) -> Quota:
    """Read a rate such as `600/minute` or `600/minute burst 50`.

    Raises:
        ValueError: it is none.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            "it takes a number over 0 and second, minute, hour or day, such as `600/minute`, and "
            "if wanted how many may come at once, such as `600/minute burst 50`"
        )
    requests, unit, _, burst = found.groups()
    return per_duration(timedelta(**{f"{unit}s": 1}), int(requests), int(burst or requests))


class RateLimit:
    """Lets each caller make as many requests at once as the rate has, then one as each falls due.

    By the generic cell rate algorithm: no window whose edge lets twice as many pass, a moment to
    come back that is exact, and a clock that does not step.
    """

    def __init__(self, rate: str) -> None:
        """Prepare; the rate is one that `read_rate` takes."""
        self.rate = rate
        self._throttle = Throttled(
            using=RateLimiterType.GCRA.value,
            quota=read_rate(rate),
            store=MemoryStore(options={"MAX_SIZE": _MAX_CALLERS}),
        )

    def spend(self, caller: str) -> float | None:
        """Count a request of a caller; return None, or the seconds to wait if it is one too many.

        One too many is not counted: a caller that keeps asking is let in when the time has come.
        """
        result = self._throttle.limit(caller)
        return result.state.retry_after if result.limited else None
