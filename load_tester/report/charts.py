"""The report's charts, as SVG. Pure; the page's style sheet sets the colours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from load_tester.report.svg import box, line, svg, text

_WIDTH = 960
_LEFT, _RIGHT = 150, 44  # space for names on the left, for a scale on the right
_INNER = _WIDTH - _LEFT - _RIGHT
_STRIP, _GAP, _AXIS = 58, 14, 26
_TICKS = 8
_LABEL = 82  # space for a mark's label


@dataclass(frozen=True, slots=True)
class Strip:
    """One curve over time, with values at equal intervals."""

    name: str
    caption: str
    values: Sequence[float]
    kind: str  # CSS class: arrivals, load, waiting
    limit: float | None = None  # drawn as a dashed line, for example a capacity


def nice_ceiling(value: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def _names(y: float, name: str, caption: str) -> list[str]:
    """Write a name and a caption below it, left of the chart."""
    x = _LEFT - 12
    return [text(x, y, name, "name end"), text(x, y + 16, caption, "tick end")]


def _time_axis(end: float, bottom: float) -> list[str]:
    step = nice_ceiling(end / _TICKS)
    parts = []
    for index in range(int(end / step + 1e-9) + 1):
        x = _LEFT + _INNER * index * step / end
        parts.append(line(x, 0, x, bottom, "grid"))
        parts.append(text(x, bottom + 17, f"{index * step:g} s", "tick middle"))
    return parts


def timeline(strips: Sequence[Strip], end: float) -> str:
    """Draw strips below each other over the same time, 0 to `end` seconds."""
    end = max(end, 1e-3)
    bottom = len(strips) * (_STRIP + _GAP)
    parts = _time_axis(end, bottom)
    for index, strip in enumerate(strips):
        parts.extend(_strip(strip, _GAP / 2 + index * (_STRIP + _GAP)))
    return svg(_WIDTH, bottom + _AXIS, "arrivals and load by substation over time", parts)


def _strip(strip: Strip, top: float) -> list[str]:
    scale = max([*strip.values, strip.limit or 0.0]) or 1.0
    base, right = top + _STRIP, _LEFT + _INNER
    width = _INNER / max(1, len(strip.values))
    points = [f"{_LEFT:.1f},{base:.1f}"]
    for index, value in enumerate(strip.values):
        y = base - _STRIP * value / scale
        points += [f"{_LEFT + edge * width:.1f},{y:.1f}" for edge in (index, index + 1)]
    points.append(f"{right:.1f},{base:.1f}")
    parts = [
        line(_LEFT, base, right, base, "base"),
        f'<polygon points="{" ".join(points)}" class="{escape(strip.kind)}">'
        f"<title>{escape(strip.name)}: {escape(strip.caption)}</title></polygon>",
        *_names(top + _STRIP / 2 - 2, strip.name, strip.caption),
    ]
    if strip.limit is not None:
        y = base - _STRIP * strip.limit / scale
        parts.append(line(_LEFT, y, right, y, "limit"))
        parts.append(text(right + 6, y + 4, f"{strip.limit:g}", "tick"))
    return parts


def histogram(values: Sequence[float], marks: Mapping[str, float], label: str, bins: int) -> str:
    """Draw a histogram of `values` (seconds) with named marks such as percentiles."""
    height, top = 190, 34
    end = max([*values, 1e-3]) * (1 + 1e-9)
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(bins * value / end))] += 1
    most, width, step = max(counts) or 1, _INNER / bins, end / bins
    parts = _time_axis(end, height)
    for index, count in enumerate(counts):
        if count:
            tall = (height - top) * count / most
            left = _LEFT + index * width + 0.5
            title = f"{count:,} vehicles from {index * step:.3g} to {(index + 1) * step:.3g} s"
            parts.append(box(left, height - tall, width - 1, tall, "load", title))
    parts.append(line(_LEFT, height, _LEFT + _INNER, height, "base"))
    parts.extend(_names(height / 2, label, f"at most {most:,} a bar"))
    parts.extend(_marks(marks, end, height))
    return svg(_WIDTH, height + _AXIS, label, parts)


def _marks(marks: Mapping[str, float], end: float, height: float) -> list[str]:
    """Draw marks; a label that would touch another is moved one line down."""
    parts = []
    rows: list[float] = []  # the right end of each line's last label
    for name, value in sorted(marks.items(), key=lambda item: item[1]):
        x = _LEFT + _INNER * min(1.0, value / end)
        before = x + _LABEL > _WIDTH
        left = x - _LABEL if before else x
        row = next((row for row, used in enumerate(rows) if used <= left), len(rows))
        rows[row : row + 1] = [left + _LABEL]
        y = 4 + 13 * row
        parts.append(line(x, y, x, height, "mark"))
        style, shift = ("marked end", -5) if before else ("marked", 5)
        parts.append(text(x + shift, y + 9, f"{name} {value:.2f} s", style))
    return parts


@dataclass(frozen=True, slots=True)
class Share:
    """A substation's share of the vehicles, and of the grid's capacity if known. 0 to 1."""

    name: str
    vehicles: int
    share: float
    of_capacity: float | None


def share_bars(shares: Sequence[Share]) -> str:
    """Draw each substation's share of the vehicles, with a mark at its share of the capacity."""
    height, inner = 34, _WIDTH - _LEFT - 170
    scale = max([*(max(item.share, item.of_capacity or 0) for item in shares), 1e-9])
    parts = []
    for y, item in zip(range(6, len(shares) * height + 6, height), shares, strict=True):
        edge = inner * item.share / scale
        parts.append(text(_LEFT - 12, y + 16, item.name, "name end"))
        title = f"{item.name}: {item.vehicles:,} vehicles"
        parts.append(box(_LEFT, y, edge, 22, "load bar", title))
        if item.of_capacity is not None:
            long = inner * item.of_capacity / scale
            edge = max(edge, long)
            parts.append(line(_LEFT + long, y - 3, _LEFT + long, y + 25, "limit"))
        caption = f"{100 * item.share:.1f}%, {item.vehicles:,} vehicles"
        parts.append(text(_LEFT + edge + 10, y + 16, caption, "tick"))
    return svg(_WIDTH, len(shares) * height + 6, "share of vehicles by substation", parts)
