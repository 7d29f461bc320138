"""The report of the power scenes: the assertions, then a table per scene, a line per contender."""

from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import fmean, stdev

from benchmarks.harness.findings import assertion_table
from benchmarks.harness.tables import Figure, table
from benchmarks.simulation.power.assertions import ASSERTIONS, an_hour, bound_min, mean_min
from benchmarks.simulation.power.contenders import LEAST_LOADED, OURS
from benchmarks.simulation.power.figures import PowerFigures
from benchmarks.simulation.power.runs import SEEDS, Results
from benchmarks.simulation.power.scenes import CARRIED, MEASURED_H, SATURATIONS, SCENES

_CARRIED = ", ".join(f"{rate:g}" for rate in CARRIED.values())
_INTRODUCTION = f"""\
# Power that is shared, simulated

Written by `python -m benchmarks.simulation.power`; tests compare it with the code. The balancer's
own routing core runs under a virtual clock, as in [the other report](report.md), with the real
substation's model of points, limit and taper. Nothing is measured in real time. All times here are
the substations' own, 360 times those of the clock.

Vehicles arrive at random. Their energy, battery and state of charge are drawn together from a fit
of real fast-charging sessions, their maximum power from a mix ([how](../../docs/demand.md)).
Vehicles send all of it unless a scene says otherwise. Those that arrive between hours
{MEASURED_H[0]:g} and {MEASURED_H[1]:g} of a scene are measured. Figures are means of
{len(SEEDS)} draws of vehicles, the same for every contender in each draw; waits are the longest of
all draws. No vehicle is refused here: it waits as long as necessary. Load is relative to the
capacity of least-loaded: the vehicles that it charges in an hour while its queue never empties,
{_CARRIED} at the unlike, the equal and the unlimited substations.

The balancer runs with each of its policies; {OURS} is its default. *HAProxy's rule* is that of
its leastconn: an idle substation first, then the least (n + 1) / weight. It runs in the same
balancer, with one queue and exact counts, which is generous. The *lower bound* is a linear program:
each vehicle takes as long as it would alone at the best point, and no substation exceeds its power
limit or its number of points.

- mean: from a vehicle's arrival to charged, minutes
- / least-loaded: that mean over least-loaded's; ± the standard error of the ratios of the draws
- p95: one vehicle of 20 takes longer
- wait: mean time in the wait queue; longest: of any vehicle
- error: mean error of the predicted charging time, as a share of the real one
"""


def write(results: Results) -> str:
    """Return the report."""
    holds = assertion_table(ASSERTIONS, results)
    return "\n".join(
        [
            _INTRODUCTION,
            f"## What must hold for {OURS}\n",
            *holds,
            *_scenes(results),
            *_carried(results),
        ]
    )


_COLUMNS: Sequence[Figure[Sequence[PowerFigures]]] = (
    ("p95", lambda runs: f"{fmean(one.p95_min for one in runs):.0f}"),
    ("wait", lambda runs: f"{fmean(one.wait_min for one in runs):.1f}"),
    ("longest", lambda runs: f"{max(one.longest_wait_min for one in runs):.0f}"),
    ("error", lambda runs: _share(fmean(one.error for one in runs))),
    ("moved", lambda runs: f"{sum(one.moved for one in runs)}"),
    ("lost", lambda runs: f"{sum(one.lost for one in runs)}"),
    ("over limit, kW", lambda runs: f"{max(one.over_limit_kw for one in runs):g}"),
)


def _scenes(results: Results) -> Iterator[str]:
    for scene in SCENES:
        if scene in SATURATIONS:
            continue
        played = results.figures[scene.name]
        vehicles = sum(one.vehicles for one in played[OURS])
        yield f"## {scene.name}\n"
        yield f"{scene.story} {vehicles:,} vehicles.\n"
        rows = [_row(name, runs, played[LEAST_LOADED]) for name, runs in played.items()]
        if scene.name in results.bounds_min:
            bound, base = bound_min(results, scene), mean_min(results, scene, LEAST_LOADED)
            rows.append(
                ("lower bound", f"{bound:.1f}", f"{bound / base:.3f}", *"-" * len(_COLUMNS))
            )
        headings = [heading for heading, _ in _COLUMNS]
        yield from table(("", "mean", "/ least-loaded", *headings), rows)


def _row(name: str, runs: Sequence[PowerFigures], base: Sequence[PowerFigures]) -> tuple[str, ...]:
    ratios = [one.mean_min / other.mean_min for one, other in zip(runs, base, strict=True)]
    mean = fmean(one.mean_min for one in runs)
    ratio = mean / fmean(one.mean_min for one in base)
    spread = stdev(ratios) / sqrt(len(ratios))
    return (
        name,
        f"{mean:.1f}",
        f"{ratio:.3f} ± {spread:.3f}",
        *(show(runs) for _, show in _COLUMNS),
    )


def _carried(results: Results) -> Iterator[str]:
    yield "## Vehicles an hour\n"
    yield (
        "Charged in an hour while a line never ends, twice as many coming as any choice can have "
        "charged.\n"
    )
    names = list(results.figures[SATURATIONS[0].name])
    yield from table(
        ("", *(scene.name.partition(",")[0] for scene in SATURATIONS)),
        [
            (name, *(f"{an_hour(results, scene, name):.1f}" for scene in SATURATIONS))
            for name in names
        ],
    )


def _share(value: float) -> str:
    return f"{value:.1%}" if value else "-"
