from random import Random
from statistics import fmean

import pytest

from benchmarks.comparison.limit import limit, simulated
from benchmarks.comparison.scenes import MAX_S, MIN_S, Scene, held_s, scenes
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.power import scenes as power_scenes
from benchmarks.simulation.world import World

ALL = scenes(quick=False)
ALIKE_IN_POWER = [scene for scene in ALL if not scene.shares_power]
(UNLIKE,) = (scene for scene in ALL if scene.shares_power)


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
    assert all(0 < fault.at < scene.ends_at for fault in scene.faults)
    names = [substation.name for substation in scene.substations]
    assert all(fault.substation in names for fault in scene.faults)
    assert len(scene.vehicles) / scene.ends_at < 60, "the machine is not what is measured"


@pytest.mark.parametrize("scene", ALIKE_IN_POWER, ids=lambda scene: scene.name)
def test_where_power_is_not_shared_a_charge_takes_as_long_as_is_reported(scene: Scene) -> None:
    assert all(MIN_S <= held_s(vehicle) <= MAX_S for vehicle in scene.vehicles)


def test_where_power_is_shared_vehicles_are_those_of_the_simulated_scenes() -> None:
    assert UNLIKE.substations == power_scenes.UNLIKE
    drawn = power_scenes.UNLIKE_95.arrivals(Random("unlike substations/1"))
    reported = [(one.kwh, one.max_power_kw, one.battery_kwh, one.soc) for one in UNLIKE.vehicles]
    assert reported == [tuple(one.demand) for one in drawn[: len(reported)]]
    hours = UNLIKE.ends_at * UNLIKE.time_scale / 3600
    load = len(reported) / hours / power_scenes.CARRIED[power_scenes.UNLIKE]
    assert 0.8 <= load <= 0.95


def test_no_charge_takes_longer_than_a_silent_substation_is_waited_for() -> None:
    # The least that a vehicle gets while all points are taken is half of an equal share.
    shares_kw = [substation.limit_kw / substation.capacity / 2 for substation in UNLIKE.substations]
    slowest_s = max(one.kwh for one in UNLIKE.vehicles) / min(shares_kw) * 3600 / UNLIKE.time_scale
    assert slowest_s <= UNLIKE.longest_s < UNLIKE.patience_s


def test_where_power_is_shared_the_limit_is_a_lower_bound() -> None:
    bound = limit(UNLIKE, ())
    best_kw = max(substation.point_power_kw for substation in UNLIKE.substations)
    alone_s = [
        one.kwh / min(best_kw, one.max_power_kw or best_kw) * 3600 / UNLIKE.time_scale
        for one in UNLIKE.vehicles
    ]
    assert fmean(alone_s) <= bound.mean_s < 2 * fmean(alone_s)
    assert (bound.p50_s, bound.p99_s, bound.imbalance) == (None, None, None)


@pytest.mark.parametrize("scene", ALIKE_IN_POWER, ids=lambda scene: scene.name)
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


def test_a_substation_that_is_away_longer_makes_even_the_limit_worse() -> None:
    scene = next(one for one in ALL if one.name == "substation recovering")
    assert limit(scene, scene.faults[:1]).mean_s > limit(scene, scene.faults).mean_s * 1.02
