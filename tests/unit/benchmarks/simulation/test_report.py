"""The checked-in report is reproduced, and its assertions hold."""

import pytest

from benchmarks.simulation import __main__ as command
from benchmarks.simulation import report
from benchmarks.simulation.assertions import ASSERTIONS, OURS, Assertion, Results
from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.contenders import ALL_KNOWING, CONTENDERS
from benchmarks.simulation.scenes import SCENES, STALE, STALE_IN_STEP, STALE_THREE, UNEQUAL, Scene
from benchmarks.simulation.world import Entry, World
from load_balancer.routing.queue import Decision

DEFAULT, LEAST_LOADED = (
    next(entry for entry in CONTENDERS if entry.name == name) for name in (OURS, "least-loaded")
)


# Whose times are compared with whose; tests/slow plays all contenders.
PLAYED = (DEFAULT, ALL_KNOWING)


@pytest.fixture(scope="module")
def results() -> Results:
    return {
        scene.name: {entry.name: World(scene, entry).run() for entry in PLAYED} for scene in SCENES
    }


def rows(text: str) -> list[tuple[str, ...]]:
    """List the rows of a report's tables, each after its section; how they are laid out is gone."""
    found: list[tuple[str, ...]] = []
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line
        elif line.startswith("| "):
            found.append((section, *(cell.strip() for cell in line.split("|"))))
    return [row for row in found if not row[2].startswith(":--")]


def test_the_checked_in_report_says_what_the_routing_core_does_now(results: Results) -> None:
    checked_in = set(rows(command.REPORT.read_text(encoding="utf-8")))
    now = rows(report.write(results))
    assert len(now) == 1 + len(ASSERTIONS) + len(SCENES) * (1 + len(PLAYED))
    differing = [row for row in now if row not in checked_in]
    assert not differing, (
        "routing behaves differently; if it is meant, run `python -m benchmarks.simulation` and "
        f"look at the difference: {differing}"
    )


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda assertion: assertion.words)
def test_what_must_hold_holds(assertion: Assertion, results: Results) -> None:
    assert assertion.is_kept(results), (
        f"{assertion.figure(results):.3f} is over {assertion.limit:g}"
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("scene", "limit"),
    [(STALE, 1.7), (STALE_THREE, 1.7), (STALE_IN_STEP, 1.7)],
    ids=lambda value: value.name if isinstance(value, Scene) else str(value),
)
def test_gaps_are_as_small_with_other_vehicles(scene: Scene, limit: float, seed: int) -> None:
    assert World(scene, DEFAULT, seed).run().mean_gap <= limit


@pytest.mark.parametrize("scene", [STALE_THREE, STALE_IN_STEP], ids=lambda scene: scene.name)
def test_equal_substations_are_rarely_found_full_by_several_balancers(scene: Scene) -> None:
    world = World(scene, DEFAULT, 1)
    figures = world.run()
    assert figures.full_answers < 0.01 * len(world.vehicles)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_unequal_substations_charge_as_fast_with_other_vehicles(seed: int) -> None:
    ours, best = (World(UNEQUAL, entry, seed).run() for entry in (DEFAULT, ALL_KNOWING))
    assert ours.mean_s <= 1.05 * best.mean_s
    assert ours.refused == ours.lost == 0


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_where_substations_are_alike_without_limits_each_choice_is_the_least_loaded_one(
    scene: Scene,
) -> None:
    def choices(entry: Entry) -> list[tuple[float, str, str]]:
        made: list[Decision] = []
        world = World(scene, entry, seed=1)
        for balancer in world.balancers:
            assert isinstance(balancer, PooledBalancer)
            balancer.on_decision = made.append
        world.run()
        return [(one.at, one.session_id, one.substation) for one in made]

    ours, least_loaded = choices(DEFAULT), choices(LEAST_LOADED)
    assert len(ours) > 100
    assert ours == least_loaded


def test_a_scene_has_the_same_course_each_time() -> None:
    scene = next(scene for scene in SCENES if scene.name == "substation killed")
    for entry in CONTENDERS:
        assert World(scene, entry).run() == World(scene, entry).run()
