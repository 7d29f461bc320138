"""A virtual clock, and what is due on it."""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Protocol

Action = Callable[[], object]


class Timeline:
    """Runs actions in the order of their times; those due together in the order of planning."""

    def __init__(self) -> None:
        self.now = 0.0  # seconds
        self._due: list[tuple[float, int, Action]] = []
        self._planned = 0

    def at(self, when: float, action: Action) -> None:
        """Plan an action for a moment, or for now if that has passed."""
        self._planned += 1
        heappush(self._due, (max(when, self.now), self._planned, action))

    def after(self, delay_s: float, action: Action) -> None:
        """Plan an action for some seconds from now."""
        self.at(self.now + delay_s, action)

    def run(self, until: float) -> None:
        """Let time pass up to a moment."""
        while self._due and self._due[0][0] <= until:
            self.now, _, action = heappop(self._due)
            action()
        self.now = until


class Network(Protocol):
    """Carries messages between balancers and substations."""

    def carry(self, arrive: Action) -> None:
        """Have a message arrive."""


class Wires:
    """A network on which each message takes a time of its own, so that they overtake each other."""

    def __init__(
        self, timeline: Timeline, random: Random, shortest_s: float, longest_s: float
    ) -> None:
        self._timeline = timeline
        self._random = random
        self._shortest_s = shortest_s
        self._spread_s = longest_s - shortest_s

    def carry(self, arrive: Action) -> None:
        """Have a message arrive some time from now."""
        delay_s = self._shortest_s + self._spread_s * self._random.random()
        self._timeline.after(delay_s, arrive)


class NoDistance:
    """A network without any."""

    def carry(self, arrive: Action) -> None:
        """Have a message arrive at once."""
        arrive()
