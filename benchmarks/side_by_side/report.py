"""The report: how to read it, what holds, and one table a scene. Pure."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.side_by_side.figures import Figures
from benchmarks.side_by_side.results import Results, SceneResult
from benchmarks.side_by_side.verdict import findings
from benchmarks.tables import table

_INTRODUCTION = """\
# Side by side

Written by `make bench` (`python -m benchmarks.side_by_side`). The same substations as real
processes, the same vehicles at the same moments; one after the other this balancer and others take
the balancer's place. How it is done, how each rival is set up and why:
[docs/benchmark.md](../../docs/benchmark.md).
"""

_LEGEND = """\
- lost: vehicles that got no 200; *while free*: of those, told no though a point had been free for
  over 50 ms
- time: from when a vehicle was due to word that it is charged, of those charged, over that of an
  all-knowing chooser simulated on the same vehicles; in brackets where some were lost, for then it
  is the time of other vehicles
- imbalance: between the fullest and the emptiest usable site, in percentage points of their
  charging points: mean over time, and the worst tenth of a second
- to full: times that a vehicle was sent to a site that had to turn it away
- over: most vehicles at a site beyond its capacity (the sites guard it themselves)
- twice: vehicles charged to the end at two sites
- strangers: vehicles that came past the balancer and found their site full
"""

_Column = tuple[str, Callable[[Figures], str]]
_COLUMNS: Sequence[_Column] = (
    ("lost", lambda one: str(one.lost)),
    ("while free", lambda one: str(one.refused_while_free)),
    ("time mean", lambda one: _bracketed(one, one.ratio)),
    ("p50", lambda one: _bracketed(one, one.p50_s / one.limit.p50_s)),
    ("p99", lambda one: _bracketed(one, one.p99_s / one.limit.p99_s)),
    ("imbalance", lambda one: f"{one.mean_imbalance * 100:.1f}"),
    ("worst", lambda one: f"{one.worst_imbalance * 100:.0f}"),
    ("to full", lambda one: str(one.sent_to_full)),
    ("over", lambda one: str(one.over_capacity)),
    ("twice", lambda one: str(one.charged_twice)),
)
_STRANGERS: _Column = ("strangers", lambda one: str(one.strangers_turned_away))


def write(results: Results) -> str:
    """Write the report."""
    return "\n".join(
        [
            _INTRODUCTION,
            *_circumstances(results),
            *overview(results),
            *_verdict(results),
            "## How to read the tables\n",
            _LEGEND,
            *_scenes(results),
        ]
    )


def overview(results: Results) -> Iterator[str]:
    """Lay out the one table that says most: mean time over the limit, and vehicles lost."""
    yield "Mean time to charge over that of an all-knowing chooser; vehicles lost; strangers, who"
    yield "come past the balancer, that found their site full:\n"
    rows = [
        (
            entrant.name,
            *(_summed_up(scene.runs[entrant.key].figures) for scene in results.scenes),
        )
        for entrant in results.entrants
    ]
    yield from table(("", *(scene.name for scene in results.scenes)), rows)


def _circumstances(results: Results) -> Iterator[str]:
    machine = results.machine
    yield (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}; "
        f"{machine['system']}; Python {machine['python']}. "
        f"{'A quick run' if results.quick else 'A full run'}, "
        f"{results.took_s / 60:.1f} minutes, seed {results.seed}.\n"
    )
    yield from table(
        ("rival", "version"), [(entrant.name, entrant.version) for entrant in results.entrants]
    )
    shares = [run.figures.others_share for scene in results.scenes for run in scene.runs.values()]
    if None not in shares:
        most = max((share for share in shares if share is not None), default=0.0)
        yield f"Others used at most {most:.0%} of the machine's processors during a run.\n"
    for name, why in results.skipped.items():
        yield f"Skipped: {name}, because {why}.\n"


def _verdict(results: Results) -> Iterator[str]:
    yield "## What must hold for this balancer\n"
    rows = [(one.words, one.evidence, "yes" if one.kept else "**NO**") for one in findings(results)]
    yield from table(("", "is", "holds"), rows)


def _scenes(results: Results) -> Iterator[str]:
    for scene in results.scenes:
        yield f"## {scene.name}\n"
        yield f"{scene.story} {_limit(scene)}\n"
        figures = {key: run.figures for key, run in scene.runs.items()}
        columns = list(_COLUMNS)
        if any(one.strangers for one in figures.values()):
            columns.append(_STRANGERS)
        yield from table(
            ("", *(heading for heading, _ in columns)),
            [
                (entrant.name, *(show(figures[entrant.key]) for _, show in columns))
                for entrant in results.entrants
            ],
        )


def _limit(scene: SceneResult) -> str:
    figures = next(iter(scene.runs.values())).figures
    best = figures.limit
    points = ", ".join(str(points) for points in scene.capacities)
    return (
        f"{figures.vehicles} vehicles; points: {points}. The all-knowing chooser: mean "
        f"{best.mean_s:.2f} s, p50 {best.p50_s:.2f} s, p99 {best.p99_s:.2f} s, imbalance "
        f"{best.imbalance * 100:.1f}."
    )


def _bracketed(figures: Figures, value: float) -> str:
    return f"{value:.3f}" if figures.charged_all else f"({value:.3f})"


def _summed_up(figures: Figures) -> str:
    text = _bracketed(figures, figures.ratio)
    if figures.lost:
        text += f", {figures.lost} lost"
    if figures.strangers_turned_away:
        text += f", {figures.strangers_turned_away} strangers"
    return text
