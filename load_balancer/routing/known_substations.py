"""The substations of a pool: added and removed as they are discovered, drained, indexed. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from load_balancer.routing.health import HealthCheck
from load_balancer.routing.index.substation_index import SubstationIndex
from load_balancer.routing.policy import Policy
from load_balancer.routing.substation import Substation
from load_balancer.routing.view import Scan, View

# Up to this many substations, a scan is faster than an index.
MAX_SCANNED = 32


@dataclass(eq=False, repr=False)
class KnownSubstations:
    """All substations of one pool; only that pool changes them."""

    policy: Policy  # chooses among them
    health_check: HealthCheck  # how they are polled, given their number
    balancers: int
    max_scanned: int  # number of substations above which they are indexed
    on_poll_wanted: Callable[[Substation], object]  # called with one to be polled out of turn
    # Those found earlier come first.
    by_address: dict[str, Substation] = field(default_factory=dict, init=False)
    # Names that an operator drained. A container that is replaced stays drained.
    drained: set[str] = field(default_factory=set, init=False)
    _usual_health_check: HealthCheck = field(init=False)  # of a few substations
    _index: SubstationIndex = field(init=False)
    # Since the last update of the index.
    _changed: dict[Substation, None] = field(default_factory=dict, init=False)
    # Perhaps: see `Substation.needs_poll`.
    _to_poll: dict[Substation, None] = field(default_factory=dict, init=False)
    _found: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._usual_health_check = self.health_check
        self._index = SubstationIndex(self.by_address, self.policy, self.health_check)

    def update(self, known: Iterable[tuple[str, str]]) -> None:
        """Add and remove substations so that they match a list of (name, address)."""
        names = {address: name for name, address in known}
        for address, name in names.items():
            substation = self.by_address.get(address) or self._add(name, address)
            substation.name = name
            if substation.leaving or (name in self.drained) is not substation.drained:
                substation.leaving = False
                substation.set_drained(name in self.drained)
                self.note_change(substation)
        for substation in list(self.by_address.values()):
            if substation.address not in names:
                substation.leaving = True
                self.note_change(substation)
                self.forget_if_empty(substation)
        self._update_health_check()
        if not self.is_indexed:  # an index that is not used forgets nothing: begin a new one
            self._index = SubstationIndex(self.by_address, self.policy, self.health_check)
            self._changed = dict.fromkeys(self.by_address.values())

    def _add(self, name: str, address: str) -> Substation:
        substation = Substation(
            name, address, balancers=self.balancers, health_check=self.health_check
        )
        self._found += 1
        substation.order = self._found
        self.by_address[address] = substation
        self.note_change(substation)
        return substation

    def forget_if_empty(self, substation: Substation) -> None:
        """Remove a substation that is leaving once its last vehicle is done."""
        if (
            substation.leaving
            and not substation.in_flight
            and self.by_address.pop(substation.address, None) is not None
        ):
            self.note_change(substation)

    def _update_health_check(self) -> None:
        """Poll each substation as often as their number allows."""
        before = self.health_check
        self.health_check = self._usual_health_check.among(len(self.by_address))
        if self.health_check == before:
            return
        self._index.health_check = self.health_check
        for substation in self.by_address.values():
            substation.health_check = self.health_check
            if self.health_check.interval_s < before.interval_s:
                self.on_poll_wanted(substation)  # its reading may be too old from now on

    def set_drained(self, name: str, drained: bool) -> list[Substation]:
        """Drain the substations of a name, or no longer, and return them.

        An unknown substation cannot be drained. One that was drained and then removed can be
        undrained before it is back.
        """
        substations = [one for one in self.by_address.values() if one.name == name]
        if not drained:
            self.drained.discard(name)
        elif substations:
            self.drained.add(name)
        for substation in substations:
            substation.set_drained(drained)
            self.note_change(substation)
        return substations

    def note_change(self, substation: Substation) -> None:
        """Note that a substation has changed in a way that may change the next choice."""
        self._changed[substation] = None

    def note_poll_needed(self, substation: Substation) -> None:
        """Note that a substation may need a poll out of turn once vehicles wait."""
        self._to_poll[substation] = None

    def needing_poll(self) -> list[Substation]:
        """Return the substations that are down, or have points that the next poll may free."""
        needing = [
            one
            for one in self._to_poll
            if one.needs_poll and self.by_address.get(one.address) is one
        ]
        needing.sort(key=_order)
        self._to_poll = dict.fromkeys(needing)
        return needing

    # The view for a choice

    @property
    def is_indexed(self) -> bool:
        """Whether there are so many substations that they are indexed."""
        return len(self.by_address) > self.max_scanned

    def view(self, now: float) -> View:
        """Return the substations as they are now; valid until the next dispatch."""
        if self.is_indexed:
            return self.update_index(now)
        return Scan(self.by_address.values(), now, predicts=self.policy.predicts)

    def update_index(self, now: float) -> SubstationIndex:
        """Bring the index up to date, and return it."""
        changed, self._changed = self._changed, {}
        return self._index.at(now, changed)

    def capacity(self, now: float) -> int:
        """Return the capacity of all available substations."""
        if self.is_indexed:
            return self.update_index(now).capacity
        return sum(one.capacity for one in self.by_address.values() if one.is_available(now))


def _order(substation: Substation) -> int:
    return substation.order
