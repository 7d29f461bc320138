"""What two policies choose in a scene of the simulation, compared."""

from benchmarks.simulation.assertions import OURS
from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.contenders import CONTENDERS
from benchmarks.simulation.scenes import Scene
from benchmarks.simulation.world import Entry, World
from load_balancer.routing.policy import Decision

DEFAULT, LEAST_LOADED = (
    next(entry for entry in CONTENDERS if entry.name == name) for name in (OURS, "least-loaded")
)


def choices(scene: Scene, entry: Entry) -> list[tuple[float, str, str]]:
    """Play a scene, and list when each vehicle was sent where."""
    made: list[Decision] = []
    world = World(scene, entry, seed=1)
    for balancer in world.balancers:
        assert isinstance(balancer, PooledBalancer)
        balancer.on_decision = made.append
    world.run()
    return [(one.at, one.session_id, one.substation) for one in made]


def check_choices(scene: Scene) -> None:
    """Check that the default policy chooses as least-loaded does."""
    ours, least_loaded = choices(scene, DEFAULT), choices(scene, LEAST_LOADED)
    assert len(ours) > 100
    assert ours == least_loaded
