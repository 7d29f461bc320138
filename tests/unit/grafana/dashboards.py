"""The dashboards as files: their panels and the expressions that they ask Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
GLANCE, BALANCER, RUNBOOK, SUBSTATION = FILES
MONITORING = (GLANCE, BALANCER, SUBSTATION)

_LABEL_VALUES = re.compile(r"label_values\((?P<metric>\w+), (?P<label>\w+)\)")


class Query(NamedTuple):
    """One expression, and where it stands."""

    where: str
    expression: str


def load(file: Path) -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return dashboard


def panels(dashboard: dict[str, Any], *types: str) -> list[dict[str, Any]]:
    """List the panels that show data, those of some types alone: rows are headings."""
    return [
        panel
        for panel in dashboard["panels"]
        if panel["type"] not in {"row", "text"} and (not types or panel["type"] in types)
    ]


def panel_of(file: Path, title: str) -> dict[str, Any]:
    (found,) = [panel for panel in panels(load(file)) if panel["title"] == title]
    return found


def sections() -> dict[str, int]:
    """Give the panels of the runbook by the names of their alerts."""
    titles = {panel["title"].partition(". "): panel["id"] for panel in load(RUNBOOK)["panels"]}
    return {name: number for (_, _, name), number in titles.items()}


def queries(file: Path) -> Iterator[Query]:
    """Yield every expression of a dashboard: its panels', its annotations' and its variables'."""
    dashboard = load(file)
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Query(f"{file.name}: {panel['title']} {target['refId']}", target["expr"])
    for annotation in dashboard["annotations"].get("list", []):
        yield Query(f"{file.name}: annotation {annotation['name']}", annotation["expr"])
    for variable in dashboard["templating"].get("list", []):
        asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert asked, f"{file.name}: variable {variable['name']} asks something else"
        yield Query(
            f"{file.name}: variable {variable['name']}",
            f"count by ({asked['label']}) ({asked['metric']})",
        )
