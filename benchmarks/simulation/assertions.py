"""The assertions on the balancer's default policy in the simulation, with their limits."""

from collections.abc import Callable, Mapping

from benchmarks.harness.findings import Assertion
from benchmarks.simulation.contenders import ALL_KNOWING
from benchmarks.simulation.figures import Figures
from benchmarks.simulation.scenes import SCENES, STALE, STALE_IN_STEP, STALE_THREE, UNEQUAL
from load_balancer.routing.policies import DEFAULT_POLICY

OURS = DEFAULT_POLICY
Results = Mapping[str, Mapping[str, Figures]]  # by scene, then by contender


def _gap(scene: str) -> Callable[[Results], float]:
    return lambda results: results[scene][OURS].mean_gap


def _ratio(scene: str) -> Callable[[Results], float]:
    def ratio(results: Results) -> float:
        return results[scene][OURS].mean_s / results[scene][ALL_KNOWING.name].mean_s

    return ratio


def _worst(measure: Callable[[Figures], float]) -> Callable[[Results], float]:
    return lambda results: max(measure(figures[OURS]) for figures in results.values())


def _idle(results: Results) -> float:
    scenes = [scene.name for scene in SCENES if not scene.has_a_return]
    return max(results[scene][OURS].worst_idle_s for scene in scenes)


ASSERTIONS: tuple[Assertion[Results], ...] = (
    Assertion("stale gauge: mean gap, vehicles", 1.7, _gap(STALE.name)),
    Assertion("stale gauge, three balancers: mean gap, vehicles", 1.7, _gap(STALE_THREE.name)),
    Assertion("stale gauge, three in step: mean gap, vehicles", 1.7, _gap(STALE_IN_STEP.name)),
    Assertion("unequal substations: mean time to charge / all-knowing", 1.05, _ratio(UNEQUAL.name)),
    Assertion("every scene: vehicles lost", 0, _worst(lambda one: one.lost)),
    Assertion("every scene: avoidable refusals", 0, _worst(lambda one: one.avoidable)),
    Assertion("every scene: vehicles over capacity", 0, _worst(lambda one: one.over_capacity)),
    Assertion("every scene: vehicles charged twice", 0, _worst(lambda one: one.charged_twice)),
    Assertion(
        "no substation coming back: a point free beside a waiting vehicle, s",
        0.6,
        _idle,
    ),
)
