"""The limit: an all-knowing chooser, simulated on the vehicles and faults of a run.

It sees every substation as it is, at once and without any distance, has one line for all, and moves
what a dead or frozen substation held in the same moment (`benchmarks/simulation` has it as A
baseline). No balancer can do so. It chooses by load alone, so it is no limit where unlike
substations share
power: a lower bound stands in for it there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.comparison.scenes import Fault, Scene, held_s
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.demand import Arrival, lasting
from benchmarks.simulation.power.bound import lower_bound_s
from benchmarks.simulation.scenes import Event
from benchmarks.simulation.scenes import Scene as SimulatedScene
from benchmarks.simulation.world import World
from load_balancer.routing.demand import Demand


@dataclass(frozen=True, slots=True)
class Limit:
    """What the all-knowing chooser did with the same vehicles. Times in seconds.

    Of a lower bound there is only the mean.
    """

    mean_s: float
    p50_s: float | None = None
    p99_s: float | None = None
    # Mean, of the fullest against the emptiest substation, as shares of their points.
    imbalance: float | None = None


def limit(scene: Scene, faults: Sequence[Fault]) -> Limit:
    """Simulate a scene, with the faults at the moments at which they happened in a run.

    Where substations share power: bound it, without faults.
    """
    if scene.shares_power:
        return Limit(_bound_s(scene))
    figures = World(simulated(scene, faults), ALL_KNOWING).run()
    return Limit(figures.mean_s, figures.p50_s, figures.p99_s, figures.mean_spread)


def simulated(scene: Scene, faults: Sequence[Fault]) -> SimulatedScene:
    """Return a scene as it is simulated."""
    names = [substation.name for substation in scene.substations]

    def vehicles(_random: Random) -> list[Arrival]:
        return [Arrival(one.due, lasting(held_s(one)), 0.0) for one in scene.vehicles]

    def bypass_vehicles(_random: Random) -> list[Arrival]:
        if scene.bypass_vehicles is None:
            return []
        door = (scene.bypass_vehicles.substation + 0.5) / len(names)  # leads to that substation
        return [
            Arrival(one.due, lasting(held_s(one)), door) for one in scene.bypass_vehicles.vehicles
        ]

    return SimulatedScene(
        name=scene.name,
        story=scene.story,
        substations=scene.substations,
        arrivals=vehicles,
        bypass_vehicles=bypass_vehicles,
        events=tuple(Event(fault.at, fault.what, names[fault.substation]) for fault in faults),
        measured_from=0.0,
        ends_at=scene.ends_at,
    )


def _bound_s(scene: Scene) -> float:
    """Bound the mean time, seconds."""
    vehicles = [
        Arrival(one.due, Demand(one.kwh, one.max_power_kw, one.battery_kwh, one.soc), 0.0)
        for one in scene.vehicles
    ]
    # Whoever is not charged by then has disconnected.
    until = scene.ends_at + scene.patience_s
    return lower_bound_s(vehicles, scene.substations, scene.time_scale, until)
