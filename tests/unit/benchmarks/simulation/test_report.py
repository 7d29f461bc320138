"""Short scenes come out as the checked-in report says; tests/slow plays all of them."""

import pytest

from benchmarks.simulation import __main__ as command
from benchmarks.simulation import report
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.scenes import SCENES, Scene
from benchmarks.simulation.world import World
from tests.unit.benchmarks.simulation.choices import DEFAULT, check_choices

SHORT = [
    scene
    for scene in SCENES
    if scene.name in ("burst", "burst through three balancers", "substation frozen")
]


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


@pytest.mark.parametrize("scene", SHORT, ids=lambda scene: scene.name)
def test_the_checked_in_report_says_what_the_routing_core_does_now(scene: Scene) -> None:
    checked_in = set(rows(command.REPORT.read_text(encoding="utf-8")))
    played = (DEFAULT, ALL_KNOWING)
    now = rows(report.section(scene, {entry.name: World(scene, entry).run() for entry in played}))
    assert len(now) == 1 + len(played)
    differing = [row for row in now if row not in checked_in]
    assert not differing, (
        "routing behaves differently; if it is meant, run `python -m benchmarks.simulation` and "
        f"look at the difference: {differing}"
    )


@pytest.mark.parametrize("scene", SHORT, ids=lambda scene: scene.name)
def test_where_substations_are_alike_without_limits_each_choice_is_the_least_loaded_one(
    scene: Scene,
) -> None:
    check_choices(scene)
