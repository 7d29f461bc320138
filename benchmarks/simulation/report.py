"""The report: one table per scene, one line per contender."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite

from benchmarks.harness.tables import table
from benchmarks.simulation.assertions import ASSERTIONS, OURS, Results
from benchmarks.simulation.contenders import ALL_KNOWING, CONTENDERS
from benchmarks.simulation.figures import Figures
from benchmarks.simulation.scenes import SCENES, Scene
from benchmarks.simulation.world import World

_INTRODUCTION = """\
# Routing, simulated

Written by `python -m benchmarks.simulation`. A test compares it with the code, so a change of
behaviour shows here. Nothing is measured in real time. The balancer's own routing core (pool,
substations, policies, retry budget, directory of names) runs under a virtual clock. Messages take
0.5 to 2 ms each, and substations have real admission. Each contender gets the same vehicles.

The first five contenders are the balancer with each of its policies; earliest-finish is its
default. All points here give the same power and no substation has a limit below the sum of its
points, so earliest-finish chooses as least-loaded does.
*gauge only* takes the substation with the lowest gauge at the last poll. *gauge + sent* adds what
it has sent there since. Neither has a wait queue, so a vehicle that finds every substation full is
refused. The two *all-knowing* choosers see every substation at every moment, have one queue and no
message delays. They are the optimum, and times are compared with *shortest delay*.

- time: from a vehicle's arrival until it is told that it is charged, s; charged vehicles only
- x best: the mean time relative to the all-knowing chooser with the same arrivals; - if a contender
  lost or refused over 1% more of them, because it then charged other vehicles
- avoidable: refused although a point had been free for over 10 ms
- gap: between the most and the least loaded substation, in vehicles; - if substations are not alike
- spread: the same with each load as a share of its substation's capacity, mean over time
- idle: longest time that a point was free while a vehicle waited, s
- over: maximum number of vehicles at a substation beyond its capacity
- full: responses of a substation that it is full after all (the vehicle is dispatched again)
- moved: vehicles sent elsewhere because their substation failed
"""

# Times are compared if at most this share of the vehicles was charged by only one of the two.
_COMPARABLE = 0.01

_COLUMNS: Sequence[tuple[str, Callable[[Scene, Figures, Figures], str]]] = (
    ("lost", lambda _scene, one, _best: str(one.lost)),
    ("refused", lambda _scene, one, _best: str(one.refused)),
    ("avoidable", lambda _scene, one, _best: str(one.avoidable)),
    ("twice", lambda _scene, one, _best: str(one.charged_twice)),
    ("time mean", lambda _scene, one, _best: _number(one.mean_s, 3)),
    ("p50", lambda _scene, one, _best: _number(one.p50_s, 3)),
    ("p99", lambda _scene, one, _best: _number(one.p99_s, 3)),
    ("x best", lambda _scene, one, best: _ratio(one, best)),
    ("gap mean", lambda scene, one, _best: _gap(scene, one.mean_gap, 2)),
    ("worst", lambda scene, one, _best: _gap(scene, one.worst_gap, 0)),
    ("spread", lambda _scene, one, _best: f"{one.mean_spread:.1%}"),
    ("idle", lambda _scene, one, _best: _number(one.worst_idle_s, 3)),
    ("over", lambda _scene, one, _best: str(one.over_capacity)),
    ("full", lambda _scene, one, _best: str(one.full_answers)),
    ("moved", lambda _scene, one, _best: str(one.failovers)),
)


def play_all() -> Results:
    """Run every contender through every scene."""
    return {
        scene.name: {entry.name: World(scene, entry).run() for entry in CONTENDERS}
        for scene in SCENES
    }


def write(results: Results) -> str:
    """Return the report."""
    scenes = (section(scene, results[scene.name]) for scene in SCENES)
    return "\n".join([_INTRODUCTION, *_assertions(results), *scenes])


def _assertions(results: Results) -> Iterator[str]:
    yield f"## What must hold for {OURS}\n"
    rows = [
        (
            assertion.words,
            f"{assertion.limit:g}",
            f"{assertion.figure(results):.3f}",
            "yes" if assertion.is_kept(results) else "NO",
        )
        for assertion in ASSERTIONS
    ]
    yield from table(("figure", "at most", "is", "holds"), rows)


def section(scene: Scene, figures: Mapping[str, Figures]) -> str:
    """Return a scene's part of the report, with the figures of each contender by name."""
    best = figures[ALL_KNOWING.name]
    rows = [
        (name, *(show(scene, one, best) for _, show in _COLUMNS)) for name, one in figures.items()
    ]
    return "\n".join(
        [
            f"## {scene.name}\n",
            f"{scene.story} {best.vehicles} vehicles.\n",
            *table(("", *(heading for heading, _ in _COLUMNS)), rows),
        ]
    )


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if isfinite(value) else "-"


def _gap(scene: Scene, value: float, digits: int) -> str:
    return _number(value, digits) if scene.has_equal_substations else "-"


def _ratio(one: Figures, best: Figures) -> str:
    missing = (one.lost + one.refused) - (best.lost + best.refused)
    if missing > _COMPARABLE * one.vehicles:
        return "-"
    return _number(one.mean_s / best.mean_s, 3)
