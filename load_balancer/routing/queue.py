"""The wait queue. Pure."""

from bisect import bisect_left, insort

from load_balancer.routing.substation import QueuedSession


class WaitQueue(list[QueuedSession]):
    """First come, first served. A session that is queued again has its old place."""

    def add(self, queued: QueuedSession) -> None:
        """Add a session at its place."""
        if not self or self[-1].place < queued.place:
            self.append(queued)
        else:
            insort(self, queued, key=_place)

    def discard(self, queued: QueuedSession) -> bool:
        """Remove a session; return False if it was not in the queue."""
        index = bisect_left(self, queued.place, key=_place)
        if index < len(self) and self[index] is queued:
            del self[index]
            return True
        return False


def _place(queued: QueuedSession) -> int:
    return queued.place
