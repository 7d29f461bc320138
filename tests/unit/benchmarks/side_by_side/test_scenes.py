import pytest

from benchmarks.side_by_side.limit import limit, simulated
from benchmarks.side_by_side.scenes import LONGEST_S, SHORTEST_S, Scene, held_s, scenes
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.world import World

ALL = scenes(quick=False)


def test_the_same_seed_draws_the_same_vehicles_and_another_seed_others() -> None:
    assert scenes(quick=False) == ALL
    assert scenes(quick=False, seed=2)[1].vehicles != ALL[1].vehicles


def test_a_quick_run_has_fewer_and_shorter_scenes() -> None:
    quick = scenes(quick=True)
    assert len(quick) < len(ALL)
    by_name = {scene.name: scene for scene in ALL}
    for scene in quick:
        assert len(scene.vehicles) <= 0.6 * len(by_name[scene.name].vehicles)


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.name)
def test_every_scene_is_one_that_can_be_played(scene: Scene) -> None:
    dues = [vehicle.due for vehicle in scene.vehicles]
    assert dues == sorted(dues)
    assert 0 <= dues[0] <= dues[-1] <= scene.ends_at
    assert all(SHORTEST_S <= held_s(vehicle) <= LONGEST_S for vehicle in scene.vehicles)
    assert all(0 < fault.at < scene.ends_at for fault in scene.faults)
    assert all(0 <= fault.site < len(scene.capacities) for fault in scene.faults)
    assert len(scene.vehicles) / scene.ends_at < 60, "the machine is not what is measured"


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.name)
def test_the_all_knowing_chooser_charges_every_vehicle(scene: Scene) -> None:
    best = World(simulated(scene, scene.faults), ALL_KNOWING).run()
    assert (best.lost, best.refused) == (0, 0)
    assert best.mean_s >= sum(map(held_s, scene.vehicles)) / len(scene.vehicles) - 1e-9


def test_the_limit_of_a_burst_is_what_a_line_before_all_points_takes() -> None:
    scene = ALL[0]
    free_at = [0.0] * sum(scene.capacities)
    times = []
    for vehicle in scene.vehicles:
        free_at.sort()
        free_at[0] = max(vehicle.due, free_at[0]) + held_s(vehicle)
        times.append(free_at[0] - vehicle.due)
    assert limit(scene, ()).mean_s == pytest.approx(sum(times) / len(times), abs=1e-6)


def test_a_site_that_is_away_longer_makes_even_the_limit_worse() -> None:
    scene = next(one for one in ALL if one.name == "site recovering")
    assert limit(scene, scene.faults[:1]).mean_s > limit(scene, scene.faults).mean_s * 1.02
