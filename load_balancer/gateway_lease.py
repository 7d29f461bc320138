"""Whether this balancer, as one of several, may still dispatch a durable session.

A gateway that no longer hears from this balancer moves its sessions to another one. This balancer
may not know it, because it was frozen or cut off. So each gateway sends its name and a lease
(`Session-Owner`, `Session-Lease`): how long it may be silent before its sessions no longer belong
to this balancer. After it has moved its sessions it uses another name here. A session holds its
lease while its gateway recently sent a heartbeat under that name, and waits at the other end of
a connection. Without the lease it continues where it is charging, but is not dispatched elsewhere.
"""

from collections import OrderedDict
from typing import TypeVar

from grid_common.http.cancellation import Caller

# Maximum number of known gateways; the one that was silent for longest is forgotten first.
_MAX_GATEWAYS = 256
# With a shorter lease the session could never be dispatched, and its caller would wait in vain.
_MIN_LEASE_S = 0.1

_Value = TypeVar("_Value", int, float)


class Gateways:
    """When each gateway last sent a heartbeat. Pure: the clock is passed in."""

    def __init__(self) -> None:
        self._heartbeats: OrderedDict[str, float] = OrderedDict()
        # Minimum offset of this clock from a gateway's: that of the fastest request.
        self._offsets: OrderedDict[str, float] = OrderedDict()
        # How often each gateway has moved its sessions away from here.
        self._terms: OrderedDict[str, int] = OrderedDict()

    def heartbeat(self, name: str, sent: float | None, now: float) -> None:
        """Note a gateway's heartbeat.

        It may arrive late, because it was delayed or this process was frozen. It counts from when
        it was sent.

        Args:
            name: the gateway's current name.
            sent: when it sent the request, by its own clock, seconds; None: now.
            now: the current time.
        """
        gateway, term = _gateway_and_term(name)
        _keep(self._terms, gateway, max(term, self._terms.get(gateway, 0)))
        if sent is not None:
            offset = min(now - sent, self._offsets.get(gateway, now - sent))
            _keep(self._offsets, gateway, offset)
            now = sent + offset
        _keep(self._heartbeats, name, max(now, self._heartbeats.get(name, now)))

    def is_silent(self, name: str, lease_s: float, now: float) -> bool:
        """Return whether it sent no heartbeat for this long, seconds."""
        return now - self._heartbeats.get(name, float("-inf")) > lease_s

    def has_moved(self, name: str) -> bool:
        """Return whether the gateway has moved its sessions of this name to another balancer."""
        gateway, term = _gateway_and_term(name)
        return term < self._terms.get(gateway, 0)


class GatewayLease:
    """The lease of one session: held by its gateway through the connections that wait for it."""

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
        """Add a connection that waits for the session, with its terms.

        Args:
            caller: the connection.
            name: the gateway's name; None if it has no other balancer.
            lease_s: silence after which it has moved the session, seconds.
            sent: when it sent the request, by its own clock, seconds.
            now: the current time.
        """
        self._callers[caller] = None
        self._name, self._lease_s = None, 0.0
        if lease_s is not None:
            self._name, self._lease_s = name, max(lease_s, _MIN_LEASE_S)
        if self._name is not None:
            self._gateways.heartbeat(self._name, sent, now)

    def remove(self, caller: Caller) -> None:
        """Remove a connection."""
        self._callers.pop(caller, None)

    def is_valid(self, now: float) -> bool:
        """Return whether the session may be dispatched."""
        if self._name is None:
            return True
        if self._gateways.is_silent(self._name, self._lease_s, now):
            return False
        return any(caller.is_there() for caller in self._callers)

    def has_moved(self) -> bool:
        """Return whether another balancer has the session now, by the gateway's own word."""
        return self._name is not None and self._gateways.has_moved(self._name)


def _gateway_and_term(name: str) -> tuple[str, int]:
    gateway, _, term = name.rpartition(".")
    return (gateway, int(term)) if gateway and term.isdecimal() else (name, 0)


def _keep(known: OrderedDict[str, _Value], name: str, value: _Value) -> None:
    known[name] = value
    known.move_to_end(name)
    if len(known) > _MAX_GATEWAYS:
        known.popitem(last=False)
