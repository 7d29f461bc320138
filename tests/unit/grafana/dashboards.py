"""The dashboards as files: their panels and the expressions that they ask Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))

_LABEL_VALUES = re.compile(r"label_values\((?P<metric>\w+), (?P<label>\w+)\)")


class Query(NamedTuple):
    """One expression, and where it stands."""

    where: str
    expression: str


def load(file: Path) -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return dashboard


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """List the panels that show something: rows are headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(file: Path) -> Iterator[Query]:
    """Yield every expression of a dashboard: its panels', its annotations' and its variables'."""
    dashboard = load(file)
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Query(f"{file.name}: {panel['title']} {target['refId']}", target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(f"{file.name}: annotation {annotation['name']}", annotation["expr"])
    for variable in dashboard["templating"]["list"]:
        asked = _LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert asked, f"{file.name}: variable {variable['name']} asks something else"
        yield Query(
            f"{file.name}: variable {variable['name']}",
            f"count by ({asked['label']}) ({asked['metric']})",
        )
