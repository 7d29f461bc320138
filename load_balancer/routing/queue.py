"""The wait queue. Pure."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from load_balancer.routing.substation import QueuedSession


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
