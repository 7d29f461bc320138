"""The retry budget limits immediate retries, so that they do not flood a grid in trouble. Pure.

It is a token bucket. Each first dispatch adds a share of a token, and each second adds some (after
Finagle's RetryBudget). To move a vehicle that had charged for a while is free, so that all sessions
of a lost substation move at once.
"""

from dataclasses import dataclass, field


@dataclass(eq=False, repr=False, kw_only=True)
class RetryBudget:
    """Tokens for retries, at first as many as may be. Without one a session waits, not refused."""

    share: float  # tokens that each first dispatch adds
    floor_per_s: float  # tokens that each second adds
    burst: float  # maximum number of tokens
    _tokens: float = field(init=False)
    _filled_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def deposit(self) -> None:
        """Add the share of a first dispatch."""
        self._tokens = min(self.burst, self._tokens + self.share)

    def take(self, now: float) -> bool:
        """Take the token of a retry; return False if there is none, so that it has to wait."""
        if self._filled_at is not None:
            earned = (now - self._filled_at) * self.floor_per_s
            self._tokens = min(self.burst, self._tokens + earned)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """Give the token back of a retry that is not dispatched now after all."""
        self._tokens += 1
