"""What reports are laid out from: figures, assertions, and files of results."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.findings import Assertion, Finding, assertion_table, finding_table
from benchmarks.harness.results import Stored, to_json
from benchmarks.harness.tables import Figure, by_column, by_row

FIGURES: list[Figure[float]] = [("mean", "{:.1f}".format), ("twice", lambda one: f"{2 * one:g}")]


def test_figures_are_laid_out_by_row_or_by_column() -> None:
    items = {"ours": 1.25, "theirs": 2.0}
    assert list(by_row("who", FIGURES, items.items())) == [
        "| who    | mean | twice |",
        "| :----- | ---: | ----: |",
        "| ours   |  1.2 |   2.5 |",
        "| theirs |  2.0 |     4 |",
        "",
    ]
    assert list(by_column("", FIGURES, items))[2:4] == [
        "| mean  |  1.2 |    2.0 |",
        "| twice |  2.5 |      4 |",
    ]


@pytest.mark.parametrize(
    ("figure", "at_least", "is_kept"),
    [(1.0, False, True), (1.1, False, False), (1.0, True, True), (0.9, True, False)]
    + [(float(value), at_least, False) for value in ("nan", "inf") for at_least in (False, True)],
)
def test_a_figure_is_within_its_limit_or_not(
    figure: float, *, at_least: bool, is_kept: bool
) -> None:
    assertion = Assertion[float]("it", 1, lambda value: value, at_least)
    assert assertion.is_kept(figure) is is_kept
    rows = list(assertion_table([assertion], figure))
    assert ("at least 1" in rows[2]) is at_least
    assert ("yes" in rows[2]) is is_kept


def test_a_finding_that_does_not_hold_stands_out() -> None:
    found = [Finding("one", "1", kept=True), Finding("two", "2", kept=False)]
    rows = list(finding_table("", [*found, Finding("three", "3", kept=None)]))
    assert [row.split("|")[-2].strip() for row in rows[2:5]] == ["yes", "**NO**", "-"]


@dataclass
class Kept(Stored):
    """Some results."""

    written_by: ClassVar[str] = "make it"
    name: str
    figures: list[float | None]


def test_results_are_read_as_they_were_written_with_numbers_in_one_line(tmp_path: Path) -> None:
    kept = Kept("[1, 2]", [1, -2.5, None, 1e-07])
    file = tmp_path / "results.json"
    kept.save(file)
    assert '"figures": [1, -2.5, null, 1e-07]' in file.read_text()
    assert Kept.load(file) == kept
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    with pytest.raises(CannotMeasure, match="run `make it` to write it"):
        Kept.load(tmp_path / "none.json")


def test_numbers_stand_on_one_line() -> None:
    assert (
        to_json({"a": [1, 2.5, None], "b": [-3e-7]})
        == '{\n "a": [1, 2.5, null],\n "b": [-3e-07]\n}\n'
    )


def test_a_long_list_that_ends_in_another_value_is_written_at_once() -> None:
    """Each digit once doubled the time that such a list took."""
    values = [0.123456789012] * 200
    text = to_json([*values, float("nan")])
    assert text.split() == ["[", *["0.123456789012,"] * 200, "NaN", "]"]
