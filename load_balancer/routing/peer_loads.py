"""The vehicles that other balancers report to have at one substation. Pure."""

from dataclasses import dataclass, field

# Minimum time between two reports of one balancer to another, seconds.
REPORT_PAUSE_S = 0.05


@dataclass(slots=True)
class _Peer:
    now: int
    at_reading: int = 0
    reported_since: bool = True  # since the gauge was read


@dataclass(eq=False, repr=False, slots=True)
class PeerLoads:
    """Vehicles of each other balancer that reports, now and when the gauge was read."""

    now: int = 0  # vehicles of all of them, by their last reports
    at_reading: int = 0  # vehicles of all of them when the gauge was read: the maximum for each
    _peers: dict[str, _Peer] = field(default_factory=dict, init=False)

    @property
    def count(self) -> int:
        """Number of balancers that report."""
        return len(self._peers)

    def hold(self, name: str, vehicles: int) -> None:
        """Record a balancer's report."""
        peer = self._peers.get(name)
        if peer is None:
            # The gauge contains its vehicles as foreign load already: do not count them twice.
            peer = self._peers[name] = _Peer(0)
            peer.reported_since = False
        self.now += vehicles - peer.now
        peer.now = vehicles
        if not peer.reported_since:
            # The gauge was read between its last report and this one, and shows one or the other.
            # Take the greater, so that a balancer's vehicles never count as foreign load.
            peer.reported_since = True
            rise = max(0, vehicles - peer.at_reading)
            peer.at_reading += rise
            self.at_reading += rise

    def forget(self, name: str) -> None:
        """Drop a balancer that no longer reports: its vehicles are foreign load again."""
        peer = self._peers.pop(name, None)
        if peer is not None:
            self.now -= peer.now
            self.at_reading -= peer.at_reading

    def read(self) -> None:
        """Note that the gauge was read."""
        self.at_reading = self.now
        for peer in self._peers.values():
            peer.at_reading, peer.reported_since = peer.now, False
