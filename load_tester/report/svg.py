"""Elements of charts, as SVG; the style sheet of a page or a picture sets the colours. Pure."""

from collections.abc import Iterable, Sequence
from html import escape


def svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """Return an SVG of a size in pixels; `label` describes it for screen readers."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'role="img" aria-label="{escape(label)}">\n{body}\n</svg>'
    )


def text(x: float, y: float, words: str, style: str = "") -> str:
    """Draw a text, left-aligned on a baseline unless the style says otherwise."""
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{kind}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, style: str, title: str = "") -> str:
    """Draw a filled rectangle from its upper left corner; a title is shown under the pointer."""
    end = f"><title>{escape(title)}</title></rect>" if title else "/>"
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f"{end}"
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Draw a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def polyline(points: Iterable[tuple[float, float]], style: str, more: str = "") -> str:
    """Draw a line through points, with more attributes if any are given."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}"{more} points="{path}"/>'
