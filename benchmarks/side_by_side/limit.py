"""The limit: an all-knowing chooser, simulated on the vehicles and faults of a run.

It sees every site as it is, at once and without any distance, has one line for all, and moves what
a dead or frozen site held in the same moment (`benchmarks/simulation` has it as a yardstick). No
balancer can do so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.side_by_side.scenes import Fault, Scene, held_s, site_name
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.demand import Arrival, lasting
from benchmarks.simulation.scenes import Event, SiteSpec
from benchmarks.simulation.scenes import Scene as SimulatedScene
from benchmarks.simulation.world import World


@dataclass(frozen=True, slots=True)
class Limit:
    """What the all-knowing chooser did with the same vehicles. Times in seconds."""

    mean_s: float
    p50_s: float
    p99_s: float
    imbalance: float  # mean, of the fullest against the emptiest site, as shares of their points


def limit(scene: Scene, faults: Sequence[Fault]) -> Limit:
    """Simulate a scene, with the faults at the moments at which they happened in a run."""
    figures = World(simulated(scene, faults), ALL_KNOWING).run()
    return Limit(figures.mean_s, figures.p50_s, figures.p99_s, figures.mean_spread)


def simulated(scene: Scene, faults: Sequence[Fault]) -> SimulatedScene:
    """Return a scene as it is simulated."""
    sites = len(scene.capacities)

    def vehicles(_random: Random) -> list[Arrival]:
        return [Arrival(one.due, lasting(held_s(one)), 0.0) for one in scene.vehicles]

    def strangers(_random: Random) -> list[Arrival]:
        if scene.strangers is None:
            return []
        door = (scene.strangers.site + 0.5) / sites  # leads to that site
        return [Arrival(one.due, lasting(held_s(one)), door) for one in scene.strangers.vehicles]

    return SimulatedScene(
        name=scene.name,
        story=scene.story,
        sites=tuple(
            SiteSpec(site_name(number), points) for number, points in enumerate(scene.capacities)
        ),
        arrivals=vehicles,
        strangers=strangers,
        events=tuple(Event(fault.at, fault.what, site_name(fault.site)) for fault in faults),
        measured_from=0.0,
        ends_at=scene.ends_at,
    )
