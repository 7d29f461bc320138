"""All runs of contenders, and their results, which are stored as JSON."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from typing import ClassVar, NamedTuple

from benchmarks.harness.results import Stored
from benchmarks.simulation.power.bound import bound_min
from benchmarks.simulation.power.contenders import CONTENDERS, HAPROXY_LIMITS, LEAST_LOADED, OURS
from benchmarks.simulation.power.figures import PowerFigures, rounded
from benchmarks.simulation.power.scenes import (
    SCENES,
    UNLIKE_60,
    UNLIKE_80,
    UNLIKE_95,
    UNLIKE_124,
)
from benchmarks.simulation.scenes import Scene
from benchmarks.simulation.world import Entry, World

# Draws of vehicles; in each, every contender gets the same ones.
SEEDS = range(1, 11)
# Scenes in which every contender takes part, and which have a lower bound.
_OPEN_TO_ALL = (UNLIKE_60, UNLIKE_80, UNLIKE_95, UNLIKE_124)
_SCENES = {scene.name: scene for scene in SCENES}
_ELSEWHERE = (OURS, LEAST_LOADED, HAPROXY_LIMITS.name)


class Run(NamedTuple):
    """A contender's run through a scene with one draw of vehicles."""

    scene: str
    contender: str
    seed: int


@dataclass(frozen=True, slots=True)
class Results(Stored):
    """The results of all runs."""

    written_by: ClassVar[str] = "python -m benchmarks.simulation.power"
    figures: Mapping[str, Mapping[str, Sequence[PowerFigures]]]  # by scene, contender and draw
    bounds_min: Mapping[str, Sequence[float]]  # by scene and draw, if there is one


def contenders(scene: Scene) -> list[Entry]:
    """Return the contenders of a scene."""
    return [one for one in CONTENDERS if scene in _OPEN_TO_ALL or one.name in _ELSEWHERE]


def runs() -> list[Run]:
    """Return all runs."""
    return [
        Run(scene.name, entry.name, seed)
        for scene in SCENES
        for entry in contenders(scene)
        for seed in SEEDS
    ]


def play(run: Run) -> PowerFigures:
    """Run a contender through a scene."""
    entry = next(one for one in CONTENDERS if one.name == run.contender)
    world = World(_SCENES[run.scene], entry, run.seed)
    world.run()
    return PowerFigures.of(world)


def play_all(processes: int, reported: Callable[[int, int], object]) -> Results:
    """Run everything in this many processes.

    `reported` is called with the number of finished runs and the total.
    """
    planned = runs()
    figures: dict[str, dict[str, list[PowerFigures]]] = defaultdict(lambda: defaultdict(list))
    with get_context("spawn").Pool(processes) as pool:
        for done, (run, found) in enumerate(
            zip(planned, pool.imap(play, planned), strict=True), start=1
        ):
            figures[run.scene][run.contender].append(found)
            reported(done, len(planned))
        bounds = {
            scene.name: pool.starmap(_bound_min, [(scene.name, seed) for seed in SEEDS])
            for scene in _OPEN_TO_ALL
        }
    return Results(figures, bounds)


def _bound_min(scene: str, seed: int) -> float:
    return rounded(bound_min(_SCENES[scene], seed))
