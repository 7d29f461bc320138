"""The estimate of a substation's load, from its gauge and what was dispatched since. Pure.

With g the gauge polled at time τ, own(t) this balancer's vehicles there, and R balancers, it is

    load(t) = own(t) + max(0, g(τ) - own(τ) + (R - 1)·(own(t) - own(τ)))

A single balancer is exact at any poll interval. Foreign load is included. The other balancers are
assumed to have done the same as this one since τ (after Dahlin, Interpreting Stale Load
Information, TPDS 2000). Balancers that report their vehicles (`peer_loads`) are not among the R:
their last reports count like own(t).

The estimate ranks substations. Whether a substation has a free point depends on the **known** load
alone, `own(t) + max(0, g(τ) - own(τ))`. With the assumption about the others, vehicles would wait
beside free points for several polls, because each poll would fill only 1/R of them; and for each
own vehicle that ends, R points would count as free. If another balancer was faster, the substation
responds that it is full, and the vehicle is dispatched again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from load_balancer.routing.peer_loads import PeerLoads

if TYPE_CHECKING:
    from load_balancer.routing.queue import Dispatch


class LoadEstimate:
    """The vehicles at one substation.

    Attributes:
        total: estimated vehicles.
        known: known vehicles, without the assumption about other balancers.
        in_flight: this balancer's dispatches, the oldest first; the values mean nothing.
        peers: the vehicles that other balancers report.
        silent_balancers: number of balancers that do not report theirs.
        accepts: the substation responds when charging begins (202), so that its vehicles look like
            foreign load.
    """

    __slots__ = (
        "_balancers",
        "_gauge",
        "_others_at_poll",
        "_own_at_reading",
        "_own_in_poll",
        "_own_peak_in_poll",
        "_poll_began",
        "_unconfirmed",
        "accepts",
        "in_flight",
        "known",
        "peers",
        "silent_balancers",
        "total",
    )

    def __init__(self, balancers: int) -> None:
        self.total = self.known = 0
        self.in_flight: dict[Dispatch, None] = {}
        self.peers = PeerLoads()
        self.silent_balancers = balancers - 1
        self.accepts = False
        self._balancers = balancers
        self._gauge: int | None = None
        self._own_at_reading = 0
        # Times at which vehicles were released whose points may still be occupied: answered with
        # 202, or disconnected. Each counts until a poll that began later.
        self._unconfirmed: list[float] = []
        self._poll_began = float("-inf")
        self._others_at_poll = 0
        self._own_in_poll = 0
        self._own_peak_in_poll = 0

    @property
    def own(self) -> int:
        """Vehicles that this balancer dispatched."""
        return len(self.in_flight) + len(self._unconfirmed)

    @property
    def foreign(self) -> int:
        """Estimated vehicles that this balancer did not dispatch."""
        at_reading = 0
        if self._gauge is not None:
            at_reading = self._gauge - self._own_at_reading - self.peers.at_reading
        since = self.own - self._own_at_reading
        return self.peers.now + max(0, at_reading + self.silent_balancers * since)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the next poll may show a point as free that counts as occupied now."""
        return bool(self._unconfirmed)

    def _update(self) -> None:
        known = len(self.in_flight) + len(self._unconfirmed) + self.peers.now
        if self._gauge is not None:
            foreign = self._gauge - self._own_at_reading - self.peers.at_reading
            if foreign > 0:
                known += foreign
        self.known = known
        self.total = self.own + self.foreign if self.silent_balancers else known

    # Dispatches of this balancer

    def add(self, dispatch: Dispatch) -> None:
        """Count a vehicle that is dispatched."""
        self.in_flight[dispatch] = None
        self._own_in_poll += 1
        if self._own_in_poll > self._own_peak_in_poll:
            self._own_peak_in_poll = self._own_in_poll
        self._update()

    def attach(self, dispatch: Dispatch) -> None:
        """Count a vehicle as this balancer's that is in the gauge already."""
        self._own_at_reading += 1
        self.add(dispatch)

    def remove(self, dispatch: Dispatch) -> None:
        """Uncount a vehicle whose point is known to be free."""
        del self.in_flight[dispatch]
        self._own_in_poll -= 1
        self._update()

    def release(self, dispatch: Dispatch, now: float) -> None:
        """Release a vehicle whose point may still be occupied; it counts until a poll can tell."""
        del self.in_flight[dispatch]
        self._unconfirmed.append(now)
        self._update()

    # Gauges

    def poll_began(self, now: float) -> None:
        """Note that a poll begins: from now until its response the gauge may be read."""
        self._poll_began = now
        self._own_in_poll = self._own_peak_in_poll = len(self.in_flight)
        self._others_at_poll = self.known - len(self.in_flight)

    def polled(self, gauge: int) -> None:
        """Take in the gauge that a poll found."""
        # It was read at some time during the poll. With the maximum of own vehicles in that time,
        # none of them is taken for a foreign one.
        own = self._own_peak_in_poll
        if self.accepts:
            # The gauge may show only vehicles that were accepted before, and not yet those that
            # were dispatched during the poll. Counting them twice would admit too many.
            own = min(own, max(0, gauge - self._others_at_poll))
        self._unconfirmed = [at for at in self._unconfirmed if at >= self._poll_began]
        self._read(gauge, own)

    def reported(self, gauge: int) -> None:
        """Take in a gauge that is as of now, from a response."""
        self._read(gauge, self.own)

    def _read(self, gauge: int, own: int) -> None:
        self._gauge = gauge
        self._own_at_reading = own
        self.peers.read()
        self._update()

    # Reports of other balancers

    def peer_holds(self, name: str, vehicles: int) -> bool:
        """Record the vehicles of another balancer; return whether anything changed."""
        before = (self.peers.now, self.peers.count, self.peers.at_reading)
        self.peers.hold(name, vehicles)
        self._count_silent()
        return before != (self.peers.now, self.peers.count, self.peers.at_reading)

    def forget_peer(self, name: str) -> None:
        """Count the vehicles of another balancer as foreign load again."""
        self.peers.forget(name)
        self._count_silent()

    def _count_silent(self) -> None:
        self.silent_balancers = max(0, self._balancers - 1 - self.peers.count)
        self._update()
