"""The legs that still lack a final report of their substation, by register set."""

from collections import defaultdict

from load_balancer.led_session import LedSession

# Maximum number of open legs of a register set; the oldest are dropped first.
_MAX_OPEN = 10_000


class OpenLegs:
    """Sessions that left a substation before it reported how much energy it had delivered."""

    def __init__(self) -> None:
        self._legs: defaultdict[str, dict[str, LedSession]] = defaultdict(dict)

    def __len__(self) -> int:
        return sum(len(legs) for legs in self._legs.values())

    def add(self, register: str, led: LedSession) -> None:
        """Have a session's final report read there as soon as possible."""
        if led.dropped:
            return
        legs = self._legs[register]
        legs[led.session.session_id] = led
        if len(legs) > _MAX_OPEN:
            del legs[next(iter(legs))]

    def close(self, register: str, led: LedSession) -> None:
        """Remove a leg: its final report was read, or will come by itself."""
        legs = self._legs.get(register)
        if legs is not None:
            legs.pop(led.session.session_id, None)
            if not legs:
                del self._legs[register]

    def at(self, register: str) -> list[LedSession]:
        """Return the sessions with an open leg at a register set."""
        return list(self._legs.get(register, {}).values())

    def of(self, led: LedSession) -> list[str]:
        """Return the register sets at which a session has an open leg."""
        session_id = led.session.session_id
        return [register for register, legs in self._legs.items() if legs.get(session_id) is led]

    def remove_all(self, register: str) -> list[LedSession]:
        """Remove all open legs of a register set, and return their sessions."""
        return list(self._legs.pop(register, {}).values())
