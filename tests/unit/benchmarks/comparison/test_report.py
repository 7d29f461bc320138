import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.comparison import picture, report
from benchmarks.comparison.assertions import findings
from benchmarks.comparison.cli import RESULTS_FILE, drawn_from
from benchmarks.comparison.limit import Limit
from benchmarks.comparison.results import Results
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.options import RESULTS
from tests.unit.benchmarks.comparison.builders import make_figures, make_results

SOME = make_results(
    burst={"ours": make_figures(), "nginx": make_figures(mean_s=1.0, lost=40)},
    foreign_load={
        "ours": make_figures(bypass_vehicles=20),
        "nginx": make_figures(bypass_vehicles=20, bypass_vehicles_turned_away=7),
    },
)


# Some play the second scene alone; there power is shared.
BOUND = Limit(mean_s=0.5)
IN_PART = make_results(
    burst={"ours": make_figures(), "nginx": make_figures()},
    unlike={
        "ours": make_figures(limit=BOUND, mean_s=0.75, p50_s=0.5, p99_s=4.0),
        "haproxy-limits": make_figures(limit=BOUND, mean_s=1.25),
    },
)


def cells(text: str, scene: str, contender: str) -> list[str]:
    """Return the cells of a contender's line in a scene's table."""
    section = text.split(f"## {scene}\n")[1].split("\n## ")[0]
    (line,) = [line for line in section.splitlines() if line.startswith(f"| {contender}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_time_of_other_vehicles_is_in_brackets() -> None:
    text = report.write(SOME)
    assert cells(text, "burst", "the ours")[1:4] == ["0", "0", "1.000"]
    assert cells(text, "burst", "the nginx")[1:4] == ["40", "0", "(0.500)"]


def test_bypass_vehicles_have_a_column_where_there_are_any() -> None:
    text = report.write(SOME)
    assert cells(text, "foreign load", "the nginx")[-1] == "7"
    assert (
        len(cells(text, "foreign load", "the nginx")) == len(cells(text, "burst", "the ours")) + 1
    )


def test_the_overview_says_what_was_lost() -> None:
    text = "\n".join(report.overview(SOME))
    assert "(0.500), 40 lost" in text
    assert "1.000, 7 bypass vehicles" in text


def test_where_power_is_shared_times_are_in_minutes_and_over_a_bound() -> None:
    text = report.write(IN_PART)
    assert "Lower bound: mean 30.0 minutes." in text
    assert cells(text, "unlike", "the ours")[1:7] == ["0", "0", "1.500", "45.0", "30.0", "240.0"]
    heading = text.split("## unlike\n")[1].splitlines()[3]
    assert "mean, minutes" in heading
    assert "imbalance" not in heading


def test_a_contender_is_left_out_of_a_scene_that_it_does_not_play() -> None:
    text = report.write(IN_PART)
    assert "the nginx" not in text.split("## unlike\n")[1]
    assert "the haproxy-limits" not in text.split("## burst\n")[1].split("\n## ")[0]
    rows = [line for line in report.overview(IN_PART) if line.startswith("|")]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]] == [
        ["the ours", "1.000", "1.500"],
        ["the nginx", "1.000", "-"],
        ["the haproxy-limits", "-", "2.500"],
    ]


def test_pictures_take_a_scene_that_only_some_play() -> None:
    pictures = dict(picture.pictures(IN_PART))
    for text in pictures.values():
        ET.fromstring(text)  # noqa: S314 - its own text
    assert pictures["overview"].count("<title>") == 4, "of six cells two are empty"
    assert "over a lower bound" in pictures["overview"]
    assert "the nginx" not in pictures["unlike"]
    assert "second, 4 points" in pictures["unlike"]
    assert "over a lower bound" not in dict(picture.pictures(SOME))["overview"]


def test_pictures_are_well_formed_and_say_what_was_lost() -> None:
    pictures = dict(picture.pictures(SOME))
    assert set(pictures) == {"overview", "burst", "foreign load"}
    for text in pictures.values():
        ET.fromstring(text)  # noqa: S314 - its own text
    assert "40 lost" in pictures["overview"]


def test_a_substation_that_was_away_leaves_a_gap_in_its_line() -> None:
    text = dict(picture.pictures(SOME))["burst"]
    lines = [line for line in text.splitlines() if line.startswith("<polyline")]
    assert len(lines) == 2 * (1 + 2), "for each contender one whole line, and one in two pieces"


def test_results_survive_their_file(tmp_path: Path) -> None:
    SOME.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == SOME
    assert "[0, null, 4]" in (tmp_path / "results.json").read_text()


def test_results_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="make bench"):
        Results.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"quick": 1}')
    with pytest.raises(CannotMeasure, match=r"bad\.json.*seed"):
        Results.load(tmp_path / "bad.json")


# A whole run, and one of the scene that came after it.
CHECKED_IN = (RESULTS, RESULTS.parent / "results_unlike_substations")


@pytest.mark.parametrize("folder", CHECKED_IN, ids=lambda folder: folder.name)
def test_the_checked_in_run_keeps_every_promise(folder: Path) -> None:
    found = list(findings(Results.load(folder / RESULTS_FILE)))
    assert [one for one in found if not one.kept] == []
    assert any("HAProxy" in one.words for one in found) is (folder is CHECKED_IN[1])


@pytest.mark.parametrize("folder", CHECKED_IN, ids=lambda folder: folder.name)
def test_the_checked_in_report_is_what_its_results_say(folder: Path) -> None:
    results = Results.load(folder / RESULTS_FILE)
    assert not results.quick
    for name, text in drawn_from(results).items():
        assert (folder / name).read_text(encoding="utf-8") == text, name
