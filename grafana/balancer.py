"""The balancer's dashboard: its choices, its knowledge, failovers and refusals."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from grafana import alerts, colours, glance, ledger, services
from grafana import panels as p
from grafana.dashboard import alerts_annotation, base, row, substation_variable
from grafana.queries import QUANTILES, Query, quantiles
from load_balancer.metrics import EJECTIONS, OUTCOMES

POLLS = ("ok", "bad_page", "unreachable")
# Row titles name the variable if it filters the row; all other rows cover the whole grid.
_CHOSEN = 'substation=~"$substation"'


def dashboard() -> dashboards.Dashboard:
    """Build the dashboard."""
    built = base(alerts.BALANCER_UID, "Load balancer", "How the balancer chooses, what it knows.")
    variable = substation_variable("The substations in rows that name them", several=True)
    built = built.with_variable(variable).annotation(alerts_annotation(""))
    for title, panels in (
        ("Now: the whole grid", _now()),
        ("Decisions: $substation", _decisions()),
        ("What the balancer knows: $substation", _knowledge()),
        ("What goes wrong: the whole grid", _failures()),
        ("Ledger: the whole grid", ledger.panels()),
        ("Services: the whole grid", services.panels()),
        ("Alerts: the whole grid", [alerts.of_substations(), alerts.of_the_grid()]),
    ):
        built = row(built, title, panels)
    return built


def _now() -> list[p.Panel]:
    return [
        p.stat(
            "Dispatched",
            "Vehicles charged per second, over the last minute.",
            Query('sum(rate(balancer_dispatches_total{outcome=~"charged|accepted"}[1m]))'),
            unit="ops",
            decimals=1,
        ),
        glance.waiting(span=4),
        p.stat(
            "Unequal by",
            "Difference between the fullest and the emptiest substation that accepts vehicles, as "
            "a share of their points.",
            Query("grid:substation_load:spread"),
            unit="percentunit",
            decimals=0,
            steps=[(None, colours.GOOD), (0.4, colours.WARNING)],
        ),
        p.stat(
            "Oldest gauge",
            "Age of the oldest gauge reading. A substation whose gauge is older than three polls "
            "(1.5 s) gets no vehicle.",
            Query("max(balancer_gauge_age_seconds)"),
            unit="s",
            decimals=2,
            steps=p.GAUGE_AGE,
        ),
        p.stat(
            "Failovers in 5 min",
            "Dispatches that failed in the last 5 minutes; their vehicles were sent elsewhere.",
            Query("round(sum(reason:balancer_failovers:increase5m))"),
            steps=p.ANY_IS_A_WARNING,
        ),
        glance.refused(span=4),
    ]


def _decisions() -> list[p.Panel]:
    charged = f'balancer_dispatches_total{{outcome=~"charged|accepted",{_CHOSEN}}}'
    return [
        p.lines(
            "Vehicles by substation",
            "Vehicles that each substation charged, per second.",
            Query(f"sum by (substation) (rate({charged}[$__rate_interval]))", "{{substation}}"),
            unit="ops",
            by_substation=True,
        ),
        p.lines(
            "Dispatches by outcome",
            "Results of dispatches, per second: charged, accepted (202, charging continues), full "
            "or draining (dispatched again), rejected, failed, revoked from a substation that "
            "died, aborted by the caller.",
            Query(
                "sum by (outcome) "
                f"(rate(balancer_dispatches_total{{{_CHOSEN}}}[$__rate_interval]))",
                "{{outcome}}",
            ),
            unit="ops",
            names=OUTCOMES,
            stacked=True,
        ),
        p.lines(
            "Points in use by substation",
            "Share of each substation's points in use. The closer the lines, the better the "
            "choices.",
            Query(f"substation:substation_load:ratio{{{_CHOSEN}}}", "{{substation}}"),
            unit="percentunit",
            by_substation=True,
        ),
    ]


def _knowledge() -> list[p.Panel]:
    def by_substation(metric: str) -> Query:
        return Query(f"max by (substation) ({metric}{{{_CHOSEN}}})", "{{substation}}")

    estimate, gauge = "balancer_substation_load", "balancer_substation_gauge"
    return [
        p.lines(
            "Estimate",
            "Load by substation as the balancer estimates it when it chooses.",
            by_substation(estimate),
            by_substation=True,
        ),
        p.lines(
            "Estimate minus gauge",
            "Difference between the estimate and the gauge at the last poll: the vehicles that "
            "came and went since, as counted by the balancer.",
            Query(
                f"max by (substation) ({estimate}{{{_CHOSEN}}} - {gauge}{{{_CHOSEN}}})",
                "{{substation}}",
            ),
            minimum=None,
            by_substation=True,
        ),
        p.lines(
            "Foreign load",
            "Estimated vehicles at each substation that did not come through this balancer.",
            by_substation("balancer_substation_foreign_load"),
            by_substation=True,
        ),
        p.lines(
            "Gauge age",
            "Age of each substation's gauge reading; dashed line: three polls, after which it is "
            "not trusted.",
            by_substation("balancer_gauge_age_seconds"),
            unit="s",
            alarm=(1.5, colours.WARNING),
            by_substation=True,
        ),
        p.lines(
            "Polls",
            "Polls of the substations' gauges, per second.",
            Query(
                f"sum by (outcome) (rate(balancer_polls_total{{{_CHOSEN}}}[$__rate_interval]))",
                "{{outcome}}",
            ),
            unit="ops",
            names=POLLS,
        ),
        p.lines(
            "Ejections",
            "Ejections of a substation per minute, by reason.",
            Query(
                "60 * sum by (reason) "
                f"(rate(balancer_ejections_total{{{_CHOSEN}}}[$__rate_interval]))",
                "{{reason}}",
            ),
            unit="cpm",
            names=EJECTIONS,
        ),
    ]


def _failures() -> list[p.Panel]:
    return [
        glance.failovers(span=8),
        glance.refusals(span=8),
        p.lines(
            "Time waited",
            "How long vehicles waited for a point: 50%, 90% and 99% of them waited at most this "
            "long.",
            *quantiles("balancer_wait_seconds"),
            unit="s",
            names=QUANTILES,
            no_value="No vehicle was dispatched.",
        ),
        _prediction(),
    ]


def _prediction() -> p.Panel:
    spread = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
    return p.lines(
        "Prediction error",
        "How much longer vehicles charged than predicted at their dispatch, as a share of the "
        "prediction; negative if it was shorter. 10% are at most p10, 50% at most p50, 90% at most "
        "p90.",
        *quantiles("balancer_prediction_error_ratio", of=spread),
        unit="percentunit",
        names=spread,
        minimum=None,
        span=24,
        no_value="No substation publishes what a prediction needs, or no vehicle was charged.",
    )
