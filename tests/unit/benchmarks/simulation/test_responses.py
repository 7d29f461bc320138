"""What substations respond means the same in the simulation as in the service."""

from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.contenders import CONTENDERS
from benchmarks.simulation.demand import poisson
from benchmarks.simulation.figures import Figures
from benchmarks.simulation.scenes import Scene, SubstationSpec
from benchmarks.simulation.world import World
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import DEFAULT_POLICY

DEFAULT = next(entry for entry in CONTENDERS if entry.name == DEFAULT_POLICY)


def played(*responses: Outcome) -> tuple[World, PooledBalancer, Figures]:
    """Run two vehicles a second past substations of 8 points that respond so."""
    scene = Scene(
        name="responses",
        story="",
        substations=tuple(
            SubstationSpec(f"substation{number}", 8, response=response)
            for number, response in enumerate(responses, start=1)
        ),
        arrivals=lambda random: poisson(random, 2, 30, held_s=(1, 3)),
        ends_at=30,
    )
    world = World(scene, DEFAULT)
    figures = world.run()
    (balancer,) = world.balancers
    assert isinstance(balancer, PooledBalancer)
    assert figures.vehicles > 40
    assert (figures.lost, figures.over_capacity, figures.charged_twice) == (0, 0, 0)
    return world, balancer, figures


def test_a_vehicle_that_one_substation_rejects_is_charged_at_another() -> None:
    world, balancer, figures = played(Outcome.REJECTED, Outcome.CHARGED)
    assert figures.refused == 0
    assert all(vehicle.charges == 1 for vehicle in world.vehicles)
    rejected = balancer.pool.dispatches["substation1", "rejected"]
    assert balancer.pool.failovers == {"rejected": rejected}
    assert 0 < rejected <= figures.vehicles  # none of them goes there twice
    assert not balancer.pool.ejections  # it is well


def test_a_vehicle_that_every_substation_rejects_is_refused_at_once() -> None:
    world, balancer, figures = played(Outcome.REJECTED, Outcome.REJECTED)
    assert figures.refused == figures.vehicles
    assert balancer.pool.failovers["rejected"] == 2 * figures.vehicles
    assert world.now < world.scene.ends_at + 2  # and not at their deadlines


def test_a_202_ends_a_session_and_its_vehicle_charges_on() -> None:
    world, balancer, figures = played(Outcome.ACCEPTED, Outcome.ACCEPTED)
    assert all(vehicle.accepted for vehicle in world.vehicles)
    assert not any(vehicle.charged_at for vehicle in world.vehicles)
    outcomes = {outcome for _, outcome in balancer.pool.dispatches}
    assert (outcomes, sum(balancer.pool.dispatches.values())) == ({"accepted"}, figures.vehicles)
    assert all(substation.estimate.accepts for substation in balancer.pool.substations.values())
    world.timeline.run(until=world.now + 5)
    assert all(vehicle.charges == 1 for vehicle in world.vehicles)
