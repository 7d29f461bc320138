"""The report: one table per scene, one line per contender."""

from collections.abc import Mapping, Sequence
from math import isfinite

from benchmarks.harness.findings import assertion_table
from benchmarks.harness.tables import Figure, by_row
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


def _columns(scene: Scene, best: Figures) -> Sequence[Figure[Figures]]:
    """Return what is shown of a contender in a scene, where the optimum is `best`."""
    return (
        ("lost", "{0.lost}".format),
        ("refused", "{0.refused}".format),
        ("avoidable", "{0.avoidable}".format),
        ("twice", "{0.charged_twice}".format),
        ("time mean", lambda one: _number(one.mean_s, 3)),
        ("p50", lambda one: _number(one.p50_s, 3)),
        ("p99", lambda one: _number(one.p99_s, 3)),
        ("x best", lambda one: _ratio(one, best)),
        ("gap mean", lambda one: _gap(scene, one.mean_gap, 2)),
        ("worst", lambda one: _gap(scene, one.worst_gap, 0)),
        ("spread", "{0.mean_spread:.1%}".format),
        ("idle", lambda one: _number(one.worst_idle_s, 3)),
        ("over", "{0.over_capacity}".format),
        ("full", "{0.full_answers}".format),
        ("moved", "{0.failovers}".format),
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
    holds = assertion_table(ASSERTIONS, results)
    return "\n".join([_INTRODUCTION, f"## What must hold for {OURS}\n", *holds, *scenes])


def section(scene: Scene, figures: Mapping[str, Figures]) -> str:
    """Return a scene's part of the report, with the figures of each contender by name."""
    best = figures[ALL_KNOWING.name]
    return "\n".join(
        [
            f"## {scene.name}\n",
            f"{scene.story} {best.vehicles} vehicles.\n",
            *by_row("", _columns(scene, best), figures.items()),
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
