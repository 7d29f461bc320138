"""Baselines to compare the balancer with: simple proxies, and all-knowing choosers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING

from benchmarks.simulation.balancer import POLL_TIMEOUT_S
from benchmarks.simulation.substation import (
    REFUSED,
    RESET,
    Call,
    Response,
    SimulatedSubstation,
)
from benchmarks.simulation.timeline import NoDistance
from load_balancer.routing.outcome import Outcome

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle
    from benchmarks.simulation.world import World
    from load_balancer.routing.health import Reading


class _Baseline:
    """The common part of the baselines: ways to learn about substations."""

    def know(self, known: Iterable[tuple[str, str]]) -> None:
        """Update the addresses behind the substations' names."""

    def substation_changed(self, substation: SimulatedSubstation) -> None:
        """Handle a changed substation."""


class SimpleProxy(_Baseline, ABC):
    """Polls gauges, tries the substations in order of preference, refuses if all were full.

    It is a simple proxy: it has no queue, and a vehicle whose substation dies is lost. A substation
    that did not answer its last poll is skipped.
    """

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._known: dict[str, None] = {}
        self.gauges: dict[str, int] = {}
        self.sent: dict[str, int] = {}  # since the last reading of the gauge
        self.waiting = 0
        self.full_answers = 0
        self.failovers = 0

    @abstractmethod
    def _score(self, address: str) -> float:
        """Return a substation's score; the lowest is preferred."""

    def know(self, known: Iterable[tuple[str, str]]) -> None:
        """Update the addresses behind the substations' names."""
        before = self._known
        self._known = {address: None for _, address in known}
        for address in self._known:
            if address not in before:
                self._poll(address)
        for address in before:
            if address not in self._known:
                self.gauges.pop(address, None)

    def arrive(self, vehicle: Vehicle) -> None:
        """Try the substations one after the other."""
        tried: set[str] = set()
        call: Call | None = None

        def try_next() -> None:
            nonlocal call
            left = [address for address in self.gauges if address not in tried]
            if not left:
                self._world.refused(vehicle)
                return
            # Ties are broken at random, which is the best that simple proxies do.
            address = min(left, key=lambda one: (self._score(one), self._random.random()))
            tried.add(address)
            self.sent[address] += 1
            substation = self._world.substations[address]
            call = Call(substation, self._world.network, vehicle.arrival, vehicle, answered)
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
                self.gauges.pop(address, None)
            else:
                self.gauges[address] = reading.load
                self.sent[address] = 0
            self._world.timeline.at(self._due(began), lambda: self._poll(address))

        substation, network = self._world.substations[address], self._world.network
        network.carry(
            lambda: substation.page_requested(lambda reading: network.carry(lambda: hear(reading)))
        )
        self._world.timeline.after(POLL_TIMEOUT_S, lambda: hear(None))

    def _due(self, began: float) -> float:
        interval_s = self._world.scene.poll_interval_s
        if self._world.scene.in_step:
            return (began // interval_s + 1) * interval_s
        return began + interval_s * self._random.uniform(0.9, 1.1)


class GaugeOnly(SimpleProxy):
    """Chooses the substation with the lowest gauge at the last poll."""

    def _score(self, address: str) -> float:
        return self.gauges[address]


class GaugeAndSent(SimpleProxy):
    """Adds to each gauge what it has sent there since."""

    def _score(self, address: str) -> float:
        return self.gauges[address] + self.sent[address]


class AllKnowing(_Baseline, ABC):
    """Sees the current state of every substation, with one queue for all balancers.

    It moves the vehicles of a dead or frozen substation at once. No real balancer can do so: it is
    the limit for the others.
    """

    def __init__(self, world: World, _random: Random) -> None:
        self._world = world
        self._network = NoDistance()
        self._queue: deque[Vehicle] = deque()
        self._calls: dict[Call, SimulatedSubstation] = {}
        self._chosen: dict[str, int] = {}  # by substation, sequence number of the last choice
        self._choices = 0
        self._is_choosing = False
        self.full_answers = 0
        self.failovers = 0

    @abstractmethod
    def _score(self, substation: SimulatedSubstation) -> float:
        """Return a substation's score; the lowest is preferred."""

    @property
    def waiting(self) -> int:
        """Number of vehicles in the queue."""
        return len(self._queue)

    def arrive(self, vehicle: Vehicle) -> None:
        """Queue a vehicle, and assign queued vehicles to free points."""
        self._queue.append(vehicle)
        self._choose()
        if vehicle in self._queue:
            self._world.timeline.after(self._world.scene.max_wait_s, lambda: self._give_up(vehicle))

    def substation_changed(self, substation: SimulatedSubstation) -> None:
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

        call = Call(substation, self._network, vehicle.arrival, vehicle, answered)
        self._calls[call] = substation
        substation.receive(call)


class LiveShortestQueue(AllKnowing):
    """Chooses the substation with the fewest vehicles, whatever its size."""

    def _score(self, substation: SimulatedSubstation) -> float:
        return substation.load


class LiveShortestDelay(AllKnowing):
    """Chooses the substation that would be least full for its size: the shortest expected delay."""

    def _score(self, substation: SimulatedSubstation) -> float:
        return (substation.load + 1) / substation.capacity
