"""What other balancers hold at one substation, by their own words. Pure."""

from dataclasses import dataclass

__all__ = ["PeerLoads"]


@dataclass(slots=True)
class _Peer:
    now: int
    at_reading: int = 0
    heard_since: bool = True  # since the gauge was read


class PeerLoads:
    """Vehicles of each other balancer that tells, now and when the gauge was read.

    Attributes:
        now: vehicles of all together, by their last words.
        at_reading: of all together, when the gauge was read: the most that each may have had.
    """

    def __init__(self) -> None:
        self.now = 0
        self.at_reading = 0
        self._peers: dict[str, _Peer] = {}

    @property
    def count(self) -> int:
        """How many balancers tell."""
        return len(self._peers)

    def hold(self, name: str, vehicles: int) -> None:
        """Take in a balancer's word."""
        peer = self._peers.get(name)
        if peer is None:
            # What it holds is in the gauge, as foreign load: nothing of that is counted twice.
            peer = self._peers[name] = _Peer(0)
            peer.heard_since = False
        self.now += vehicles - peer.now
        peer.now = vehicles
        if not peer.heard_since:
            # The gauge was read between its last word and this one: it shows the one or the other.
            # With the greater, a balancer's vehicles are never taken for foreign load.
            peer.heard_since = True
            rise = max(0, vehicles - peer.at_reading)
            peer.at_reading += rise
            self.at_reading += rise

    def forget(self, name: str) -> None:
        """A balancer tells no more: what it holds is foreign load again."""
        peer = self._peers.pop(name, None)
        if peer is not None:
            self.now -= peer.now
            self.at_reading -= peer.at_reading

    def read(self) -> None:
        """The gauge was read."""
        self.at_reading = self.now
        for peer in self._peers.values():
            peer.at_reading, peer.heard_since = peer.now, False
