"""One run: a scene, its substations, the balancers of one contender, and the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from benchmarks.simulation.contender import Contender
from benchmarks.simulation.demand import Arrival, Vehicle
from benchmarks.simulation.figures import Figures, Recorder
from benchmarks.simulation.substation import Call, SimulatedSubstation
from benchmarks.simulation.timeline import Timeline, delayed
from load_balancer.discovery import Directory, Resolution
from load_balancer.substation_entries import SubstationUrl

if TYPE_CHECKING:
    from benchmarks.simulation.scenes import Event, Scene

_PORT = 5002
_RESOLVE_INTERVAL_S = 2.0
# Minimum and maximum delay of a message between a balancer and a substation, seconds.
_MESSAGE_S = (0.0005, 0.002)


@dataclass(frozen=True)
class Entry:
    """A contender's name in the report, and how to create it."""

    name: str
    enter: Callable[[World, Random], Contender]
    knows_all: bool = False  # a single one replaces all balancers


class World:
    """A scene in progress."""

    def __init__(self, scene: Scene, entry: Entry, seed: int = 0) -> None:
        self.scene = scene
        self._seed = seed
        self.timeline = Timeline()
        self.carry = delayed(self.timeline, self._random("network"), *_MESSAGE_S)
        self.on_change: Callable[[SimulatedSubstation], object] = lambda _substation: None
        self.substations: dict[str, SimulatedSubstation] = {}
        # By their IP addresses, behind each name.
        self._behind: dict[SubstationUrl, dict[str, SimulatedSubstation]] = {}
        for number, spec in enumerate(scene.substations, start=1):
            substation = SimulatedSubstation(
                spec, scene.time_scale, self.timeline, self._substation_changed
            )
            ip, host = f"10.0.0.{number}", spec.host or spec.name
            self.substations[f"http://{ip}:{_PORT}"] = substation
            self._behind.setdefault(SubstationUrl(host, host, _PORT), {})[ip] = substation
        self._names_fail = False
        self.vehicles: list[Vehicle] = []
        self._unsettled = 0
        self.balancers: list[Contender] = []
        self.watch = Recorder(list(self.substations.values()), self.balancers)
        # The balancers start before the first arrival, each at its own time unless they are in
        # step.
        self.timeline.now = -2 * scene.poll_interval_s
        for number in range(1 if entry.knows_all else scene.balancers):
            own = self._random(f"balancer {number}")
            balancer = entry.enter(self, own)
            self.balancers.append(balancer)
            late_s = 0.0 if scene.in_step else own.random() * scene.poll_interval_s
            self._plan_look_up(balancer, Directory(self._behind), own, late_s)

    @property
    def now(self) -> float:
        """Seconds since the start of the scene."""
        return self.timeline.now

    def run(self) -> Figures:
        """Play the scene to its end, and until every vehicle has a response."""
        scene, timeline = self.scene, self.timeline
        self.vehicles = [Vehicle(one) for one in scene.arrivals(self._random("arrivals"))]
        self._unsettled = len(self.vehicles)
        for vehicle in self.vehicles:
            self._plan_arrival(vehicle)
        for bypass_vehicle in scene.bypass_vehicles(self._random("strangers")):
            self._plan_bypass_vehicle(bypass_vehicle)
        for event in scene.events:
            self._plan_event(event)
        timeline.at(scene.measured_from, lambda: self.watch.begin(self.now))
        timeline.run(until=scene.ends_at)
        self.watch.end(self.now)
        while self._unsettled and self.now < scene.ends_at + scene.afterwards_s:
            timeline.run(until=self.now + 1)
        return self.watch.figures(self.vehicles)

    # Events

    def charged(self, vehicle: Vehicle) -> None:
        """Record that a vehicle was told that it is charged."""
        vehicle.charged_at = self.now
        self._unsettled -= 1

    def accepted(self, vehicle: Vehicle) -> None:
        """Record that a vehicle was told that it charges on; it hears nothing more."""
        vehicle.accepted = True
        self._unsettled -= 1

    def refused(self, vehicle: Vehicle) -> None:
        """Record that a vehicle was refused."""
        vehicle.refused = True
        self._unsettled -= 1
        self.watch.saw_refusal(self.now)

    def lost(self) -> None:
        """Record that a vehicle got an error, or no response."""
        self._unsettled -= 1

    def _random(self, use: str) -> Random:
        return self.scene.random(use, self._seed)

    def observe(self) -> None:
        """Record the state of the whole grid after a change."""
        self.watch.look(self.now)

    def _substation_changed(self, substation: SimulatedSubstation) -> None:
        self.on_change(substation)
        self.observe()

    # Scheduling

    def _plan_arrival(self, vehicle: Vehicle) -> None:
        balancer = self.balancers[int(vehicle.arrival.selector * len(self.balancers))]

        def arrive() -> None:
            balancer.arrive(vehicle)
            self.observe()

        self.timeline.at(vehicle.arrival.at, arrive)

    def _plan_bypass_vehicle(self, bypass_vehicle: Arrival) -> None:
        """Send a vehicle to a substation directly; if that is full, it leaves."""
        substations = list(self.substations.values())
        substation = substations[int(bypass_vehicle.selector * len(substations))]
        call = Call(substation, self.carry, bypass_vehicle, None, lambda _response: None)
        self.timeline.at(bypass_vehicle.at, call.send)

    def _plan_event(self, event: Event) -> None:
        def inject() -> None:
            if not event.substation:
                self._names_fail = event.what == "names fail"
                return
            substation = next(
                one for one in self.substations.values() if one.name == event.substation
            )
            substation.inject(event.what)

        self.timeline.at(event.at, inject)

    def _plan_look_up(
        self, balancer: Contender, directory: Directory, random: Random, delay_s: float
    ) -> None:
        def look_up() -> None:
            answers = {
                entry: Resolution(
                    [
                        ip
                        for ip, substation in substations.items()
                        if substation.listed and not self._names_fail
                    ]
                )
                for entry, substations in self._behind.items()
            }
            balancer.know(
                [(one.name, one.address) for one in directory.update(answers) if not one.fault]
            )
            self._plan_look_up(
                balancer, directory, random, _RESOLVE_INTERVAL_S * random.uniform(0.9, 1.1)
            )

        self.timeline.after(delay_s, look_up)
