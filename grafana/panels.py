"""The kinds of panels in the dashboards, each with the common options of its kind."""

from collections.abc import Iterable, Sequence
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    gauge,
    piechart,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders import stat as stat_panel
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as d
from grafana_foundation_sdk.models import piechart as pie

from grafana import colours
from grafana.queries import DATASOURCE, Query

Panel = Builder[d.Panel]
# The value from which each colour applies.
Steps = Sequence[tuple[float | None, str]]

SUBSTATION_UID = "ev-grid-site"

NEUTRAL: Steps = [(None, colours.NEUTRAL)]
ANY_IS_BAD: Steps = [(None, colours.GOOD), (1, colours.BAD)]
ANY_IS_A_WARNING: Steps = [(None, colours.GOOD), (1, colours.WARNING)]
SHARE: Steps = [(None, colours.GOOD), (0.7, colours.WARNING), (0.9, colours.BAD)]
GAUGE_AGE: Steps = [(None, colours.GOOD), (1.5, colours.WARNING), (5, colours.BAD)]
WAITING: Steps = [(None, colours.GOOD), (1, colours.WARNING), (100, colours.BAD)]
HEALTH: Steps = [(None, colours.BAD), (1, colours.GOOD), (2, colours.WARNING)]
HEALTH_TEXTS = {"0": ("down", colours.BAD), "1": ("up", colours.GOOD)} | {
    "2": ("draining", colours.WARNING)
}


class _AnyPanel(Protocol):
    """The common methods of the library's panel builders, which have no common base."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: c.DataSourceRef) -> Self: ...
    def with_target(self, target: Builder[variants.Dataquery]) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...
    def mappings(self, mappings: list[d.ValueMapping]) -> Self: ...
    def thresholds(self, thresholds: Builder[d.ThresholdsConfig]) -> Self: ...
    def color_scheme(self, color: Builder[d.FieldColor]) -> Self: ...


P = TypeVar("P", bound=_AnyPanel)


def stat(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "none",
    decimals: int | None = None,
    steps: Steps = NEUTRAL,
    texts: dict[str, tuple[str, str]] | None = None,
    span: int = 4,
    no_value: str = "unknown",
) -> Panel:
    """Build a panel of current values."""
    panel = _figures(stat_panel.Panel(), queries, steps, texts or {}, no_value)
    panel = _reported(panel, title, description, unit).span(span).height(4)
    panel = panel.reduce_options(_last()).graph_mode(c.BigValueGraphMode.NONE)
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.color_mode(c.BigValueColorMode.VALUE).justify_mode(c.BigValueJustifyMode.CENTER)


def share(title: str, description: str, query: Query, *, span: int = 4) -> Panel:
    """Build a gauge from 0 to 1."""
    panel = _figures(gauge.Panel(), [query], SHARE, {}, "unknown")
    panel = _reported(panel, title, description, "percentunit").span(span).height(4)
    return panel.min(0).max(1).reduce_options(_last())


def shares_by_substation(title: str, description: str, query: Query, *, span: int) -> Panel:
    """Build a bar from 0 to 1 for each substation, with a link to its dashboard."""
    panel = _figures(bargauge.Panel(), [query], SHARE, {}, "unknown")
    panel = _reported(panel, title, description, "percentunit").span(span).height(9)
    panel = panel.min(0).max(1).reduce_options(_last()).data_links([to_substation()])
    panel = panel.orientation(c.VizOrientation.HORIZONTAL).value_mode(c.BarGaugeValueMode.COLOR)
    return panel.display_mode(c.BarGaugeDisplayMode.BASIC)


def pie_by_substation(title: str, description: str, query: Query, *, span: int) -> Panel:
    """Build a pie chart of the substations, with links to their dashboards."""
    panel = _reported(piechart.Panel(), title, description, "none").span(span).height(9).decimals(0)
    panel = panel.with_target(query.target("A", instant=True)).reduce_options(_last())
    panel = panel.no_value("No vehicle was charged.").data_links([to_substation()])
    panel = panel.color_scheme(_by_name()).pie_type(pie.PieChartType.DONUT)
    legend = piechart.PieChartLegendOptions().display_mode(c.LegendDisplayMode.TABLE)
    legend = legend.placement(c.LegendPlacement.RIGHT).show_legend(True)
    values = [pie.PieChartLegendValues.VALUE, pie.PieChartLegendValues.PERCENT]
    return panel.legend(legend.values(values))


def health(title: str, description: str, query: Query, *, span: int, link: bool) -> Panel:
    """Build a timeline of the substations' states."""
    panel = _reported(statetimeline.Panel(), title, description, "none").span(span).height(8)
    panel = panel.with_target(query.target("A", instant=False)).no_value("unknown")
    panel = panel.thresholds(_thresholds(HEALTH)).color_scheme(_by_threshold())
    panel = panel.mappings(_mappings(HEALTH_TEXTS)).line_width(0).fill_opacity(80)
    panel = panel.row_height(0.8).merge_values(True).show_value(c.VisibilityMode.AUTO)
    panel = panel.legend(common.VizLegendOptions().show_legend(False))
    return panel.data_links([to_substation()]) if link else panel


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "none",
    names: Iterable[str] = (),
    limits: Iterable[str] = (),
    stacked: bool = False,
    maximum: float | None = None,
    minimum: float | None = 0,
    alarm: tuple[float, str] | None = None,
    by_substation: bool = False,
    span: int = 8,
    no_value: str = "No data",
) -> Panel:
    """Build lines over time, with a table of the last and the highest value of each.

    Args:
        title: title of the panel.
        description: what it shows.
        queries: its queries.
        unit: unit, as Grafana names it.
        names: series that are known beforehand, which get distinct colours; other series get a
            colour by their name.
        limits: names of series that are dashed, in the colour of text.
        stacked: whether to stack the series.
        maximum: maximum of the axis.
        minimum: minimum of the axis.
        alarm: value and colour of a dashed line.
        by_substation: whether each series links to its substation's dashboard.
        span: width, in columns of 24.
        no_value: text that is shown if there are no lines.
    """
    panel = _reported(timeseries.Panel(), title, description, unit).span(span).height(9)
    panel = panel.color_scheme(_by_name()).no_value(no_value).line_width(1)
    panel = panel.fill_opacity(30 if stacked else 8).show_points(c.VisibilityMode.NEVER)
    for ref_id, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.target(ref_id, instant=False))
    if unit == "none":
        panel = panel.decimals(0)
    if minimum is not None:
        panel = panel.min(minimum)
    if maximum is not None:
        panel = panel.max(maximum)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(c.StackingMode.NORMAL).group("A"))
    if by_substation:
        panel = panel.data_links([to_substation()])
    if alarm:
        panel = panel.thresholds(_thresholds([(None, colours.GOOD), alarm]))
        dashed = common.GraphThresholdsStyleConfig().mode(c.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(dashed)
    for name, colour in zip(names, colours.SERIES, strict=False):
        panel = panel.override_by_name(name, [_fixed(colour)])
    for name in limits:
        dash = {"fill": "dash", "dash": [6, 6]}
        look = {"custom.lineStyle": dash, "custom.fillOpacity": 0}
        panel = panel.override_by_name(name, [_fixed(colours.PLAIN), *properties(look)])
    legend = common.VizLegendOptions().display_mode(c.LegendDisplayMode.TABLE).show_legend(True)
    legend = legend.placement(c.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI)
    return panel.legend(legend).tooltip(tooltip.sort(c.SortOrder.DESCENDING))


def to_substation() -> dashboard.DashboardLink:
    """Build the link from a series to its substation's dashboard."""
    name = "${__field.labels.substation}"
    url = f"/d/{SUBSTATION_UID}?var-substation={name}&${{__url_time_range}}"
    return dashboard.DashboardLink(f"Open {name}").url(url)


def properties(values: dict[str, object]) -> list[d.DynamicConfigValue]:
    """Build the properties of an override."""
    return [d.DynamicConfigValue(id_val=name, value=value) for name, value in values.items()]


def value_mapping(texts: dict[str, tuple[str, str | None]]) -> d.ValueMap:
    """Build the texts and colours that replace values."""
    return d.ValueMap(
        options={
            value: d.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(texts.items())
        }
    )


def _reported(panel: P, title: str, description: str, unit: str) -> P:
    return panel.title(title).description(description).unit(unit).datasource(DATASOURCE)


def _figures(
    panel: P,
    queries: Iterable[Query],
    steps: Steps,
    texts: dict[str, tuple[str, str]],
    no_value: str,
) -> P:
    for ref_id, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(query.target(ref_id, instant=True))
    # Without a value Grafana uses the colour of the first step, which usually means "good".
    nothing = d.SpecialValueMap(
        options=d.DashboardSpecialValueMapOptions(
            match=d.SpecialValueMatch.NULL_AND_NAN,
            result=d.ValueMappingResult(text=no_value, color=colours.PLAIN, index=len(texts)),
        )
    )
    panel = panel.mappings([*_mappings(texts), nothing]).no_value(no_value)
    return panel.thresholds(_thresholds(steps)).color_scheme(_by_threshold())


def _mappings(texts: dict[str, tuple[str, str]]) -> list[d.ValueMapping]:
    return [value_mapping({**texts})] if texts else []


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    thresholds = [d.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(d.ThresholdsMode.ABSOLUTE).steps(thresholds)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _by_threshold() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(d.FieldColorModeId.THRESHOLDS)


def _by_name() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(d.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def _fixed(colour: str) -> d.DynamicConfigValue:
    return d.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
