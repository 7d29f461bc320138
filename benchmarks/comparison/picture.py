"""The charts, as SVG with a light and a dark style. Pure."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from benchmarks.comparison.figures import Figures
from benchmarks.comparison.results import ContenderRun, Results, SceneResult
from benchmarks.harness.svg import frame, picture
from load_tester.report.svg import box, polyline, text

_SUBSTATION_STYLES = 4

# Dimensions of the overview.
_NAME_WIDTH, _CELL_WIDTH, _CELL_HEIGHT, _GAP, _HEAD = 210, 112, 52, 6, 84
# Excess over the limit at which a bar of the overview is full.
_FULL_BAR = 0.25

# Dimensions of a scene's loads.
_PANEL_LEFT, _PANEL_WIDTH, _PANEL_HEIGHT, _PANEL_GAP = 250, 620, 58, 16


def pictures(results: Results) -> Iterator[tuple[str, str]]:
    """Yield an overview, and the loads of scenes with different substations or with faults."""
    yield "overview", overview(results)
    for scene in results.scenes:
        if scene.shares_power or any(_has_a_story(run) for run in scene.runs.values()):
            yield scene.name, loads(scene, results)


def _has_a_story(run: ContenderRun) -> bool:
    return bool(run.figures.bypass_vehicles) or any(None in substation for substation in run.loads)


def overview(results: Results) -> str:
    """Draw a cell for each contender and scene: time over the limit, and vehicles lost."""
    width = _NAME_WIDTH + len(results.scenes) * (_CELL_WIDTH + _GAP)
    height = _HEAD + len(results.entrants) * (_CELL_HEIGHT + _GAP) + 4
    parts = [
        text(8, 20, "Mean time to charge over an all-knowing chooser's, vehicles lost,", "bold"),
        text(
            8, 38, "and vehicles that bypass the balancer turned away by a full substation", "bold"
        ),
    ]
    if any(scene.shares_power for scene in results.scenes):
        words = "Unlike substations: over a lower bound, as the choice is by power"
        parts.append(text(8, 56, words, "small"))
    for column, scene in enumerate(results.scenes):
        x = _NAME_WIDTH + column * (_CELL_WIDTH + _GAP) + _CELL_WIDTH / 2
        parts.append(text(x, _HEAD - 12, scene.name, "middle"))
    for row, entrant in enumerate(results.entrants):
        y = _HEAD + row * (_CELL_HEIGHT + _GAP)
        style = "bold" if row == 0 else ""
        parts.append(text(8, y + _CELL_HEIGHT / 2 + 5, entrant.name, style))
        for column, scene in enumerate(results.scenes):
            x = _NAME_WIDTH + column * (_CELL_WIDTH + _GAP)
            title = f"{entrant.name}, {scene.name}"
            if run := scene.runs.get(entrant.key):
                parts.extend(_cell(x, y, title, run.figures))
    return picture(width, height, "time to charge and vehicles lost, by contender and scene", parts)


def _cell(x: float, y: float, title: str, figures: Figures) -> Iterator[str]:
    ratio = f"{figures.ratio:.3f}"
    yield "<g>"
    yield f"<title>{escape(title)}: {ratio} of the limit, {figures.lost} lost</title>"
    yield box(x, y, _CELL_WIDTH, _CELL_HEIGHT, "bad" if figures.lost else "cell")
    middle = x + _CELL_WIDTH / 2
    if figures.charged_all:
        yield text(middle, y + 24, ratio, "middle")
        away = figures.bypass_vehicles_turned_away
        yield text(middle, y + 39, f"{away} bypass vehicles" if away else "0 lost", "small middle")
        share = min(1.0, max(0.0, figures.ratio - 1) / _FULL_BAR)
        yield box(x, y + _CELL_HEIGHT - 5, _CELL_WIDTH * share, 5, "time")
    else:
        yield text(middle, y + 24, f"{figures.lost} lost", "bold middle")
        yield text(middle, y + 39, f"of {figures.vehicles}", "small middle")
        share = figures.lost / figures.vehicles
        yield box(x, y + _CELL_HEIGHT - 5, _CELL_WIDTH * share, 5, "lost")
    yield "</g>"


def loads(scene: SceneResult, results: Results) -> str:
    """Draw how full each substation was over time, for each contender."""
    steps = max(len(substation) for run in scene.runs.values() for substation in run.loads)
    width = _PANEL_LEFT + _PANEL_WIDTH + 20
    entrants = [entrant for entrant in results.entrants if entrant.key in scene.runs]
    height = 66 + len(entrants) * (_PANEL_HEIGHT + _PANEL_GAP) + 14
    parts = [text(8, 20, f"{scene.name}: taken points of each substation", "bold"), *_legend(scene)]
    for row, entrant in enumerate(entrants):
        top = 66 + row * (_PANEL_HEIGHT + _PANEL_GAP)
        run = scene.runs[entrant.key]
        figures = run.figures
        parts.append(text(8, top + 18, entrant.name, "bold" if row == 0 else ""))
        reported = f"{figures.lost} lost, sent to full {figures.sent_to_full}"
        parts.append(text(8, top + 35, reported, "small"))
        if figures.bypass_vehicles:
            reported = f"bypass vehicles turned away {figures.bypass_vehicles_turned_away}"
            parts.append(text(8, top + 50, reported, "small"))
        parts.extend(_panel(scene, run, top, steps))
    bottom = 66 + len(entrants) * (_PANEL_HEIGHT + _PANEL_GAP) - 2
    every = max(1, round(2 / results.step_s))
    for step in range(0, steps + 1, every):
        x = _PANEL_LEFT + _PANEL_WIDTH * step / steps
        parts.append(text(x, bottom + 6, f"{step * results.step_s:.0f} s", "small middle"))
    return picture(width, height, f"{scene.name}: taken points of each substation over time", parts)


def _legend(scene: SceneResult) -> Iterator[str]:
    x = float(_PANEL_LEFT)
    for number, (name, points) in enumerate(
        zip(scene.substation_names, scene.capacities, strict=True)
    ):
        style = f"line s{number % _SUBSTATION_STYLES}"
        yield f'<path class="{style}" d="M{x:g} 42h22"/>'
        yield text(x + 28, 46, f"{name}, {points} points", "small")
        x += 150
    yield text(x, 46, "grey: it is away", "small")


def _panel(scene: SceneResult, run: ContenderRun, top: float, steps: int) -> Iterator[str]:
    for substation in run.loads:
        for begin, end in _stretches(substation, away=True):
            x = _PANEL_LEFT + _PANEL_WIDTH * begin / steps
            yield box(x, top, _PANEL_WIDTH * (end - begin) / steps, _PANEL_HEIGHT, "away")
    yield from frame(_PANEL_LEFT, top, _PANEL_WIDTH, _PANEL_HEIGHT, "0", "100%")
    for number, (substation, points) in enumerate(zip(run.loads, scene.capacities, strict=True)):
        for begin, end in _stretches(substation, away=False):
            path = (
                (
                    _PANEL_LEFT + _PANEL_WIDTH * step / steps,
                    top + _PANEL_HEIGHT * (1 - (substation[step] or 0) / points),
                )
                for step in range(begin, end)
            )
            yield polyline(path, f"line s{number % _SUBSTATION_STYLES}")


def _stretches(substation: Sequence[int | None], *, away: bool) -> Iterator[tuple[int, int]]:
    """Yield the periods (first step, step after the last) with a substation away, or not."""
    for is_away, group in groupby(enumerate(substation), key=lambda pair: pair[1] is None):
        steps = [step for step, _ in group]
        if is_away is away:
            yield steps[0], steps[-1] + 1
