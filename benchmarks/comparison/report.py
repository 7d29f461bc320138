"""The report: how to read it, the assertions, and one table per scene. Pure."""

from collections.abc import Callable, Iterator, Sequence

from benchmarks.comparison.assertions import findings
from benchmarks.comparison.figures import Figures
from benchmarks.comparison.results import ContenderRun, Results, SceneResult
from benchmarks.harness import machine
from benchmarks.harness.findings import finding_table
from benchmarks.harness.tables import Figure, by_row, table

_INTRODUCTION = """\
# Side by side

Written by `make bench` (`python -m benchmarks.comparison`). This balancer and others run one
after the other, with the same substations as real processes and the same vehicles at the same
moments. [docs/benchmark.md](../../docs/benchmark.md) describes the method and how each contender is
configured.
"""

_LEGEND = """\
- lost: vehicles that got no 200; *while free*: those of them that were refused although a point had
  been free for over 50 ms
- time: from when a vehicle was due until its response, for charged vehicles, relative to an
  all-knowing chooser simulated with the same vehicles; in brackets if some were lost, because the
  vehicles then differ
- where unlike substations share power the all-knowing chooser does not apply, because it balances
  load only: the mean is relative to a lower bound for any choice, and times are in the substations'
  minutes
- imbalance: difference between the fullest and the emptiest usable substation, in percentage points
  of their charging points: mean over time, and the worst tenth of a second
- to full: number of vehicles sent to a substation that had to turn them away
- over: maximum number of vehicles at a substation beyond its capacity (substations enforce it)
- twice: vehicles fully charged at two substations
- bypass vehicles: vehicles that bypass the balancer and found their substation full
"""

_Column = Figure[Figures]
_COLUMNS: Sequence[_Column] = (
    ("lost", lambda one: str(one.lost)),
    ("while free", lambda one: str(one.refused_while_free)),
    ("time mean", lambda one: _bracketed(one, one.ratio)),
)
_BESIDE_ALL_KNOWING: Sequence[_Column] = (
    ("p50", lambda one: _over(one, one.p50_s, one.limit.p50_s)),
    ("p99", lambda one: _over(one, one.p99_s, one.limit.p99_s)),
    ("imbalance", lambda one: f"{one.mean_imbalance * 100:.1f}"),
    ("worst", lambda one: f"{one.worst_imbalance * 100:.0f}"),
)
_AT_THE_SUBSTATIONS: Sequence[_Column] = (
    ("to full", lambda one: str(one.sent_to_full)),
    ("over", lambda one: str(one.over_capacity)),
    ("twice", lambda one: str(one.charged_twice)),
)
_BYPASS_VEHICLES: _Column = ("bypass vehicles", lambda one: str(one.bypass_vehicles_turned_away))


def write(results: Results) -> str:
    """Return the report."""
    return "\n".join(
        [
            _INTRODUCTION,
            *_circumstances(results),
            *overview(results),
            "## What must hold for this balancer\n",
            *finding_table("", findings(results)),
            "## How to read the tables\n",
            _LEGEND,
            *_scenes(results),
        ]
    )


def overview(results: Results) -> Iterator[str]:
    """Yield the main table: mean time over the limit, and vehicles lost."""
    yield "Mean time to charge relative to an all-knowing chooser (where unlike substations share"
    yield "power: to a lower bound), vehicles lost, and bypass vehicles: vehicles that bypass the"
    yield "balancer and found their substation full. -: not run, because it would equal another"
    yield "contender:\n"
    rows = [
        (
            entrant.name,
            *(_summed_up(scene.runs.get(entrant.key)) for scene in results.scenes),
        )
        for entrant in results.entrants
    ]
    yield from table(("", *(scene.name for scene in results.scenes)), rows)


def _circumstances(results: Results) -> Iterator[str]:
    yield (
        f"{machine.sentence(results.machine)} {'A quick run' if results.quick else 'A full run'}, "
        f"{results.took_s / 60:.1f} minutes, seed {results.seed}.\n"
    )
    yield from table(
        ("contender", "version"), [(entrant.name, entrant.version) for entrant in results.entrants]
    )
    shares = [run.figures.others_share for scene in results.scenes for run in scene.runs.values()]
    if None not in shares:
        most = max((share for share in shares if share is not None), default=0.0)
        yield f"Others used at most {most:.0%} of the machine's processors during a run.\n"
    for name, why in results.skipped.items():
        yield f"Skipped: {name}, because {why}.\n"


def _scenes(results: Results) -> Iterator[str]:
    for scene in results.scenes:
        yield f"## {scene.name}\n"
        yield f"{scene.story} {_limit(scene)}\n"
        figures = {key: run.figures for key, run in scene.runs.items()}
        columns = [
            *_COLUMNS,
            *(_in_minutes(scene) if scene.shares_power else _BESIDE_ALL_KNOWING),
            *_AT_THE_SUBSTATIONS,
        ]
        if any(one.bypass_vehicles for one in figures.values()):
            columns.append(_BYPASS_VEHICLES)
        entrants = [one for one in results.entrants if one.key in figures]
        yield from by_row("", columns, [(one.name, figures[one.key]) for one in entrants])


def _in_minutes(scene: SceneResult) -> Sequence[_Column]:
    def column(heading: str, measure: Callable[[Figures], float]) -> _Column:
        return heading, lambda one: _bracketed(one, scene.minutes(measure(one)), digits=1)

    return (
        column("mean, minutes", lambda one: one.mean_s),
        column("p50", lambda one: one.p50_s),
        column("p99", lambda one: one.p99_s),
    )


def _limit(scene: SceneResult) -> str:
    figures = next(iter(scene.runs.values())).figures
    best = figures.limit
    points = ", ".join(str(points) for points in scene.capacities)
    reported = f"{figures.vehicles} vehicles; points: {points}."
    if best.p50_s is None or best.p99_s is None or best.imbalance is None:
        return f"{reported} Lower bound: mean {scene.minutes(best.mean_s):.1f} minutes."
    return (
        f"{reported} The all-knowing chooser: mean "
        f"{best.mean_s:.2f} s, p50 {best.p50_s:.2f} s, p99 {best.p99_s:.2f} s, imbalance "
        f"{best.imbalance * 100:.1f}."
    )


def _bracketed(figures: Figures, value: float, digits: int = 3) -> str:
    text = f"{value:.{digits}f}"
    return text if figures.charged_all else f"({text})"


def _over(figures: Figures, value: float, limit: float | None) -> str:
    return _bracketed(figures, value / limit) if limit else "-"


def _summed_up(run: ContenderRun | None) -> str:
    if run is None:
        return "-"
    figures = run.figures
    text = _bracketed(figures, figures.ratio)
    if figures.lost:
        text += f", {figures.lost} lost"
    if figures.bypass_vehicles_turned_away:
        text += f", {figures.bypass_vehicles_turned_away} bypass vehicles"
    return text
