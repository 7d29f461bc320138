"""A vehicle's way through the balancer.

Its queued session, its dispatches, the queue it waits in.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from load_balancer.routing.demand import Demand

if TYPE_CHECKING:
    from load_balancer.routing.policy import Candidate
    from load_balancer.routing.prediction import Prediction
    from load_balancer.routing.substation import Substation

# Longest that a vehicle whose attempts keep failing pauses between two of them, seconds.
_MAX_PAUSE_S = 8.0


class Decision(NamedTuple):
    """Why a vehicle went where it went. Times in seconds of the pool's clock."""

    sequence: int
    at: float
    session_id: str
    vehicle_id: str
    request_id: str
    substation: str
    attempt: int
    waited_s: float
    policy: str
    reason: str
    candidates: tuple[Candidate, ...]  # all, or a shortlist
    ineligible: tuple[tuple[str, str], ...]  # name of a substation and why it was not a candidate
    candidates_left_out: int = 0
    ineligible_left_out: int = 0
    prediction: Prediction | None = None
    next_best: tuple[str, Prediction] | None = None  # name of a substation
    deferred_for: str | None = None  # name of the substation for which it was deferred before


@dataclass(eq=False, slots=True)
class Dispatch:
    """One attempt: a vehicle handed to a substation. `open` until the pool knows how it ended."""

    queued: QueuedSession
    substation: Substation
    decision: Decision
    open: bool = True


def ignore(_dispatch: Dispatch) -> None:
    """Do nothing."""


@dataclass(eq=False, slots=True)
class QueuedSession:
    """A vehicle's place in the balancer from its arrival to its end."""

    session_id: str
    vehicle_id: str
    arrived: float  # moved on, as is the deadline, by the time spent at substations that failed it
    deadline: float  # not dispatched after this moment
    demand: Demand
    request_id: str = ""  # passed on, so that one grep finds the vehicle in every log
    on_dispatch: Callable[[Dispatch], Any] = ignore
    on_revoked: Callable[[Dispatch], Any] = ignore
    place: int = 0  # order of arrival; kept when the vehicle comes back from a lost substation
    attempts: int = 0
    failures: int = 0  # attempts that broke
    costs_budget: bool = False  # the next attempt is paid from the budget for repeats
    not_before: float = float("-inf")  # not dispatched again before this moment
    dispatch: Dispatch | None = None
    deferred_for: str | None = None  # name of the substation for which it is deferred
    rejected_by: set[str] = field(default_factory=set)

    def failed(self, now: float) -> None:
        """Note that its attempt broke.

        From the second time on it pauses, each time for longer: a vehicle that breaks every
        substation it comes to (each is ejected for it) must not hold the whole grid down.
        """
        self.failures += 1
        if self.failures > 1:
            pause_s = min(_MAX_PAUSE_S, 0.5 * 2.0 ** (self.failures - 2))
            self.not_before = max(self.not_before, now + pause_s)


class WaitQueue:
    """First come, first served.

    A vehicle that comes back from a lost substation has its old place.
    """

    def __init__(self) -> None:
        self._queue: list[QueuedSession] = []

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[QueuedSession]:
        return iter(self._queue)

    def add(self, queued: QueuedSession) -> None:
        """Put a queued session at its place."""
        if not self._queue or self._queue[-1].place < queued.place:
            self._queue.append(queued)
        else:
            insort(self._queue, queued, key=_place)

    def remove(self, queued: QueuedSession) -> bool:
        """Take a queued session out; False if it was not in the queue."""
        index = bisect_left(self._queue, queued.place, key=_place)
        if index < len(self._queue) and self._queue[index] is queued:
            del self._queue[index]
            return True
        return False


def _place(queued: QueuedSession) -> int:
    return queued.place
