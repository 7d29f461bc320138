"""The chart: each part's memory over time, with its starts. Pure."""

from collections.abc import Iterator

from benchmarks.harness.svg import frame, picture
from benchmarks.soak.results import Results
from load_tester.report.svg import box, polyline, text

_LEFT, _WIDTH, _HEIGHT, _GAP, _TOP = 190, 680, 56, 18, 58
_MIB = 1 << 20
_STEP_MIB = 10


def draw(results: Results) -> str:
    """Draw a panel for each part, and the times of the faults below them."""
    bottom = _TOP + len(results.parts) * (_HEIGHT + _GAP)
    parts = [
        text(8, 20, "Resident memory of each part, MiB", "bold"),
        text(8, 38, "a line for each start; bars: faults; grey: the second half", "small"),
    ]
    for row, part in enumerate(results.parts):
        parts.extend(_panel(results, part, _TOP + row * (_HEIGHT + _GAP)))
    minutes = max(1, round(results.minutes / 10))
    parts += [
        text(_x(results, minute * 60), bottom + 8, f"{minute} min", "small middle")
        for minute in range(0, int(results.minutes) + 1, minutes)
    ]
    return picture(_LEFT + _WIDTH + 20, bottom + 20, "memory of each part over time", parts)


def _scale(results: Results) -> tuple[int, int]:
    """Return the lowest and highest MiB to draw, the same for every part."""
    seen = [sample.memory for life in results.lives for sample in life.samples] or [0]
    step = _STEP_MIB * _MIB
    return min(seen) // step * _STEP_MIB, (max(seen) // step + 1) * _STEP_MIB


def _panel(results: Results, part: str, top: float) -> Iterator[str]:
    low, high = _scale(results)
    half = _x(results, results.seconds / 2)
    yield box(half, top, _LEFT + _WIDTH - half, _HEIGHT, "away")
    for one in results.injected:
        if one.inject.target == part:
            yield box(_x(results, one.began - results.began), top + _HEIGHT - 5, 2, 5, "lost")
    yield text(8, top + 20, part)
    yield from frame(_LEFT, top, _WIDTH, _HEIGHT, f"{low}", f"{high}")
    for life in results.lives:
        if life.part == part:
            points = (
                (_x(results, at_s), top + _HEIGHT * (high - memory / _MIB) / (high - low))
                for at_s, memory, *_ in life.between(0, results.seconds)
            )
            yield polyline(points, "line s0")


def _x(results: Results, at_s: float) -> float:
    return _LEFT + _WIDTH * min(1.0, max(0.0, at_s / results.seconds))
