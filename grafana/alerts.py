"""Tables of firing and pending alerts, with links."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as d
from grafana_foundation_sdk.models import prometheus

from grafana import colours, runbook
from grafana.panels import SUBSTATION_UID, Panel, properties, value_mapping
from grafana.queries import DATASOURCE, Query

BALANCER_UID = "ev-grid-balancer"
_STATES = {"firing": ("firing", colours.BAD), "pending": ("pending", colours.WARNING)}
# Grafana's own page of a rule, whichever Prometheus file contains it.
_RULE = ("Rule", "/alerting/Prometheus/${__value.raw}/find")
_RUNBOOK = ("What to do", runbook.section_url("${__value.text}"))


def of_substations(selector: str = "", *, span: int = 12) -> Panel:
    """Build the table of alerts about one substation each."""
    substation = (
        "Open ${__value.raw}",
        f"/d/{SUBSTATION_UID}?var-substation=${{__value.raw}}&${{__url_time_range}}",
    )
    return _table(
        "Alerts of substations",
        "Firing and pending alerts about one substation, firing ones first.",
        f'{{substation!=""{selector}}}',
        {"substation": "Substation", "status": "Status"},
        {"Substation": [substation]},
        span,
    )


def of_the_grid(*, span: int = 12) -> Panel:
    """Build the table of alerts about the grid or one of its services."""
    to_dashboard = ("Load balancer", f"/d/{BALANCER_UID}?${{__url_time_range}}")
    return _table(
        "Alerts of the whole grid",
        "Firing and pending alerts about the grid or one of its services, firing ones first. "
        "The choice of a substation does not filter them.",
        '{substation=""}',
        {"job": "Service", "reason": "Reason", "status": "Status"},
        {"Alert": [to_dashboard]},
        span,
    )


def _table(
    title: str,
    description: str,
    selector: str,
    columns: dict[str, str],
    links: dict[str, list[tuple[str, str]]],
    span: int,
) -> Panel:
    columns = {"alertstate": "State", "severity": "Severity", "alertname": "Alert", **columns}
    links = {"Alert": [_RULE, *links.get("Alert", [])], "Runbook": [_RUNBOOK]} | {
        name: more for name, more in links.items() if name != "Alert"
    }
    rows = f"sum by ({', '.join(columns)}) (ALERTS{selector})"
    # A separate column holds the alert's name, which links to its section of the runbook.
    query = Query(f'label_join({rows}, "runbook", "", "alertname")')
    columns["runbook"] = "Runbook"
    panel = table.Panel().title(title).description(description).datasource(DATASOURCE)
    panel = panel.with_target(
        query.target("A", instant=True).format(prometheus.PromQueryFormat.TABLE)
    )
    panel = panel.unit("none").span(span).height(8).align(c.FieldTextAlignment.LEFT)
    panel = panel.no_value("No such alert is pending or firing.")
    # That is for a table without rows; a cell without a value gets a dash.
    panel = panel.override_by_field_type("string", properties({"noValue": "-"}))
    states = [value_mapping({**_STATES}).to_json()]
    coloured = {"type": "color-text"}
    panel = panel.override_by_name(
        "State", properties({"mappings": states, "custom.cellOptions": coloured})
    )
    sections = {name: (str(number), None) for name, number in runbook.numbers().items()}
    panel = panel.override_by_name(
        "Runbook", properties({"mappings": [value_mapping({**sections}).to_json()]})
    )
    for column, targets in links.items():
        urls = [{"title": text, "url": url} for text, url in targets]
        panel = panel.override_by_name(column, properties({"links": urls}))
    organize = {
        "excludeByName": {"Time": True, "Value": True},
        "indexByName": {label: index for index, label in enumerate(columns)},
        "renameByName": columns,
    }
    panel = panel.with_transformation(d.DataTransformerConfig("organize", options=organize))
    for column in ("Severity", "State"):  # sorting is stable: by state, then by severity
        sort = {"fields": {}, "sort": [{"field": column}]}
        panel = panel.with_transformation(d.DataTransformerConfig("sortBy", options=sort))
    return panel.cell_height(c.TableCellHeight.SM)
