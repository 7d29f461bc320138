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

from dataclasses import InitVar, dataclass, field
from math import inf

from load_balancer.routing.peer_loads import PeerLoads


@dataclass(eq=False, repr=False, slots=True)
class LoadEstimate:
    """The vehicles at one substation."""

    balancers: InitVar[int]
    total: int = 0  # estimated vehicles
    known: int = 0  # known vehicles, without the assumption about other balancers
    in_flight: int = 0  # vehicles that this balancer dispatched, and whose points it holds
    peers: PeerLoads = field(default_factory=PeerLoads)
    silent_balancers: int = field(init=False)  # those that do not report their vehicles
    # It responds when charging begins (202), so that its vehicles look like foreign load.
    accepts: bool = False
    _other_balancers: int = field(init=False)
    _gauge: int | None = None
    _own_at_reading: int = 0
    # Times at which vehicles were released whose points may still be occupied: accepted with 202,
    # or disconnected. Each counts until a poll that began later.
    _unconfirmed: list[float] = field(default_factory=list, init=False)
    _poll_began: float = -inf
    _others_at_poll: int = 0
    _own_in_poll: int = 0
    _own_peak_in_poll: int = 0

    def __post_init__(self, balancers: int) -> None:
        self._other_balancers = self.silent_balancers = balancers - 1

    @property
    def own(self) -> int:
        """Vehicles that this balancer dispatched."""
        return self.in_flight + len(self._unconfirmed)

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
        known = self.in_flight + len(self._unconfirmed) + self.peers.now
        if self._gauge is not None:
            foreign = self._gauge - self._own_at_reading - self.peers.at_reading
            if foreign > 0:
                known += foreign
        self.known = known
        self.total = self.own + self.foreign if self.silent_balancers else known

    # Dispatches of this balancer

    def add(self) -> None:
        """Count a vehicle that is dispatched."""
        self.in_flight += 1
        self._own_in_poll += 1
        if self._own_in_poll > self._own_peak_in_poll:
            self._own_peak_in_poll = self._own_in_poll
        self._update()

    def attach(self) -> None:
        """Count a vehicle as this balancer's that is in the gauge already."""
        self._own_at_reading += 1
        self.add()

    def remove(self) -> None:
        """Uncount a vehicle whose point is known to be free."""
        self.in_flight -= 1
        self._own_in_poll -= 1
        self._update()

    def release(self, now: float) -> None:
        """Release a vehicle whose point may still be occupied; it counts until a poll can tell."""
        self.in_flight -= 1
        self._unconfirmed.append(now)
        self._update()

    # Gauges

    def poll_began(self, now: float) -> None:
        """Note that a poll begins: from now until its response the gauge may be read."""
        self._poll_began = now
        self._own_in_poll = self._own_peak_in_poll = self.in_flight
        self._others_at_poll = self.known - self.in_flight

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
        self.silent_balancers = max(0, self._other_balancers - self.peers.count)
        self._update()
