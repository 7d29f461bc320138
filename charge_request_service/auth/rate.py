"""A rate limit per caller, in memory. Independent of HTTP."""

import re
from datetime import timedelta

from throttled import MemoryStore, Quota, RateLimiterType, Throttled, per_duration

_RATE = re.compile(r"([1-9]\d{0,8})/(second|minute|hour|day)( burst ([1-9]\d{0,8}))?", re.ASCII)
# Above this number the caller not seen for longest is forgotten: its limit starts again, and memory
# stays bounded (a few MB).
_MAX_CALLERS = 10_000


def read_rate(text: str) -> Quota:
    """Parse a rate such as `600/minute` or `600/minute burst 50`.

    Raises:
        ValueError: it is not a rate.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            "it takes a number over 0 and second, minute, hour or day, such as `600/minute`, "
            "optionally with a burst size, such as `600/minute burst 50`"
        )
    requests, unit, _, burst = found.groups()
    return per_duration(timedelta(**{f"{unit}s": 1}), int(requests), int(burst or requests))


class RateLimit:
    """Allows each caller a burst of requests, and then one whenever the rate permits.

    Uses the generic cell rate algorithm: no window whose edge lets twice as many pass, an exact
    time to retry, and a monotonic clock.
    """

    def __init__(self, rate: str) -> None:
        """Create a limit from a rate that `read_rate` accepts."""
        self.rate = rate
        self._throttle = Throttled(
            using=RateLimiterType.GCRA.value,
            quota=read_rate(rate),
            store=MemoryStore(options={"MAX_SIZE": _MAX_CALLERS}),
        )

    def spend(self, caller: str) -> float | None:
        """Count a request of a caller; return None, or the seconds to wait if it exceeds the rate.

        A request over the limit is not counted: a caller that keeps trying is admitted in due time.
        """
        result = self._throttle.limit(caller)
        return result.state.retry_after if result.limited else None
