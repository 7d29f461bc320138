"""What the default policy has to achieve in the power scenes: figures with their limits."""

from collections.abc import Callable
from statistics import fmean

from benchmarks.harness.findings import Assertion
from benchmarks.simulation.power.contenders import HAPROXY_LIMITS, LEAST_LOADED, OURS
from benchmarks.simulation.power.figures import PowerFigures
from benchmarks.simulation.power.runs import Results
from benchmarks.simulation.power.scenes import (
    EQUAL_95,
    FRESH,
    MISREPORTS,
    SATURATED,
    SATURATIONS,
    STALE,
    UNLIKE_80,
    UNLIKE_95,
    UNLIMITED_95,
)
from benchmarks.simulation.scenes import Scene

_HAPROXY = HAPROXY_LIMITS.name


def mean_min(results: Results, scene: Scene, contender: str) -> float:
    """Return the mean time from arrival to charged, minutes, over all draws."""
    return fmean(one.mean_min for one in results.figures[scene.name][contender])


def bound_min(results: Results, scene: Scene) -> float:
    """Return the lower bound of the mean time, minutes, over all draws."""
    return fmean(results.bounds_min[scene.name])


def an_hour(results: Results, scene: Scene, contender: str) -> float:
    """Return the number of vehicles charged per hour, over all draws."""
    return fmean(one.charged_an_hour for one in results.figures[scene.name][contender])


def _over(scene: Scene, other: str) -> Callable[[Results], float]:
    return lambda results: mean_min(results, scene, OURS) / mean_min(results, scene, other)


def _over_bound(scene: Scene) -> Callable[[Results], float]:
    return lambda results: mean_min(results, scene, OURS) / bound_min(results, scene)


def _error(scene: Scene) -> Callable[[Results], float]:
    return lambda results: 100 * fmean(one.error for one in results.figures[scene.name][OURS])


def _worst(scene: Scene, measure: Callable[[PowerFigures], float]) -> Callable[[Results], float]:
    return lambda results: max(map(measure, results.figures[scene.name][OURS]))


def _worst_of_all(measure: Callable[[PowerFigures], float]) -> Callable[[Results], float]:
    saturated = {scene.name for scene in SATURATIONS}
    return lambda results: max(
        measure(one)
        for scene, played in results.figures.items()
        if scene not in saturated
        for one in played[OURS]
    )


ASSERTIONS: tuple[Assertion[Results], ...] = (
    Assertion(
        "unlike substations, 80%: mean time / least-loaded", 0.42, _over(UNLIKE_80, LEAST_LOADED)
    ),
    Assertion(
        "unlike substations, 95%: mean time / least-loaded", 0.37, _over(UNLIKE_95, LEAST_LOADED)
    ),
    Assertion(
        "unlike substations, 80%: mean time / HAProxy's rule, limits",
        0.56,
        _over(UNLIKE_80, _HAPROXY),
    ),
    Assertion(
        "unlike substations, 95%: mean time / HAProxy's rule, limits",
        0.42,
        _over(UNLIKE_95, _HAPROXY),
    ),
    Assertion("unlike substations, 80%: mean time / lower bound", 1.06, _over_bound(UNLIKE_80)),
    Assertion("unlike substations, 95%: mean time / lower bound", 1.10, _over_bound(UNLIKE_95)),
    Assertion(
        "unlike substations: vehicles an hour / least-loaded",
        1.40,
        lambda results: (
            an_hour(results, SATURATED, OURS) / an_hour(results, SATURATED, LEAST_LOADED)
        ),
        at_least=True,
    ),
    Assertion(
        "equal substations with a limit, 95%: mean time / least-loaded",
        0.95,
        _over(EQUAL_95, LEAST_LOADED),
    ),
    Assertion(
        "equal substations without a limit: mean time / least-loaded",
        1,
        _over(UNLIMITED_95, LEAST_LOADED),
    ),
    Assertion("unlike substations, 80%: mean error of the predicted time, %", 1, _error(UNLIKE_80)),
    Assertion(
        "unlike substations, 95%: mean error of the predicted time, %", 1.5, _error(UNLIKE_95)
    ),
    Assertion("equal substations with a limit, 95%: mean error, %", 10, _error(EQUAL_95)),
    Assertion(
        "foreign load: mean time, stale / fresh gauges",
        1.10,
        lambda results: mean_min(results, STALE, OURS) / mean_min(results, FRESH, OURS),
    ),
    Assertion("misreports: mean time / least-loaded", 0.40, _over(MISREPORTS, LEAST_LOADED)),
    Assertion(
        "unlike substations, 95%: longest wait, minutes",
        35,
        _worst(UNLIKE_95, lambda one: one.longest_wait_min),
    ),
    Assertion(
        "every scene: power over a limit, kW", 0, _worst_of_all(lambda one: one.over_limit_kw)
    ),
    Assertion("every scene: vehicles lost", 0, _worst_of_all(lambda one: one.lost)),
    Assertion("every scene: vehicles refused", 0, _worst_of_all(lambda one: one.refused)),
)
