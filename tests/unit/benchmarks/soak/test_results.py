"""The assertions on a soak, and its report."""

from typing import Any

import pytest

from benchmarks.soak import picture, report
from benchmarks.soak.meter import Life, Sample
from benchmarks.soak.results import Results, findings
from tests.unit.benchmarks.harness.builders import attempt, told
from tests.unit.benchmarks.soak.builders import injected, reconciliation

MIB = 1 << 20
PARTS = ("substation1", "gateway")


def life(part: str, *, grows: float = 0.0, first_s: float = 0.0) -> Life:
    """A part's life to the end of 20 minutes; `grows` is MiB in 10 minutes."""
    times = range(int(first_s), 1200, 2)
    return Life(
        part,
        (1, 2),
        [Sample(at, round(100 * MIB + grows * MIB * at / 600), 20, 2) for at in times],
    )


def results(**changed: Any) -> Results:
    values: dict[str, Any] = {
        "minutes": 20.0,
        "load": 0.8,
        "seed": 1,
        "rate": 10.0,
        "began": 1_700_000_000.0,
        "injected": [injected("kill", "gateway", 1_700_000_015.0, 1_700_000_017.0)],
        "lives": [life(part) for part in PARTS],
        "steadfast": PARTS,
        "at_rest": dict.fromkeys(PARTS, (15, 15)),
        "reconciliation": reconciliation([told()], {"substation1": [attempt()]}),
        "findings": [],
        "machine": {"processor": "a processor", "cores": "2", "system": "Linux", "python": "3.11"},
    }
    return Results(**values | changed)


def broken(found: Results) -> list[str]:
    return [one.words for one in findings(found) if not one.kept]


def test_a_grid_that_leaks_and_loses_nothing_holds() -> None:
    assert broken(results()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"reconciliation": reconciliation([told(charged=False)], {})},
            "no vehicle is lost",
        ),
        ({"reconciliation": reconciliation([], {})}, "no vehicle is lost"),
        (
            {
                "reconciliation": reconciliation(
                    [told()], {"substation1": [attempt(), attempt(session_id="more")]}
                )
            },
            "no vehicle is charged twice",
        ),
        ({"reconciliation": reconciliation([told()], {})}, "answers, logs and counters add up"),
        ({"findings": ["two answers for a session"]}, "answers, logs and counters add up"),
        ({"lives": [life("substation1"), life("gateway", grows=1.1)]}, "gateway's memory is flat"),
        ({"lives": [life("substation1")]}, "gateway's memory is flat"),
        (
            {"at_rest": {"substation1": (15, 15), "gateway": (15, 77)}},
            "gateway has closed its files and connections",
        ),
    ],
)
def test_what_does_not_hold_is_named(changed: dict[str, Any], words: str) -> None:
    assert broken(results(**changed)) == [words]


def test_growth_below_the_bound_is_none() -> None:
    assert broken(results(lives=[life("substation1", grows=0.9), life("gateway")])) == []


def test_growth_is_taken_of_the_life_that_lasts() -> None:
    first = Life("gateway", (3, 4), [Sample(600.0 + at, 1 * MIB * at, 20, 2) for at in range(20)])
    found = results(lives=[life("substation1"), first, life("gateway", first_s=630)])
    assert broken(found) == []


def test_a_short_run_does_not_judge_memory() -> None:
    found = results(minutes=2.0, lives=[life(part, grows=50) for part in PARTS])
    assert {one.words: one.kept for one in findings(found) if "memory" in one.words} == {
        "substation1's memory is flat": None,
        "gateway's memory is flat": None,
    }


def test_the_report_tells_each_finding_and_shows_the_picture() -> None:
    found = results(lives=[life("substation1"), life("gateway", grows=3)])
    text = report.write(found)
    assert text.count("**NO**") == 1
    for one in findings(found):
        assert one.words in text
        assert one.evidence in text
    assert f"({report.PICTURE})" in text
    drawn = picture.draw(found)
    assert drawn.count("<polyline") == len(PARTS)
    assert "gateway" in drawn
