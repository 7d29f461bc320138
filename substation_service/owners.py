"""The balancers that lead sessions here: the last heartbeat of each, and what was reported to each.

Pure: the clock is passed in.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from substation_service.register import Register

# Maximum number of known balancers. Above it, the one that was silent for longest and leads nothing
# is forgotten.
_MAX_OWNERS = 64
# How many ended sessions are reported again, and for how long, seconds.
_MAX_ENDED = 10_000
_ENDED_FOR_S = 60.0


@dataclass(eq=False, repr=False, slots=True)
class _Owner:
    last_heartbeat: float
    lease_s: float = inf
    connected: dict[Register, None] = field(default_factory=dict)
    # Up to which number the last response, and the one before, reported ended sessions.
    reported: int = 0
    reported_before: int = 0

    @property
    def due(self) -> float:
        return self.last_heartbeat + self.lease_s if self.connected else inf


class Owners:
    """All owners, by the IDs that they generated at their start."""

    def __init__(self) -> None:
        self._owners: dict[str, _Owner] = {}
        self._ended: deque[tuple[float, Register]] = deque(maxlen=_MAX_ENDED)

    @property
    def due(self) -> float:
        """When the next lease ends if its owner stays silent."""
        return min((owner.due for owner in self._owners.values()), default=inf)

    def lead(self, register: Register, name: str, lease_s: float | None, now: float) -> float:
        """Assign a connected session to its owner, and record the owner's heartbeat.

        Returns:
            when its lease ends if the owner stays silent.
        """
        if register.owner is not None and register.owner != name:
            self.disconnect(register)
        owner = self._owners.get(name) or self._known(name, now)
        owner.last_heartbeat = now
        owner.lease_s = lease_s = inf if lease_s is None else lease_s
        owner.connected[register] = None
        register.owner = name
        return now + lease_s

    def note_heartbeat(self, name: str, now: float) -> None:
        """Record a heartbeat of an owner."""
        self._known(name, now).last_heartbeat = now

    def silent(self, now: float) -> list[Register]:
        """Return the connected sessions whose owners were silent for their whole lease."""
        return [
            register
            for owner in self._owners.values()
            if owner.due <= now
            for register in owner.connected
        ]

    def disconnect(self, register: Register) -> None:
        """Note that a session has no connection any more."""
        owner = self._owners.get(register.owner or "")
        if owner is not None:
            owner.connected.pop(register, None)

    def end(self, register: Register, now: float) -> None:
        """Note that a session ended whose caller gets no response, or may not receive it."""
        self._ended.append((now, register))

    def ended_since(self, name: str | None, number: int, now: float) -> Iterator[Register]:
        """Yield sessions that ended since an owner's last response but one, without duplicates.

        Args:
            name: the owner; None yields all that are remembered.
            number: the highest number so far.
            now: the current time.
        """
        while self._ended and self._ended[0][0] < now - _ENDED_FOR_S:
            self._ended.popleft()
        since = -1
        if name is not None:
            owner = self._known(name, now)
            since = owner.reported_before
            owner.reported_before, owner.reported = owner.reported, number
        return _distinct(one for _, one in self._ended if one.number > since)

    def _known(self, name: str, now: float) -> _Owner:
        owner = self._owners.get(name)
        if owner is None:
            if len(self._owners) >= _MAX_OWNERS:
                self._forget_one()
            owner = self._owners[name] = _Owner(now)
        return owner

    def _forget_one(self) -> None:
        idle = [name for name, owner in self._owners.items() if not owner.connected]
        if idle:
            del self._owners[min(idle, key=lambda name: self._owners[name].last_heartbeat)]


def _distinct(registers: Iterable[Register]) -> Iterator[Register]:
    """Skip duplicates and sessions that are charging again."""
    return iter({one: None for one in registers if one.charging is None})
