"""The limit: an all-knowing chooser, simulated with the vehicles and faults of a run.

It sees every substation immediately, has one queue for all, and moves the vehicles of a dead or
frozen substation at once (`benchmarks/simulation` has it as a baseline). No real balancer can do
so. It chooses by load only, so it is not a limit if different substations share power: a lower
bound replaces it there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.comparison.scenes import Scene, held_s
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.demand import Arrival, lasting
from benchmarks.simulation.power.bound import lower_bound_s
from benchmarks.simulation.scenes import Event
from benchmarks.simulation.scenes import Scene as SimulatedScene
from benchmarks.simulation.world import World
from load_balancer.routing.demand import Demand
from load_tester.vehicle import Vehicle


@dataclass(frozen=True, slots=True)
class Limit:
    """The result of the all-knowing chooser with the same vehicles. Times in seconds.

    A lower bound has only the mean.
    """

    mean_s: float
    p50_s: float | None = None
    p99_s: float | None = None
    # Mean difference between the fullest and the emptiest substation, as shares of their points.
    imbalance: float | None = None


def limit(scene: Scene, faults: Sequence[Event]) -> Limit:
    """Simulate a scene, with the faults at the times when they happened in a run.

    If substations share power, compute the lower bound, without faults.
    """
    if scene.shares_power:
        return Limit(_bound_s(scene))
    figures = World(simulated(scene, faults), ALL_KNOWING).run()
    return Limit(figures.mean_s, figures.p50_s, figures.p99_s, figures.mean_spread)


def simulated(scene: Scene, faults: Sequence[Event]) -> SimulatedScene:
    """Return a scene in its simulated form."""

    def arrivals(vehicles: Sequence[Vehicle]) -> list[Arrival]:
        # A selector of 0 leads to the first substation.
        return [Arrival(one.due, lasting(held_s(one)), 0.0) for one in vehicles]

    return SimulatedScene(
        name=scene.name,
        story=scene.story,
        substations=scene.substations,
        arrivals=lambda _random: arrivals(scene.vehicles),
        bypass_vehicles=lambda _random: arrivals(scene.bypass_vehicles),
        events=tuple(faults),
        measured_from=0.0,
        ends_at=scene.ends_at,
    )


def _bound_s(scene: Scene) -> float:
    """Return the lower bound of the mean time, seconds."""
    vehicles = [
        Arrival(one.due, Demand(one.kwh, one.max_power_kw, one.battery_kwh, one.soc), 0.0)
        for one in scene.vehicles
    ]
    # A vehicle that is not charged by then has disconnected.
    until = scene.ends_at + scene.patience_s
    return lower_bound_s(vehicles, scene.substations, scene.time_scale, until)
