"""Baselines to compare the balancer with: simple proxies, and all-knowing choosers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING

from benchmarks.simulation.balancer import POLL_TIMEOUT_S
from benchmarks.simulation.substation import REFUSED, RESET, Call, Response, SimulatedSubstation
from benchmarks.simulation.timeline import carry_at_once
from load_balancer.routing.outcome import Outcome

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.world import World
    from load_balancer.routing.health import Reading


class SimpleProxy:
    """Polls gauges, tries the substations in order of preference, refuses if all were full.

    It is a simple proxy: it has no queue, and a vehicle whose substation dies is lost. A substation
    that did not answer its last poll is skipped.
    """

    def __init__(self, world: World, random: Random, *, adds_sent: bool) -> None:
        """Prefer the lowest gauge, to which it may add what it has sent there since."""
        self._world = world
        self._random = random
        self._adds_sent = adds_sent
        self._known: dict[str, None] = {}
        self._gauges: dict[str, int] = {}
        self._sent: dict[str, int] = {}  # since the last reading of the gauge
        self.waiting = 0
        self.full_answers = 0
        self.failovers = 0

    def know(self, known: Iterable[tuple[str, str]]) -> None:
        """Update the addresses behind the substations' names."""
        before = self._known
        self._known = {address: None for _, address in known}
        for address in self._known:
            if address not in before:
                self._poll(address)
        for address in before:
            if address not in self._known:
                self._gauges.pop(address, None)

    def arrive(self, vehicle: Vehicle) -> None:
        """Try the substations one after the other."""
        tried: set[str] = set()
        call: Call | None = None

        def try_next() -> None:
            nonlocal call
            left = [address for address in self._gauges if address not in tried]
            if not left:
                self._world.refused(vehicle)
                return
            # Ties are broken at random, which is the best that simple proxies do.
            address = min(left, key=lambda one: (self._load(one), self._random.random()))
            tried.add(address)
            self._sent[address] += 1
            substation = self._world.substations[address]
            call = Call(substation, self._world.carry, vehicle.arrival, vehicle, answered)
            call.send()

        def answered(response: Response) -> None:
            if response.outcome is Outcome.CHARGED:
                self._world.charged(vehicle)
            elif response.outcome is Outcome.ACCEPTED:
                self._world.accepted(vehicle)
            elif response is RESET:
                self._world.lost()
            else:
                self.full_answers += response.outcome is Outcome.FULL
                self.failovers += response is REFUSED
                try_next()

        try_next()

    def _load(self, address: str) -> int:
        return self._gauges[address] + (self._sent[address] if self._adds_sent else 0)

    def _poll(self, address: str) -> None:
        if address not in self._known:
            return
        began = self._world.now
        heard = False

        def hear(reading: Reading | None) -> None:
            nonlocal heard
            if heard:
                return
            heard = True
            if reading is None or address not in self._known:
                self._gauges.pop(address, None)
            else:
                self._gauges[address] = reading.load
                self._sent[address] = 0
            self._world.timeline.at(self._due(began), lambda: self._poll(address))

        substation, carry = self._world.substations[address], self._world.carry
        carry(lambda: substation.page_requested(lambda reading: carry(lambda: hear(reading))))
        self._world.timeline.after(POLL_TIMEOUT_S, lambda: hear(None))

    def _due(self, began: float) -> float:
        interval_s = self._world.scene.poll_interval_s
        if self._world.scene.in_step:
            return (began // interval_s + 1) * interval_s
        return began + interval_s * self._random.uniform(0.9, 1.1)


class AllKnowing:
    """Sees the current state of every substation, with one queue for all balancers.

    It moves the vehicles of a dead or frozen substation at once. No real balancer can do so: it is
    the limit for the others.
    """

    def __init__(
        self, world: World, _random: Random, score: Callable[[SimulatedSubstation], float]
    ) -> None:
        """Prefer the free substation with the lowest score."""
        self._world = world
        self._score = score
        self._queue: deque[Vehicle] = deque()
        self._calls: dict[Call, SimulatedSubstation] = {}
        self._chosen: dict[str, int] = {}  # by substation, sequence number of the last choice
        self._choices = 0
        self._is_choosing = False
        self.full_answers = 0
        self.failovers = 0
        world.on_change = self._substation_changed

    @property
    def waiting(self) -> int:
        """Number of vehicles in the queue."""
        return len(self._queue)

    def know(self, known: Iterable[tuple[str, str]]) -> None:
        """Ignore the addresses: it sees the substations themselves."""

    def arrive(self, vehicle: Vehicle) -> None:
        """Queue a vehicle, and assign queued vehicles to free points."""
        self._queue.append(vehicle)
        self._choose()
        if vehicle in self._queue:
            self._world.timeline.after(self._world.scene.max_wait_s, lambda: self._give_up(vehicle))

    def _substation_changed(self, substation: SimulatedSubstation) -> None:
        """Move the vehicles of a failed substation, and use points that have become free."""
        if not substation.alive or substation.frozen:
            lost = [call for call, at in self._calls.items() if at is substation]
            for call in reversed(lost):
                del self._calls[call]
                call.gone = True
                substation.disconnected(call)
                self.failovers += 1
                if call.vehicle is not None:
                    self._queue.appendleft(call.vehicle)
        self._choose()

    def _give_up(self, vehicle: Vehicle) -> None:
        if vehicle in self._queue:
            self._queue.remove(vehicle)
            self._world.refused(vehicle)

    def _choose(self) -> None:
        if self._is_choosing:  # called by a choice in progress
            return
        self._is_choosing = True
        while self._queue:
            free = [
                substation
                for substation in self._world.substations.values()
                if substation.has_free_point
            ]
            if not free:
                break
            substation = min(
                free, key=lambda one: (self._score(one), self._chosen.get(one.name, 0))
            )
            self._choices += 1
            self._chosen[substation.name] = self._choices
            vehicle = self._queue.popleft()
            self._place(vehicle, substation)
        self._is_choosing = False

    def _place(self, vehicle: Vehicle, substation: SimulatedSubstation) -> None:
        def answered(response: Response) -> None:
            if response.outcome is Outcome.CHARGED:
                del self._calls[call]
                self._world.charged(vehicle)

        call = Call(substation, carry_at_once, vehicle.arrival, vehicle, answered)
        self._calls[call] = substation
        substation.receive(call)


def shortest_queue(substation: SimulatedSubstation) -> float:
    """Score by the number of vehicles, whatever the substation's size."""
    return substation.load


def shortest_delay(substation: SimulatedSubstation) -> float:
    """Score by how full it would be for its size: the expected delay."""
    return (substation.load + 1) / substation.capacity
