"""Whether a durable session may still be dispatched by this balancer, where there are several.

A gateway that no longer hears this balancer has another one lead its sessions. This one may not
know it: it was frozen, or cut off. So each gateway says by which name it is heard from, and after
which silence its sessions are not this balancer's any more (`Session-Owner`, `Session-Lease`); it
takes another name here once it has moved its sessions on. A session is **vouched for** while its
gateway was heard from lately by that name, and waits at the other end of a connection. One that is
not goes on where it charges, and is dispatched nowhere else.
"""

from collections import OrderedDict

from grid_common.http.cancellation import Caller

__all__ = ["Gateways", "Vouchers"]

# Names of gateways that are remembered; the one that was silent for longest is forgotten first.
_MOST = 256
# With less a session could not be dispatched at all, and its caller would be held for nothing.
_LEAST_LEASE_S = 0.1


class Gateways:
    """When each gateway was heard from. Pure: the clock is passed in."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, float] = OrderedDict()
        # By how much this clock is ahead of a gateway's, at the least: what came the fastest.
        self._ahead: OrderedDict[str, float] = OrderedDict()

    def hear(self, name: str, sent: float | None, now: float) -> None:
        """Note that a gateway was heard from.

        A word may come late: it was held up on its way, or this process was frozen. It counts from
        when it was sent.

        Args:
            name: the gateway's, as it is now.
            sent: when it says that it sent this, by its own clock, seconds; None: now.
            now: the time.
        """
        if sent is not None:
            gateway = name.rpartition(".")[0]
            ahead = self._ahead[gateway] = min(now - sent, self._ahead.get(gateway, now - sent))
            self._ahead.move_to_end(gateway)
            if len(self._ahead) > _MOST:
                self._ahead.popitem(last=False)
            now = sent + ahead
        self._heard[name] = max(now, self._heard.get(name, now))
        self._heard.move_to_end(name)
        if len(self._heard) > _MOST:
            self._heard.popitem(last=False)

    def is_silent(self, name: str, lease_s: float, now: float) -> bool:
        """Tell whether nothing was heard from it for so long, seconds."""
        return now - self._heard.get(name, float("-inf")) > lease_s


class Vouchers:
    """Who vouches for one session: its gateway, by the connections that wait for it."""

    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways
        self._name: str | None = None
        self._lease_s = 0.0
        self._callers: dict[Caller, None] = {}

    def add(
        self,
        caller: Caller,
        name: str | None,
        lease_s: float | None,
        sent: float | None,
        now: float,
    ) -> None:
        """Take in a connection that waits for the session, and on what terms.

        Args:
            caller: the connection.
            name: the gateway's; None where it has no other balancer.
            lease_s: silence after which it has moved the session on, seconds.
            sent: when it sent the request, by its own clock.
            now: the time.
        """
        self._callers[caller] = None
        self._name, self._lease_s = None, 0.0
        if lease_s is not None:
            self._name, self._lease_s = name, max(lease_s, _LEAST_LEASE_S)
        if self._name is not None:
            self._gateways.hear(self._name, sent, now)

    def remove(self, caller: Caller) -> None:
        """A connection waits no more."""
        self._callers.pop(caller, None)

    def hold(self, now: float) -> bool:
        """Tell whether the session may be dispatched."""
        if self._name is None:
            return True
        if self._gateways.is_silent(self._name, self._lease_s, now):
            return False
        return any(caller.is_there() for caller in self._callers)
