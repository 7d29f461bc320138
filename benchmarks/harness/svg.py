"""Pictures of the benchmarks, with a light and a dark style. Pure."""

from collections.abc import Iterator, Sequence

from load_tester.report.svg import box, svg, text

_STYLE = """<style>
text{font:13px system-ui,sans-serif;fill:#1f2933}
.bold{font-weight:600} .small{font-size:11px;fill:#5b6875} .end{text-anchor:end}
.middle{text-anchor:middle}
.page{fill:#ffffff} .cell{fill:#eef2f5} .bad{fill:#fbe3e0} .time{fill:#3d7dca} .lost{fill:#c8402f}
.rule{stroke:#c9d2da;stroke-width:1} .away{fill:#e4e8ec}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
.s0{stroke:#2f6fbf} .s1{stroke:#d9730d} .s2{stroke:#2e8b57} .s3{stroke:#8a4fbf}
@media (prefers-color-scheme:dark){
text{fill:#e6ebf0} .small{fill:#9fb0bf} .page{fill:#14191f} .cell{fill:#222b34} .bad{fill:#4a2320}
.time{fill:#6aa5ea} .lost{fill:#ef6a58} .rule{stroke:#3b4854} .away{fill:#2a333d}
.s0{stroke:#6aa5ea} .s1{stroke:#f0a04b} .s2{stroke:#5fc08a} .s3{stroke:#b98ae8}}
</style>"""


def picture(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """Return a picture of a size in pixels; `label` describes it for screen readers."""
    page = box(0, 0, width, height, "page")
    return svg(width, height, label, [_STYLE, page, *parts]) + "\n"


def frame(
    left: float, top: float, width: float, height: float, low: str, high: str
) -> Iterator[str]:
    """Draw the upper and lower edge of a panel, with the ends of its scale beside them."""
    for y in (top, top + height):
        yield f'<path class="rule" d="M{left:g} {y:g}h{width:g}"/>'
    yield text(left - 6, top + 9, high, "small end")
    yield text(left - 6, top + height + 2, low, "small end")
