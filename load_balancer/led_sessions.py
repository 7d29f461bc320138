"""The sessions that this balancer leads, and those that ended recently, by their IDs."""

import time
from collections import OrderedDict
from collections.abc import Iterator

from load_balancer.led_session import LedSession

# Maximum number of ended sessions; the oldest are dropped first.
_MAX_ENDED = 10_000


class LedSessions:
    """Running and ended sessions of one balancer."""

    def __init__(self) -> None:
        self.running: dict[str, LedSession] = {}
        self.ended: OrderedDict[str, LedSession] = OrderedDict()

    def find(self, session_id: str) -> LedSession | None:
        """Return a session that this balancer leads, or led recently."""
        return self.running.get(session_id) or self.ended.get(session_id)

    def shown(self, session_id: str) -> LedSession | None:
        """Return a session for display, unless another balancer may know better."""
        led = self.find(session_id)
        return None if led is None or (led.outcome is None and not led.has_lease()) else led

    def is_running(self, led: LedSession) -> bool:
        """Return whether it runs; a new session may have taken its ID."""
        return self.running.get(led.session.session_id) is led

    def all(self) -> Iterator[LedSession]:
        """Yield all of them; none may be added meanwhile."""
        yield from self.running.values()
        yield from self.ended.values()

    def start(self, led: LedSession) -> None:
        """Add a running session."""
        self.running[led.session.session_id] = led

    def remove(self, led: LedSession) -> None:
        """Remove a session from the running ones."""
        if self.is_running(led):
            del self.running[led.session.session_id]

    def forget(self, session_id: str) -> None:
        """Forget an ended session."""
        self.ended.pop(session_id, None)

    def remember(self, led: LedSession, for_s: float) -> None:
        """Remember an ended session, for this long at most (seconds)."""
        if led.dropped:
            return
        now = led.ended_at = time.monotonic()
        led.expires = now + for_s
        self.ended[led.session.session_id] = led
        self.ended.move_to_end(led.session.session_id)
        while self.ended:
            oldest = next(iter(self.ended.values()))
            if len(self.ended) <= _MAX_ENDED and oldest.expires > now:
                break
            self.ended.popitem(last=False)
