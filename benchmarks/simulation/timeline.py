"""A virtual clock with scheduled actions."""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

Action = Callable[[], object]
# Delivers a message between a balancer and a substation.
Carry = Callable[[Action], object]


class Timeline:
    """Runs actions in the order of their times; simultaneous ones in the order of scheduling."""

    def __init__(self) -> None:
        self.now = 0.0  # seconds
        self._due: list[tuple[float, int, Action]] = []
        self._planned = 0

    def at(self, when: float, action: Action) -> None:
        """Schedule an action for a time, or for now if that has passed."""
        self._planned += 1
        heappush(self._due, (max(when, self.now), self._planned, action))

    def after(self, delay_s: float, action: Action) -> None:
        """Schedule an action for some seconds from now."""
        self.at(self.now + delay_s, action)

    def run(self, until: float) -> None:
        """Advance to a time."""
        while self._due and self._due[0][0] <= until:
            self.now, _, action = heappop(self._due)
            action()
        self.now = until


def delayed(timeline: Timeline, random: Random, shortest_s: float, longest_s: float) -> Carry:
    """Return a network with random delays, so that messages can overtake each other."""
    spread_s = longest_s - shortest_s

    def carry(arrive: Action) -> None:
        timeline.after(shortest_s + spread_s * random.random(), arrive)

    return carry


def carry_at_once(arrive: Action) -> None:
    """Deliver a message without a delay."""
    arrive()
