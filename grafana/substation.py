"""The dashboard of one substation: its load, vehicles, power and health."""

from grafana_foundation_sdk.builders import dashboard as dashboards

from grafana import alerts, colours, glance
from grafana import panels as p
from grafana.balancer import POLLS
from grafana.dashboard import alerts_annotation, base, row, substation_variable
from grafana.queries import QUANTILES, Query, quantiles
from load_balancer.metrics import EJECTIONS, OUTCOMES

_SESSIONS = ("charged", "aborted", "refused")
_STATUSES = ("200", "202", "400", "404", "429", "503", "500", "405")
_CHOSEN = '{substation="$substation"}'
# Third-party substations may not publish everything.
_UNPUBLISHED = "not published"
_UNPUBLISHED_LINES = "The substation does not publish this."


def dashboard() -> dashboards.Dashboard:
    """Build the dashboard."""
    built = base(p.SUBSTATION_UID, "Substation", "One substation: its load, power and health.")
    built = built.with_variable(substation_variable("The substation that is shown", several=False))
    # With the alerts of the whole grid, which concern this substation, too.
    built = built.annotation(alerts_annotation(',substation=~"$substation|"'))
    for title, panels in (
        ("Now: $substation", _now()),
        ("Load: $substation", _load()),
        ("Power: $substation", _power()),
        ("Vehicles: $substation", _vehicles()),
        ("Journal: $substation", _journal()),
        ("Process: $substation", _process()),
        (
            "Alerts",
            [alerts.of_substations(',substation="$substation"'), alerts.of_the_grid()],
        ),
    ):
        built = row(built, title, panels)
    return built


def _now() -> list[p.Panel]:
    return [
        p.stat(
            "Health",
            "State of the substation as the balancer sees it.",
            Query(glance.health(_CHOSEN)),
            steps=p.HEALTH,
            texts=p.HEALTH_TEXTS,
            span=3,
        ),
        p.share(
            "Points in use",
            "Share of the substation's points in use.",
            Query(f"substation:substation_load:ratio{_CHOSEN}"),
        ),
        p.stat(
            "Charging",
            "Vehicles charging now, as the balancer estimates them, and the number of points.",
            Query(f"max(balancer_substation_load{_CHOSEN})", "vehicles"),
            Query(f"max(balancer_substation_capacity{_CHOSEN})", "points"),
        ),
        p.stat(
            "In 10 minutes",
            "Share of the points in use in 10 minutes, if the trend of the last 10 minutes "
            "continues.",
            Query(
                f"clamp_min(predict_linear(substation:substation_load:ratio{_CHOSEN}[10m], 600), 0)"
            ),
            unit="percentunit",
            decimals=0,
            steps=p.SHARE,
            span=3,
        ),
        p.stat(
            "Power",
            "Power drawn now, and the maximum power of the substation.",
            Query(f"max(balancer_substation_power_kw{_CHOSEN})", "drawn"),
            Query(f"max(balancer_substation_power_limit_kw{_CHOSEN})", "limit"),
            unit="kwatt",
            no_value=_UNPUBLISHED,
        ),
        p.stat(
            "Gauge age",
            "Age of the balancer's last reading of the substation's gauge. After three polls it is "
            "not trusted, and the substation gets no vehicle.",
            Query(f"max(balancer_gauge_age_seconds{_CHOSEN})"),
            unit="s",
            decimals=2,
            steps=p.GAUGE_AGE,
            span=3,
        ),
        p.stat(
            "Delivered",
            "Energy delivered in the selected time range.",
            Query(f"sum(increase(substation_energy_delivered_kwh_total{_CHOSEN}[$__range]))"),
            unit="kwatth",
            decimals=0,
            span=3,
            no_value=_UNPUBLISHED,
        ),
    ]


def _load() -> list[p.Panel]:
    return [
        p.lines(
            "Load",
            "Charging vehicles according to the gauge at the last poll, and as the balancer "
            "estimates them; dashed: the points.",
            Query(f"max(balancer_substation_gauge{_CHOSEN})", "gauge"),
            Query(f"max(balancer_substation_load{_CHOSEN})", "estimate"),
            Query(f"max(balancer_substation_capacity{_CHOSEN})", "points"),
            names=["gauge", "estimate"],
            limits=["points"],
        ),
        p.lines(
            "Whose load",
            "Vehicles that this balancer sent, and those that came another way.",
            Query(f"sum(balancer_substation_own_load{_CHOSEN})", "sent by the balancer"),
            Query(f"sum(balancer_substation_foreign_load{_CHOSEN})", "came otherwise"),
            names=["sent by the balancer", "came otherwise"],
            stacked=True,
        ),
        p.health(
            "Health",
            "State of the substation as the balancer sees it.",
            Query(glance.health(_CHOSEN), "{{substation}}"),
            span=8,
            link=False,
        ),
    ]


def _power() -> list[p.Panel]:
    return [
        p.lines(
            "Power",
            "Power that the vehicles draw, and what they could draw without a limit; dashed: the "
            "maximum power of the substation.",
            Query(f"max(balancer_substation_power_kw{_CHOSEN})", "drawn"),
            Query(f"max(balancer_substation_committed_power_kw{_CHOSEN})", "committed"),
            Query(f"max(balancer_substation_power_limit_kw{_CHOSEN})", "limit"),
            unit="kwatt",
            names=["drawn", "committed"],
            limits=["limit"],
            span=8,
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Energy left",
            "Energy still to be delivered to the vehicles at the substation.",
            Query(f"max(balancer_substation_remaining_energy_kwh{_CHOSEN})", "left"),
            unit="kwatth",
            names=["left"],
            span=8,
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Predicted finish",
            "Time until the first and the last of the balancer's own vehicles are predicted to be "
            "charged.",
            Query(f"min(balancer_substation_next_finish_seconds{_CHOSEN})", "first"),
            Query(f"max(balancer_substation_last_finish_seconds{_CHOSEN})", "last"),
            unit="s",
            names=["first", "last"],
            span=8,
            no_value="No vehicle is charging, or the substation does not publish its power.",
        ),
    ]


def _vehicles() -> list[p.Panel]:
    charged = 'balancer_dispatches_total{outcome=~"charged|accepted"%s}'
    here = charged % ',substation="$substation"'
    return [
        p.lines(
            "Sessions that ended",
            "Sessions per second: charged, aborted (the caller left) or refused (full or "
            "draining).",
            Query(
                f"sum by (outcome) (rate(substation_sessions_total{_CHOSEN}[$__rate_interval]))",
                "{{outcome}}",
            ),
            unit="ops",
            names=_SESSIONS,
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Time on the point",
            "How long sessions lasted at the substation: 50%, 90% and 99% of them took at most "
            "this long.",
            *quantiles("substation_session_duration_seconds", _CHOSEN),
            unit="s",
            names=QUANTILES,
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Share of vehicles",
            "The substation's share of all charged vehicles; dashed: its share of all points.",
            Query(
                f"sum(rate({here}[$__rate_interval]))"
                f" / sum(rate({charged % ''}[$__rate_interval]))",
                "vehicles",
            ),
            Query(
                f"max(balancer_substation_capacity{_CHOSEN})"
                " / sum(max by (substation) (balancer_substation_capacity))",
                "points",
            ),
            unit="percentunit",
            maximum=1,
            names=["vehicles"],
            limits=["points"],
        ),
        p.lines(
            "Dispatches",
            "Results of the balancer's dispatches to this substation, per second.",
            Query(
                f"sum by (outcome) (rate(balancer_dispatches_total{_CHOSEN}[$__rate_interval]))",
                "{{outcome}}",
            ),
            unit="ops",
            names=OUTCOMES,
            stacked=True,
        ),
        p.lines(
            "Polls",
            "The balancer's polls of the substation's gauge, per second.",
            Query(
                f"sum by (outcome) (rate(balancer_polls_total{_CHOSEN}[$__rate_interval]))",
                "{{outcome}}",
            ),
            unit="ops",
            names=POLLS,
        ),
        p.lines(
            "Ejections",
            "Times that the balancer stopped using the substation, per minute, by reason.",
            Query(
                f"60 * sum by (reason) (rate(balancer_ejections_total{_CHOSEN}[$__rate_interval]))",
                "{{reason}}",
            ),
            unit="cpm",
            names=EJECTIONS,
        ),
    ]


def _journal() -> list[p.Panel]:
    return [
        p.stat(
            "Journal",
            "Whether the substation can write its journal. If it cannot, it accepts no new "
            "session that outlives its connection; running charges continue, and are written "
            "later.",
            Query(f"max(substation_journal_failing{_CHOSEN})"),
            steps=[(None, colours.GOOD), (1, colours.BAD)],
            texts={"0": ("written", colours.GOOD), "1": ("cannot be written", colours.BAD)},
            no_value=_UNPUBLISHED,
        ),
        p.stat(
            "Size",
            "Size of the journal's file. Beyond JOURNAL_MAX_MB it is compacted.",
            Query(f"max(substation_journal_bytes{_CHOSEN})"),
            unit="bytes",
            decimals=1,
            no_value=_UNPUBLISHED,
        ),
        p.lines(
            "Time of a commit",
            "How long commits of the journal took: 50%, 90% and 99% of them took at most this "
            "long.",
            *quantiles("substation_journal_commit_seconds", _CHOSEN),
            unit="s",
            names=QUANTILES,
            span=8,
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Registers written",
            "Session registers written to the journal, per second.",
            Query(
                f"sum(rate(substation_journal_registers_total{_CHOSEN}[$__rate_interval]))",
                "registers",
            ),
            unit="ops",
            names=["registers"],
            span=8,
            no_value=_UNPUBLISHED_LINES,
        ),
    ]


def _process() -> list[p.Panel]:
    return [
        p.lines(
            "Answers by status",
            "HTTP responses per second.",
            Query(
                f"sum by (status) (rate(http_requests_total{_CHOSEN}[$__rate_interval]))",
                "{{status}}",
            ),
            unit="reqps",
            names=_STATUSES,
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Processor",
            "Share of one CPU that the substation's process uses.",
            Query(f"sum(rate(process_cpu_seconds_total{_CHOSEN}[$__rate_interval]))", "processor"),
            unit="percentunit",
            names=["processor"],
            no_value=_UNPUBLISHED_LINES,
        ),
        p.lines(
            "Memory",
            "Memory of the substation's process.",
            Query(f"sum(process_resident_memory_bytes{_CHOSEN})", "memory"),
            unit="bytes",
            names=["memory"],
            no_value=_UNPUBLISHED_LINES,
        ),
    ]
