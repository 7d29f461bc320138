"""Tables of the reports. Pure."""

from collections.abc import Iterable, Iterator, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lay out a Markdown table that reads well as plain text too."""
    rows = list(rows)
    widths = [
        max(3, *(len(row[column]) for row in (headings, *rows))) for column in range(len(headings))
    ]
    first, *others = widths
    rule = [":" + "-" * (first - 1), *("-" * (width - 1) + ":" for width in others)]
    for cells in (headings, rule, *rows):
        name, *values = cells
        aligned = (value.rjust(width) for value, width in zip(values, others, strict=True))
        yield f"| {' | '.join((name.ljust(first), *aligned))} |"
    yield ""
