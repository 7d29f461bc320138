"""The checked-in report of the simulation is reproduced, and its assertions hold."""

import difflib
from pathlib import Path

import pytest

from benchmarks.harness.findings import Assertion
from benchmarks.simulation import __main__ as command
from benchmarks.simulation import report
from benchmarks.simulation.assertions import ASSERTIONS, OURS, Results
from benchmarks.simulation.contenders import ALL_KNOWING, CONTENDERS
from benchmarks.simulation.scenes import SCENES, STALE, STALE_IN_STEP, STALE_THREE, UNEQUAL, Scene
from benchmarks.simulation.world import World
from tests.unit.benchmarks.simulation.choices import DEFAULT, check_choices


@pytest.fixture(scope="module")
def results() -> Results:
    return report.play_all()


def test_the_checked_in_report_is_what_the_routing_core_does_now(results: Results) -> None:
    before = command.REPORT.read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(before, report.write(results).splitlines(), lineterm=""))
    assert not difference, (
        "routing behaves differently; look at the difference, and if it is meant, run "
        "`python -m benchmarks.simulation`:\n" + "\n".join(difference)
    )


def test_the_yardsticks_are_what_the_literature_says_of_them(results: Results) -> None:
    stale = results[STALE.name]
    assert 15 < stale["gauge only"].mean_gap < 25
    assert 2.5 < stale["gauge + sent"].mean_gap < 8
    assert 1.2 < stale["all-knowing, shortest queue"].mean_gap < 1.6


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_vehicle_of_every_contender_is_accounted_for(scene: Scene, results: Results) -> None:
    for name, one in results[scene.name].items():
        assert one.vehicles == results[scene.name][OURS].vehicles > 100, name
        assert one.lost >= 0, name
        assert one.over_capacity == 0, name
        assert one.charged_twice == 0, name


def test_check_shows_how_the_report_differs(
    results: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = tmp_path / "report.md"
    monkeypatch.setattr(command, "REPORT", written)
    monkeypatch.setattr(report, "play_all", lambda: results)  # they were played already
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    capsys.readouterr()
    written.write_text(written.read_text().replace("## burst", "## bust"))
    changed = written.read_text()
    assert command.main(["--check"]) == 1
    assert "-## bust\n+## burst\n" in capsys.readouterr().out
    assert written.read_text() == changed


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda assertion: assertion.words)
def test_each_assertion_holds(assertion: Assertion[Results], results: Results) -> None:
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
    check_choices(scene)


def test_a_scene_has_the_same_course_each_time() -> None:
    scene = next(scene for scene in SCENES if scene.name == "substation killed")
    for entry in CONTENDERS:
        assert World(scene, entry).run() == World(scene, entry).run()
