"""The retry budget: how many dispatches may be repeats, so that a sick grid is not flooded.

A token bucket filled by a share of the first dispatches and by a floor over time (the scheme of
Finagle's RetryBudget). Moving on a vehicle that had charged for a while is free, so that all that a
lost substation held moves at once; the bucket bounds what fails at once. Pure: the clock is passed
in.
"""


class RetryBudget:
    """Tokens for repeated dispatches. A vehicle that finds none waits; it is not refused."""

    def __init__(self, *, share: float, floor_per_s: float, burst: float) -> None:
        """Start with a full bucket.

        Args:
            share: tokens that each first dispatch adds.
            floor_per_s: tokens that each second adds.
            burst: most tokens held.
        """
        self._share = share
        self._floor_per_s = floor_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_at: float | None = None

    def deposit(self) -> None:
        """Add what a first dispatch allows."""
        self._tokens = min(self._burst, self._tokens + self._share)

    def available(self, now: float) -> bool:
        """Tell whether a repeat is allowed now."""
        if self._filled_at is not None:
            earned = (now - self._filled_at) * self._floor_per_s
            self._tokens = min(self._burst, self._tokens + earned)
        self._filled_at = now
        return self._tokens >= 1

    def withdraw(self) -> None:
        """Take the token of a repeat that was `available`."""
        self._tokens -= 1
