"""A session in the balancer: in the wait queue, and its attempts at substations. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from load_balancer.routing.demand import Demand

if TYPE_CHECKING:
    from load_balancer.routing.policy import Candidate
    from load_balancer.routing.prediction import Prediction
    from load_balancer.routing.substation import Substation

# Maximum pause between two attempts of a session whose attempts keep failing, seconds.
_MAX_PAUSE_S = 8.0


class Decision(NamedTuple):
    """Why a session was dispatched to a substation. Times in seconds of the pool's clock."""

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
    """One attempt at a substation; `open` until the pool knows how it ended."""

    queued: QueuedSession
    substation: Substation
    decision: Decision
    open: bool = True


class Finishes(NamedTuple):
    """When the first and the last vehicle at a substation are predicted to be charged.

    Seconds from now; 0 if overdue.
    """

    next_s: float
    last_s: float

    @classmethod
    def of(cls, dispatches: Iterable[Dispatch], now: float) -> Finishes | None:
        """Return the finishes of these dispatches; None if none of them has a prediction."""
        finishes = [
            max(0.0, dispatch.decision.at + prediction.finish_s - now)
            for dispatch in dispatches
            if (prediction := dispatch.decision.prediction) is not None
        ]
        return cls(min(finishes), max(finishes)) if finishes else None


def ignore(_dispatch: Dispatch) -> None:
    """Do nothing."""


@dataclass(eq=False, slots=True)
class QueuedSession:
    """A session in the balancer, from its arrival to its end."""

    session_id: str
    vehicle_id: str
    arrived: float  # later, like the deadline, by the time at substations that failed it
    deadline: float  # not dispatched later
    demand: Demand
    request_id: str = ""  # passed on, so that it appears in the logs of every service
    on_dispatch: Callable[[Dispatch], Any] = ignore
    on_revoked: Callable[[Dispatch], Any] = ignore
    place: int = 0  # order of arrival, which it keeps when it is queued again
    attempts: int = 0
    failures: int = 0  # failed attempts
    costs_budget: bool = False  # the next attempt counts against the retry budget
    not_before: float = float("-inf")  # not dispatched earlier
    dispatch: Dispatch | None = None
    deferred_for: str | None = None  # name of the substation for which it is deferred
    rejected_by: set[str] = field(default_factory=set)

    def failed(self, now: float) -> None:
        """Count a failed attempt.

        From the second one on the session pauses, each time for longer. Each failure ejects a
        substation, so a vehicle that makes every substation fail could take the whole grid down.
        """
        self.failures += 1
        if self.failures > 1:
            pause_s = min(_MAX_PAUSE_S, 0.5 * 2.0 ** (self.failures - 2))
            self.not_before = max(self.not_before, now + pause_s)


class WaitQueue:
    """First come, first served. A session that is queued again has its old place."""

    def __init__(self) -> None:
        self._queue: list[QueuedSession] = []

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[QueuedSession]:
        return iter(self._queue)

    def add(self, queued: QueuedSession) -> None:
        """Add a session at its place."""
        if not self._queue or self._queue[-1].place < queued.place:
            self._queue.append(queued)
        else:
            insort(self._queue, queued, key=_place)

    def remove(self, queued: QueuedSession) -> bool:
        """Remove a session; return False if it was not in the queue."""
        index = bisect_left(self._queue, queued.place, key=_place)
        if index < len(self._queue) and self._queue[index] is queued:
            del self._queue[index]
            return True
        return False


def _place(queued: QueuedSession) -> int:
    return queued.place
