"""Dashboards against Grafana's own schema, and against what a person needs of them."""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
import yaml

from tests.unit.grafana.dashboards import FILES, ROOT, load, panels, queries
from tests.unit.grafana.schema import faults

GLANCE, BALANCER, SITE = FILES
each_dashboard = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


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
def test_the_schema_check_finds(panel_type: str, change: dict[str, Any], fault: str) -> None:
    dashboard = load(GLANCE)
    panel = next(panel for panel in dashboard["panels"] if panel["type"] == panel_type)
    panel.update(change)
    assert any(fault in found for found in faults(dashboard)), faults(dashboard)


def test_there_are_three_dashboards_with_lasting_addresses() -> None:
    assert {file.stem: load(file)["uid"] for file in FILES} == {
        "grid-at-a-glance": "ev-grid-glance",
        "load-balancer": "ev-grid-balancer",
        "substation": "ev-grid-site",
    }


@each_dashboard
def test_a_dashboard_carries_nothing_that_a_review_would_stumble_over(file: Path) -> None:
    def noise(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                # An override's matcher and a transformation are named by an `id` of their own.
                if key in {"version", "iteration", "pluginVersion", "__inputs", "__requires"} or (
                    key == "id" and isinstance(item, int | NoneType)
                ):
                    yield f"{path}.{key}"
                yield from noise(item, f"{path}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from noise(item, f"{path}[{index}]")

    assert list(noise(load(file), "")) == []
    assert all(len(line) <= 100 or '": "' in line for line in file.read_text().splitlines())


@each_dashboard
def test_every_panel_says_what_it_shows_in_which_unit(file: Path) -> None:
    for panel in panels(load(file)):
        title = panel["title"]
        assert panel["description"].endswith("."), f"{title}: no description"
        assert panel["fieldConfig"]["defaults"]["unit"], f"{title}: no unit"
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}, title
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


@each_dashboard
def test_a_dashboard_leads_to_the_others_and_shows_alerts(file: Path) -> None:
    dashboard = load(file)
    assert [link["tags"] for link in dashboard["links"]] == [dashboard["tags"]] == [["ev-grid"]]
    assert any("ALERTS" in annotation["expr"] for annotation in dashboard["annotations"]["list"])
    assert any(
        panel["title"] == "Alerts" and panel["type"] == "table" for panel in panels(dashboard)
    )


def test_sites_on_the_glance_lead_to_their_own_dashboard() -> None:
    by_site = [
        panel
        for panel in panels(load(GLANCE))
        if any(target.get("legendFormat") == "{{substation}}" for target in panel["targets"])
    ]
    assert len(by_site) >= 4
    for panel in by_site:
        (link,) = panel["fieldConfig"]["defaults"]["links"]
        assert link["url"].startswith(f"/d/{load(SITE)['uid']}?var-substation="), panel["title"]


@pytest.mark.parametrize(("file", "operator"), [(SITE, "="), (BALANCER, "=~")])
def test_the_chosen_substation_filters(file: Path, operator: str) -> None:
    dashboard = load(file)
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["substation"]
    filtered = [query for query in queries(file) if "$substation" in query.expression]
    assert len(filtered) >= 8
    for query in filtered:
        uses = query.expression.count("$substation")
        assert query.expression.count(f'substation{operator}"$substation"') == uses, query


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
        "Load by site",
        "Load against capacity",
        "Share of vehicles by site",
        "Vehicles waiting",
        "Time to charge",
        "Refusals",
        "Failovers",
        "Sites up",
    } <= titles
