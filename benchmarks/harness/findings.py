"""What a benchmark checks: assertions, and figures with a limit. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Generic, NamedTuple, TypeVar

from benchmarks.harness.tables import table

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Finding:
    """An assertion, and whether it holds; None: it cannot be told."""

    words: str
    evidence: str
    kept: bool | None
    is_timed: bool = False  # depends on times, which vary on a busy machine


def finding_table(corner: str, findings: Iterable[Finding]) -> Iterator[str]:
    """Lay out assertions."""
    words = {True: "yes", False: "**NO**", None: "-"}
    return table(
        (corner, "is", "holds"), [(one.words, one.evidence, words[one.kept]) for one in findings]
    )


class Assertion(NamedTuple, Generic[R]):
    """A figure of some results, and its maximum, or its minimum if `at_least`."""

    words: str
    limit: float
    figure: Callable[[R], float]
    at_least: bool = False

    def is_kept(self, results: R) -> bool:
        """Return whether the figure is within its limit."""
        figure = self.figure(results)
        return isfinite(figure) and (
            figure >= self.limit if self.at_least else figure <= self.limit
        )


def assertion_table(assertions: Sequence[Assertion[R]], results: R) -> Iterator[str]:
    """Lay out figures with their limits."""
    both = any(one.at_least for one in assertions)
    return table(
        ("figure", "limit" if both else "at most", "is", "holds"),
        [
            (
                one.words,
                f"{('at least ' if one.at_least else 'at most ') if both else ''}{one.limit:g}",
                f"{one.figure(results):.3f}",
                "yes" if one.is_kept(results) else "NO",
            )
            for one in assertions
        ],
    )
