"""Dashboards: Grafana's own schema, and rules of ours."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
import yaml

from grafana.__main__ import FOLDER, dashboards
from tests.unit.grafana.alert_samples import SAMPLES, TABLES, Sample, series_of
from tests.unit.grafana.dashboards import (
    BALANCER,
    FILES,
    GLANCE,
    MONITORING,
    ROOT,
    RUNBOOK,
    SUBSTATION,
    load,
    panel_of,
    panels,
    queries,
    sections,
)
from tests.unit.grafana.schema import faults
from tests.unit.prometheus.rules import alerts, needs_promtool, promtool

each_dashboard = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
each_monitor = pytest.mark.parametrize("file", MONITORING, ids=lambda file: file.stem)


def test_the_files_are_what_the_program_writes() -> None:
    assert {file.name: file.read_text(encoding="utf-8") for file in FILES} == dashboards(), (
        "run: python -m grafana"
    )
    assert {file.parent for file in FILES} == {FOLDER}


@each_dashboard
def test_a_dashboard_keeps_to_grafanas_schema(file: Path) -> None:
    assert faults(load(file)) == []


@pytest.mark.parametrize(
    ("panel_type", "change", "fault"),
    [
        ("timeseries", {"descripton": "typo"}, "descripton is unknown"),
        ("timeseries", {"fieldConfig": {"defaults": {"min": "0"}, "overrides": []}}, "min"),
        ("timeseries", {"options": {"legend": {"placement": "left"}}}, "placement"),
        ("stat", {"options": {"graphmode": "area"}}, "graphmode is unknown"),
        ("stat", {"options": {"colorMode": "loud"}}, "'loud' is none of"),
        ("stat", {"gridPos": {"x": 0, "y": 0, "w": "3", "h": 4}}, "grid_pos.w"),
        ("table", {"transformations": [{"id": 1, "options": {}}]}, "transformations[0].id"),
        ("stat", {"datasource": {"type": "graphit", "uid": "x"}}, "queries are unknown"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_schema_check_finds_each_fault(
    panel_type: str, change: dict[str, Any], fault: str
) -> None:
    dashboard = load(GLANCE)
    panel = next(panel for panel in dashboard["panels"] if panel["type"] == panel_type)
    panel.update(change)
    assert any(fault in found for found in faults(dashboard)), faults(dashboard)


def test_dashboards_have_lasting_addresses() -> None:
    assert {file.stem: load(file)["uid"] for file in FILES} == {
        "grid-at-a-glance": "ev-grid-glance",
        "load-balancer": "ev-grid-balancer",
        "runbook": "ev-grid-runbook",
        "substation": "ev-grid-site",
    }
    (provider,) = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/grid.yml").read_text())[
        "providers"
    ]
    assert provider["folderUid"] == "ev-grid"


@each_dashboard
def test_a_dashboard_carries_nothing_that_a_review_would_stumble_over(file: Path) -> None:
    def noise(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                # An override's matcher and a transformation are named by an `id` of their own, and
                # a section of the runbook by its panel's.
                if key in {"version", "iteration", "pluginVersion", "__inputs", "__requires"} or (
                    key == "id" and isinstance(item, int | NoneType) and file != RUNBOOK
                ):
                    yield f"{path}.{key}"
                yield from noise(item, f"{path}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from noise(item, f"{path}[{index}]")

    assert list(noise(load(file), "")) == []
    assert all(len(line) <= 120 or '": "' in line for line in file.read_text().splitlines())


@each_dashboard
def test_every_panel_says_what_it_shows_in_which_unit(file: Path) -> None:
    for panel in panels(load(file)):
        title = panel["title"]
        assert panel["description"].endswith("."), f"{title}: no description"
        assert panel["fieldConfig"]["defaults"]["unit"], f"{title}: no unit"
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, title
        assert panel["fieldConfig"]["defaults"]["noValue"], f"{title}: nothing is said of no data"
        if panel["type"] in {"stat", "gauge", "bargauge", "state-timeline"}:
            assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], f"{title}: thresholds"


@each_dashboard
def test_panels_neither_overlap_nor_leave_the_grid(file: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in load(file)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@each_monitor
def test_a_dashboard_leads_to_the_others_and_shows_alerts(file: Path) -> None:
    dashboard = load(file)
    assert [link["tags"] for link in dashboard["links"]] == [dashboard["tags"]] == [["ev-grid"]]
    assert any("ALERTS" in annotation["expr"] for annotation in dashboard["annotations"]["list"])
    assert {panel["title"] for panel in panels(dashboard, "table")} == set(TABLES)


@each_monitor
def test_an_alert_leads_to_its_dashboard_its_rule_and_its_runbook(file: Path) -> None:
    uids = {load(one)["uid"] for one in FILES}
    for title in TABLES:
        table = panel_of(file, title)
        urls = [
            link["url"]
            for override in table["fieldConfig"]["overrides"]
            for one in override["properties"]
            if one["id"] == "links"
            for link in one["value"]
        ]
        assert "/alerting/Prometheus/${__value.raw}/find" in urls
        assert "/d/ev-grid-runbook?viewPanel=panel-${__value.text}" in urls
        own = [url for url in urls if url.startswith("/d/") and "runbook" not in url]
        assert len(own) == 1
        assert re.split(r"[/?]", own[0])[2] in uids
    source = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["name"] == "Prometheus"  # as the rules' addresses have it


def test_every_alert_has_its_section_in_the_runbooks_dashboard() -> None:
    assert set(sections()) == {alert.name for alert in alerts()}
    text = (ROOT / "docs" / "runbook.md").read_text()
    for name, number in sections().items():
        (shown,) = [one for one in load(RUNBOOK)["panels"] if one["id"] == number]
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        words = re.sub(r"\(#\w+\)", "", section).split()
        assert re.sub(r"\(/d/[^)]*\)", "", shown["options"]["content"]).split() == words
        for link in re.findall(r"viewPanel=panel-(\d+)", shown["options"]["content"]):
            assert int(link) in sections().values()


@needs_promtool
@each_monitor
def test_the_alerts_queries_give_each_alert_the_labels_that_are_shown(
    file: Path, tmp_path: Path
) -> None:
    """As Prometheus evaluates them; test_frontend.py has what is shown of that."""
    chosen = "substation1"

    def shown(samples: list[Sample]) -> list[Sample]:
        wanted = {chosen, None} if file == SUBSTATION else set()
        return [one for one in samples if not wanted or one.labels.get("substation") in wanted]

    (annotation,) = load(file)["annotations"]["list"]
    firing = [sample for sample in shown(SAMPLES) if sample.state == "firing"]
    expected = {annotation["expr"]: [sample.mark for sample in firing]}
    for title, samples in TABLES.items():
        table = panel_of(file, title)
        expected[table["targets"][0]["expr"]] = [sample.row(table) for sample in shown(samples)]
    scene = {
        "interval": "1s",
        "input_series": [{"series": sample.series, "values": "1x5"} for sample in SAMPLES],
        "promql_expr_test": [
            {
                "expr": expression.replace("$substation", chosen),
                "eval_time": "3s",
                "exp_samples": [{"labels": series_of("", labels), "value": 1} for labels in rows],
            }
            for expression, rows in expected.items()
        ],
    }
    tests = tmp_path / "tests.yml"
    tests.write_text(yaml.safe_dump({"evaluation_interval": "1s", "tests": [scene]}))
    promtool("test", "rules", tests)


def test_substations_on_the_glance_lead_to_their_own_dashboard() -> None:
    by_substation = [
        panel
        for panel in panels(load(GLANCE))
        if any(target.get("legendFormat") == "{{substation}}" for target in panel["targets"])
    ]
    assert len(by_substation) >= 4
    for panel in by_substation:
        (link,) = panel["fieldConfig"]["defaults"]["links"]
        assert link["url"].startswith(f"/d/{load(SUBSTATION)['uid']}?var-substation="), panel[
            "title"
        ]


@pytest.mark.parametrize(("file", "operator"), [(SUBSTATION, "="), (BALANCER, "=~")])
def test_the_chosen_substation_filters(file: Path, operator: str) -> None:
    dashboard = load(file)
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["substation"]
    filtered = [query for query in queries(file) if "$substation" in query.expression]
    assert len(filtered) >= 8
    for query in filtered:
        uses = query.expression.count("$substation")
        # An alert without a substation concerns each of them.
        marks = query.expression.count('substation=~"$substation|"')
        assert query.expression.count(f'substation{operator}"$substation"') + marks == uses, query


@pytest.mark.parametrize("file", [SUBSTATION, BALANCER], ids=lambda file: file.stem)
def test_a_choice_of_substations_changes_what_its_heading_names_and_nothing_else(
    file: Path,
) -> None:
    heading = ""
    for one in load(file)["panels"]:
        if one["type"] == "row":
            heading = one["title"]
        elif one["title"] not in TABLES:
            asks = any("$substation" in target["expr"] for target in one["targets"])
            assert asks == ("$substation" in heading), f"{heading}: {one['title']}"
    grid = panel_of(file, "Alerts of the whole grid")
    assert "$substation" not in grid["targets"][0]["expr"]


@each_monitor
def test_lines_tell_their_last_and_their_highest_value(file: Path) -> None:
    for one in panels(load(file), "timeseries"):
        legend = one["options"]["legend"]
        assert (legend["displayMode"], legend["showLegend"]) == ("table", True), one["title"]
        assert legend["calcs"] == ["lastNotNull", "max"], one["title"]


@each_monitor
def test_no_event_falls_between_two_points_of_a_line(file: Path) -> None:
    """A rate looks back as far as its points lie apart, and over a minute at least."""
    for one in panels(load(file), "timeseries"):
        for target in one["targets"]:
            ranges = set(re.findall(r"\[([^]]+)\]", target["expr"]))
            assert ranges <= {"$__rate_interval"}, one["title"]
            if ranges:
                assert target["interval"] == "15s", one["title"]
            assert not re.search(r"\w:\w+:\w*(rate|increase|p\d+_)", target["expr"]), one["title"]


@each_monitor
def test_a_figure_is_of_this_moment(file: Path) -> None:
    """The last of a time that is shown may be long past, and then still be a green zero."""
    for one in panels(load(file), "stat", "gauge", "bargauge", "piechart"):
        assert all(target["instant"] for target in one["targets"]), one["title"]


@each_monitor
def test_no_panel_shows_a_zero_without_data(file: Path) -> None:
    for query in queries(file):
        assert "vector(" not in query.expression, query


@each_monitor
def test_every_series_has_a_name(file: Path) -> None:
    for one in panels(load(file), "timeseries", "bargauge", "piechart", "state-timeline"):
        for target in one["targets"]:
            names = re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))
            for name in names:
                assert re.search(rf"by \([^)]*\b{name}\b|{name}:\w+:", target["expr"]), one["title"]
            assert target.get("legendFormat") or one["type"] == "state-timeline", one["title"]


def test_the_glance_is_where_grafana_opens_for_anyone_to_read() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    grafana = compose["services"]["grafana"]
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in grafana["volumes"])
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert mounts["./grafana/dashboards"] == str(home.parent)
    assert home.name == GLANCE.name
    (provider,) = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/grid.yml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == str(home.parent)
    assert not provider["allowUiUpdates"]
    assert all(volume.endswith(":ro") for volume in grafana["volumes"])


def test_the_data_source_is_the_one_that_panels_name() -> None:
    file = ROOT / "grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(file.read_text())["datasources"]
    prometheus = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())
    assert (source["uid"], source["type"], source["editable"]) == ("prometheus",) * 2 + (False,)
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]


def test_the_glance_shows_what_the_operator_asked_for() -> None:
    titles = {panel["title"] for panel in panels(load(GLANCE))}
    assert {
        "Load by substation",
        "Load against capacity",
        "Share of vehicles by substation",
        "Vehicles waiting",
        "Time to charge",
        "Refusals",
        "Failovers",
        "Substations up",
    } <= titles
