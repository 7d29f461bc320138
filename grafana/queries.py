"""The panels' Prometheus queries."""

from collections.abc import Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import common as c

DATASOURCE = c.DataSourceRef(type_val="prometheus", uid="prometheus")
# Rates look back over four of these, a minute, or further if the points of a line are further
# apart: whatever the time range, no event falls between two of them.
_RATE_STEP = "15s"


@dataclass(frozen=True)
class Query:
    """A Prometheus query, and the name of its result."""

    expr: str
    legend: str = ""

    def target(self, ref_id: str, *, instant: bool) -> prometheus.Dataquery:
        """Build the query: an instant query, or one over the selected time range."""
        target = prometheus.Dataquery().expr(self.expr).ref_id(ref_id)
        target = target.instant() if instant else target.range()
        if self.legend:
            target = target.legend_format(self.legend)
        if "$__rate_interval" in self.expr:
            target = target.interval(_RATE_STEP)
        return target


QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def quantiles(
    histogram: str, selector: str = "", *, of: Mapping[str, float] = QUANTILES
) -> list[Query]:
    """Build the queries of a histogram's quantiles, by the names of the shares."""
    rate = f"sum by (le) (rate({histogram}_bucket{selector}[$__rate_interval]))"
    return [Query(f"histogram_quantile({share}, {rate})", name) for name, share in of.items()]
