"""The dashboard "Grid at a glance": substations, waiting vehicles, failures."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from grafana import alerts
from grafana import panels as p
from grafana.dashboard import alerts_annotation, base, row
from grafana.queries import QUANTILES, Query, quantiles
from load_balancer.metrics import FAILOVERS, REFUSALS

# 0 while the balancer is scraped. Without the balancer nothing is known, so there is no value.
ZERO = "0 * sum(balancer_waiting_sessions)"
STATUSES = ("200", "202", "400", "429", "503", "499")


def dashboard() -> dashboards.Dashboard:
    """Build the dashboard."""
    built = base("ev-grid-glance", "Grid at a glance", "What each substation carries, what waits.")
    built = built.annotation(alerts_annotation(""))
    for title, panels in (
        ("Now", _now()),
        ("Substations", _substations()),
        ("Vehicles", _vehicles()),
        ("Alerts", [alerts.of_substations(), alerts.of_the_grid()]),
    ):
        built = row(built, title, panels)
    return built


def health(selector: str = "") -> str:
    """Return the query of a substation's state: 0 down, 1 up, 2 draining."""
    return (
        f"2 * (max by (substation) (balancer_substation_draining{selector}) == 1)"
        f" or max by (substation) (balancer_substation_up{selector})"
    )


def waiting(*, span: int) -> p.Panel:
    """Build the panel of waiting vehicles."""
    return p.stat(
        "Waiting",
        "Vehicles waiting for a point. Some may wait by choice: a better point than the free one "
        "is expected soon.",
        Query("grid:balancer_waiting_sessions:sum"),
        steps=p.WAITING,
        span=span,
    )


def refused(*, span: int) -> p.Panel:
    """Build the panel of refused vehicles."""
    return p.stat(
        "Refused in 5 min",
        "Vehicles that the gateway refused in the last 5 minutes, for any reason.",
        Query("round(grid:charge_requests_refused:increase5m)"),
        steps=p.ANY_IS_BAD,
        span=span,
    )


def refusals(*, span: int) -> p.Panel:
    """Build the panel of refusals over time."""
    return p.lines(
        "Refusals",
        "Vehicles refused by the balancer per minute, by reason.",
        Query(
            "60 * sum by (reason) (rate(balancer_refusals_total[$__rate_interval]))", "{{reason}}"
        ),
        unit="cpm",
        names=REFUSALS,
        span=span,
    )


def failovers(*, span: int) -> p.Panel:
    """Build the panel of failovers over time."""
    return p.lines(
        "Failovers",
        "Dispatches that failed, per minute, by reason; their vehicles were sent elsewhere.",
        Query(
            "60 * sum by (reason) (rate(balancer_failovers_total[$__rate_interval]))", "{{reason}}"
        ),
        unit="cpm",
        names=FAILOVERS,
        span=span,
    )


def _now() -> list[p.Panel]:
    down = (
        "max by (substation) (balancer_substation_up) == 0"
        " unless max by (substation) (balancer_substation_draining) == 1"
    )
    return [
        p.stat(
            "Substations up",
            "Substations that get vehicles, and all known substations.",
            Query("sum(max by (substation) (balancer_substation_up))", "up"),
            Query("count(max by (substation) (balancer_substation_up))", "known"),
        ),
        p.stat(
            "Substations down",
            "Substations that the balancer cannot use: unreachable, without a trustworthy gauge, "
            "or about to be removed. Draining ones are not counted.",
            Query(f"count({down}) or {ZERO}"),
            steps=p.ANY_IS_BAD,
            span=3,
        ),
        p.share(
            "Points in use",
            "Share of charging points in use, over all substations that are up.",
            Query("grid:substation_load:ratio"),
        ),
        p.stat(
            "Charging",
            "Vehicles charging now, and the points of the substations that are up.",
            Query("grid:substation_load:sum", "vehicles"),
            Query("grid:substation_capacity:sum", "points"),
        ),
        waiting(span=3),
        refused(span=3),
        p.stat(
            "Alerts",
            "Firing alerts; the tables below list them.",
            Query(f'count(ALERTS{{alertstate="firing"}}) or {ZERO}'),
            steps=p.ANY_IS_BAD,
            span=3,
        ),
    ]


def _substations() -> list[p.Panel]:
    return [
        p.shares_by_substation(
            "Load against capacity",
            "Share of each substation's points in use. Click a bar to see the substation.",
            Query("substation:substation_load:ratio", "{{substation}}"),
            span=7,
        ),
        p.lines(
            "Load by substation",
            "Vehicles charging at each substation, as the balancer estimates them.",
            Query("substation:substation_load:max", "{{substation}}"),
            by_substation=True,
            span=11,
        ),
        p.pie_by_substation(
            "Share of vehicles by substation",
            "Vehicles that each substation charged in the selected time range. In a busy grid the "
            "shares are in proportion to the points.",
            Query(
                "round(sum by (substation) (increase("
                'balancer_dispatches_total{outcome=~"charged|accepted"}[$__range]))) > 0',
                "{{substation}}",
            ),
            span=6,
        ),
        p.health(
            "Health",
            "State of each substation as the balancer sees it.",
            Query(health(), "{{substation}}"),
            span=14,
            link=True,
        ),
        p.lines(
            "Power",
            "Power that the vehicles draw, and what they could draw without limits, at all "
            "substations that publish it; dashed: their maximum power.",
            Query("sum(max by (substation) (balancer_substation_power_kw))", "drawn"),
            Query("sum(max by (substation) (balancer_substation_committed_power_kw))", "committed"),
            Query("sum(max by (substation) (balancer_substation_power_limit_kw))", "limit"),
            unit="kwatt",
            names=["drawn", "committed"],
            limits=["limit"],
            span=10,
            no_value="No substation publishes its power.",
        ),
    ]


def _vehicles() -> list[p.Panel]:
    return [
        p.lines(
            "Time to charge",
            "From a vehicle's request to its response, including waiting and failovers: 50%, 90% "
            "and 99% of the vehicles took at most this long.",
            *quantiles("charge_request_duration_seconds"),
            unit="s",
            names=QUANTILES,
            span=12,
            no_value="No vehicle was answered.",
        ),
        p.lines(
            "Vehicles waiting",
            "Vehicles in the wait queue, those of them that left a free point for a better one, "
            "and all vehicles held by the gateway, waiting or charging.",
            Query("grid:balancer_waiting_sessions:sum", "waiting"),
            Query("sum(balancer_left_in_line_sessions)", "for a better point"),
            Query("sum(charge_requests_in_progress)", "in the grid"),
            names=["waiting", "in the grid", "for a better point"],
            span=12,
        ),
        p.lines(
            "Answers by status",
            "Responses of the gateway per second: 200 charged, 202 charging continues, 503 "
            "refused, 499 the caller disconnected.",
            Query("sum by (status) (rate(charge_requests_total[$__rate_interval]))", "{{status}}"),
            unit="reqps",
            names=STATUSES,
            stacked=True,
            no_value="No vehicle was answered.",
        ),
        refusals(span=8),
        failovers(span=8),
    ]
