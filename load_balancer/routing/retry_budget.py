"""The retry budget limits immediate retries, so that they do not flood a grid in trouble. Pure.

It is a token bucket. Each first dispatch adds a share of a token, and each second adds some (after
Finagle's RetryBudget). To move a vehicle that had charged for a while is free, so that all sessions
of a lost substation move at once.
"""


class RetryBudget:
    """Tokens for retries. A session that finds none waits; it is not refused."""

    def __init__(self, *, share: float, floor_per_s: float, burst: float) -> None:
        """Start with a full bucket.

        Args:
            share: tokens that each first dispatch adds.
            floor_per_s: tokens that each second adds.
            burst: maximum number of tokens.
        """
        self._share = share
        self._floor_per_s = floor_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_at: float | None = None

    def deposit(self) -> None:
        """Add the share of a first dispatch."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def take(self, now: float) -> bool:
        """Take the token of a retry; return False if there is none, so that it has to wait."""
        if self._filled_at is not None:
            earned = (now - self._filled_at) * self._floor_per_s
            self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """Give the token back of a retry that is not dispatched now after all."""
        self._tokens += 1
