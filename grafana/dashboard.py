"""The common parts of all dashboards, and how to write one to a file."""

import json
from collections.abc import Iterable
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as d

from grafana.panels import Panel
from grafana.queries import DATASOURCE

_TAG = "ev-grid"
_WIDTH = 80  # of a line of the files, not counting the key before a value


def base(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """Create a dashboard with links to the others."""
    link = dashboard.DashboardLink("Dashboards").type(d.DashboardLinkType.DASHBOARDS)
    link = link.icon("external link").tags([_TAG]).keep_time(True)
    built = dashboard.Dashboard(title).uid(uid).description(description).tags([_TAG]).link(link)
    return (
        built.readonly()
        .tooltip(d.DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .time("now-15m", "now")
        .refresh("5s")
    )


def row(built: dashboard.Dashboard, title: str, panels: Iterable[Panel]) -> dashboard.Dashboard:
    """Add a row title and its panels."""
    built = built.with_row(dashboard.Row(title))
    for panel in panels:
        built = built.with_panel(panel)
    return built


def substation_variable(description: str, *, several: bool) -> dashboard.QueryVariable:
    """Build the variable that selects a substation, or several, with all of them as default."""
    values = "label_values(balancer_substation_up, substation)"
    variable = dashboard.QueryVariable("substation").label("Substation").description(description)
    variable = variable.datasource(DATASOURCE).definition(values)
    variable = variable.query({"query": values, "refId": "substation"})
    variable = variable.refresh(d.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(d.VariableSort.NATURAL_ASC).multi(several).include_all(several)
    if several:
        every = d.VariableOption(text="All", value="$__all")
        variable = variable.all_value(".*").current(every)
    return variable


def alerts_annotation(selector: str) -> dashboard.AnnotationQuery:
    """Build the annotations of firing alerts.

    If a series lacks a label, Grafana writes the label's name. So they are joined into one label
    that every series has.
    """
    labels = ("severity", "substation", "job", "reason")
    firing = f'max by (alertname, {", ".join(labels)}) (ALERTS{{alertstate="firing"{selector}}})'
    joined = ", ".join(f'"{label}"' for label in labels)
    about = f'label_join({firing}, "about", " ", {joined})'
    annotation = dashboard.AnnotationQuery().name("Alerts").datasource(DATASOURCE).enable(True)
    annotation = annotation.icon_color("red").expr(about).step("5s")
    return annotation.title_format("{{alertname}}").text_format("{{about}}")


def text_of(built: dashboard.Dashboard) -> str:
    """Return the text of a dashboard's file: whatever fits into a line is written in one."""
    document: Any = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    for annotation in document["annotations"].get("list", []):
        del annotation["placement"]  # the library knows only one value, "in a menu"
    for panel in document["panels"]:
        if panel["type"] == "row":
            del panel["id"]  # 0 for each
    return _written(document) + "\n"


def _written(value: Any, indent: str = "") -> str:
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) < _WIDTH or not isinstance(value, dict | list):
        return line
    inner = f"{indent}  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_written(item, inner)}" for key, item in value.items()]
    else:
        items = [_written(item, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{closing}"
