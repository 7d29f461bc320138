"""Tables of the reports. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")
# What a figure is called, and how it is shown.
Figure = tuple[str, Callable[[T], str]]


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


def by_row(
    corner: str, figures: Sequence[Figure[T]], items: Iterable[tuple[str, T]]
) -> Iterator[str]:
    """Lay out a table with a row for each item and a column for each figure."""
    return table(
        (corner, *(heading for heading, _ in figures)),
        [(name, *(show(item) for _, show in figures)) for name, item in items],
    )


def by_column(corner: str, figures: Sequence[Figure[T]], items: Mapping[str, T]) -> Iterator[str]:
    """Lay out a table with a column for each item and a row for each figure."""
    return table(
        (corner, *items),
        [(name, *(show(item) for item in items.values())) for name, show in figures],
    )
