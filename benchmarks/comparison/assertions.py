"""The assertions on this balancer's results in a benchmark. Pure."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.comparison.figures import Figures
from benchmarks.comparison.results import Results, SceneResult
from benchmarks.harness.findings import Finding

OURS = "ours"
# "No worse than a contender": within the random variation between runs of one contender.
SAME = 0.01
# Maximum distance from the all-knowing chooser, in scenes in which no substation fails.
NEAR_THE_LIMIT = 0.05
_NEAR_THE_LIMIT_IN = ("burst", "rush hour", "unequal substations")
# If different substations share power: mean time relative to HAProxy with the better weights.
OF_HAPROXY = 0.6
_HAPROXY = ("haproxy", "haproxy-limits")
# What must never happen, with a count of how often it did; independent of timing.
_NEVER: Sequence[tuple[str, Callable[[Figures], int]]] = (
    ("no vehicle is lost", lambda one: one.lost),
    ("no vehicle is refused while a point is free", lambda one: one.refused_while_free),
    ("no substation is over capacity", lambda one: one.over_capacity),
    ("no vehicle is charged twice", lambda one: one.charged_twice),
    (
        "no vehicle is sent to a full substation, where none come past the balancer",
        lambda one: 0 if one.bypass_vehicles else one.sent_to_full,
    ),
)


def findings(results: Results) -> list[Finding]:
    """Check this balancer; empty if it did not take part."""
    scenes = [scene for scene in results.scenes if OURS in scene.runs]
    if not scenes:
        return []
    return [
        *(_none(scenes, what, count) for what, count in _NEVER),
        *(_no_slower(scene) for scene in scenes),
        *(_near_the_limit(scene) for scene in scenes if scene.name in _NEAR_THE_LIMIT_IN),
        *(_of_haproxy(scene) for scene in scenes if scene.shares_power),
    ]


def is_flawed(figures: Figures) -> bool:
    """Return whether a run has an error that a busy machine does not excuse."""
    return any(count(figures) for _, count in _NEVER)


def _none(scenes: list[SceneResult], what: str, count: Callable[[Figures], int]) -> Finding:
    found = {scene.name: count(scene.runs[OURS].figures) for scene in scenes}
    some = ", ".join(f"{number} in {name}" for name, number in found.items() if number)
    return Finding(f"every scene: {what}", some or "0", not some)


def _no_slower(scene: SceneResult) -> Finding:
    ours = scene.runs[OURS].figures
    contenders = dict(_comparable(scene))
    faster = [key for key, ratio in contenders.items() if ours.ratio > ratio * (1 + SAME)]
    reported = faster or sorted(contenders, key=lambda key: contenders[key])[:1]
    against = (
        ", ".join(f"{key} {contenders[key]:.3f}" for key in reported) or "none that charged all"
    )
    return Finding(
        f"{scene.name}: mean time to charge no worse than any contender's (by {SAME:.0%})",
        f"{ours.ratio:.3f} against {against}",
        not faster and ours.charged_all,
        is_timed=True,
    )


def _comparable(scene: SceneResult) -> Iterator[tuple[str, float]]:
    """Yield the contenders that charged every vehicle: other times are not comparable."""
    for key, run in scene.runs.items():
        if key != OURS and run.figures.charged_all:
            yield key, run.figures.ratio


def _near_the_limit(scene: SceneResult) -> Finding:
    ratio = scene.runs[OURS].figures.ratio
    return Finding(
        f"{scene.name}: mean time to charge within {NEAR_THE_LIMIT:.0%} of the all-knowing chooser",
        f"{ratio:.3f}",
        ratio <= 1 + NEAR_THE_LIMIT,
        is_timed=True,
    )


def _of_haproxy(scene: SceneResult) -> Finding:
    ours = scene.runs[OURS].figures
    contenders = {key: ratio for key, ratio in _comparable(scene) if key in _HAPROXY}
    better = min(contenders, key=lambda key: contenders[key], default=None)
    share = ours.ratio / contenders[better] if better else 0.0
    against = f"{share:.3f} of {better}" if better else "none that charged all"
    return Finding(
        f"{scene.name}: mean time to charge at most {OF_HAPROXY:g} of the better HAProxy's",
        against,
        share <= OF_HAPROXY and ours.charged_all,
        is_timed=True,
    )
