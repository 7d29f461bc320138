"""What a browser shows of the dashboards, according to Grafana's own packages."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.unit.grafana.alert_samples import SAMPLES, TABLES, Sample
from tests.unit.grafana.dashboards import (
    FILES,
    GLANCE,
    MONITORING,
    load,
    panel_of,
    panels,
    sections,
)
from tests.unit.grafana.frontend import ask, needs_frontend

pytestmark = needs_frontend
each_dashboard = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)

# What WCAG 2.2 asks of graphics that carry a meaning.
_LEAST_CONTRAST = 3
# CIE 1976: colours nearer than this are not told apart at a glance where a line is a pixel wide.
_LEAST_DISTANCE = 30
_NO_ALERT = "No such alert is pending or firing."


def named_colours(value: Any) -> set[str]:
    """Collect every colour that a part of a dashboard names."""
    if isinstance(value, list):
        return {colour for item in value for colour in named_colours(item)}
    if not isinstance(value, dict):
        return set()
    keys = ("color", "fixedColor", "iconColor")
    named = {value[key] for key in keys if isinstance(value.get(key), str)}
    return named | {colour for item in value.values() for colour in named_colours(item)}


def colours_of_series(panel: dict[str, Any]) -> list[str]:
    """List the colours of the series that have one of their own."""
    return [
        one["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "color"
    ]


def are_apart(*groups: Sequence[str]) -> None:
    """Hold the colours of each group to a distance from each other."""
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    (answer,) = ask("distances", {"pairs": pairs})
    for theme, distances in answer.items():
        for pair, distance in zip(pairs, distances, strict=True):
            assert distance >= _LEAST_DISTANCE, f"{pair} on the {theme} theme: {distance:.0f}"


@each_dashboard
def test_every_colour_can_be_seen_on_both_themes(file: Path) -> None:
    colours = sorted(named_colours(load(file)))
    (answer,) = ask("contrasts", {"colours": colours})
    for theme, contrasts in answer.items():
        for colour, contrast in zip(colours, contrasts, strict=True):
            assert contrast >= _LEAST_CONTRAST, f"{colour} on the {theme} theme: {contrast:.2f}"


@each_dashboard
def test_the_series_of_a_panel_can_be_reported_apart_on_both_themes(file: Path) -> None:
    are_apart(*map(colours_of_series, panels(load(file))))


def test_substations_can_be_seen_and_reported_apart_on_both_themes() -> None:
    """By name, so that each has one colour on every panel; the three of the stack differ."""
    color = panel_of(GLANCE, "Load by substation")["fieldConfig"]["defaults"]["color"]
    names = ["substation1", "substation2", "substation3"]
    (answer,) = ask("series colours", {"names": names, "color": color})
    for theme, shown in answer.items():
        are_apart(shown)
        (contrasts,) = ask("contrasts", {"colours": shown})
        assert min(contrasts[theme]) >= _LEAST_CONTRAST


@each_dashboard
def test_a_figure_without_data_is_no_all_clear(file: Path) -> None:
    figures = panels(load(file), "stat", "gauge", "bargauge")
    (plain,) = ask("colours", {"colours": ["text"]})
    questions = [
        {"fieldConfig": one["fieldConfig"], "reduceOptions": one["options"]["reduceOptions"]}
        for one in figures
    ]
    for one, answer in zip(figures, ask("figure", *questions), strict=True):
        for theme, shown in answer.items():
            assert shown["text"] in {"unknown", "not published"}, one["title"]
            assert [shown["colour"]] == plain[theme], f"{one['title']}, {theme} theme"


def test_that_some_substations_are_up_is_no_all_clear() -> None:
    """One of three: the number is in no state's colour, and those that are down are red."""
    (good, bad) = ("green", "red")
    (states,) = ask("colours", {"colours": [good, bad]})
    up, down = panel_of(GLANCE, "Substations up"), panel_of(GLANCE, "Substations down")
    questions = [
        {
            "fieldConfig": one["fieldConfig"],
            "reduceOptions": one["options"]["reduceOptions"],
            "value": value,
        }
        for one, value in ((up, 1), (down, 2), (down, 0))
    ]
    some_up, some_down, none_down = ask("figure", *questions)
    for theme, (green, red) in states.items():
        assert some_up[theme]["colour"] not in (green, red)
        assert (some_down[theme]["colour"], some_down[theme]["text"]) == (red, "2")
        assert none_down[theme]["colour"] == green


@each_dashboard
def test_every_unit_is_one_that_grafana_knows(file: Path) -> None:
    units = sorted({one["fieldConfig"]["defaults"]["unit"] for one in panels(load(file))})
    assert ask("unknown units", {"units": units}) == [[]]


@pytest.mark.parametrize("file", MONITORING, ids=lambda file: file.stem)
def test_the_text_of_an_alerts_mark_names_no_label_that_the_alert_lacks(file: Path) -> None:
    (annotation,) = load(file)["annotations"]["list"]
    questions = [
        {"format": annotation[part], "labels": sample.mark}
        for sample in SAMPLES
        for part in ("titleFormat", "textFormat")
    ]
    answers = ask("text", *questions)
    for sample, title, text in zip(SAMPLES, answers[::2], answers[1::2], strict=True):
        assert title == sample.labels["alertname"]
        assert " ".join(text.split()) == sample.text


@pytest.mark.parametrize("file", MONITORING, ids=lambda file: file.stem)
@pytest.mark.parametrize(("title", "samples"), TABLES.items())
def test_a_table_shows_the_alerts_that_fire_first_and_a_dash_for_a_label_that_is_missing(
    file: Path, title: str, samples: list[Sample]
) -> None:
    table = panel_of(file, title)
    rows = [sample.row(table) for sample in samples]
    (shown,) = ask("table", {"panel": table, "rows": rows})
    assert table["fieldConfig"]["defaults"]["noValue"] == _NO_ALERT
    assert shown["headings"][:3] == ["State", "Severity", "Alert"]
    assert shown["headings"][-1] == "Runbook"
    cells = [cell for row in shown["rows"] for cell in row]
    assert "-" in cells
    assert not {"", _NO_ALERT} & set(cells)
    ranks = [(row[0], row[1]) for row in shown["rows"]]
    assert ranks == sorted(ranks)
    assert {row[0] for row in shown["rows"]} == {"firing", "pending"}
    numbers = {row[2]: row[-1] for row in shown["rows"]}
    assert numbers == {
        sample.labels["alertname"]: str(sections()[sample.labels["alertname"]])
        for sample in samples
    }
