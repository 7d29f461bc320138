"""What each service uses and answers: panels of the balancer's dashboard."""

from grafana import colours
from grafana import panels as p
from grafana.queries import Query

_JOBS = ("charge_request_service", "load_balancer", "substation")


def panels() -> list[p.Panel]:
    """Build the panels."""
    errors = 'status=~"5..",status!="503"'
    return [
        p.lines(
            "Errors",
            "Answers of 5xx but 503 a second, by service.",
            Query(
                f"sum by (job) (rate(http_requests_total{{{errors}}}[$__rate_interval]))"
                " or 0 * sum by (job) (rate(http_requests_total[$__rate_interval]))",
                "{{job}}",
            ),
            unit="reqps",
            names=_JOBS,
            alarm=(0.01, colours.BAD),
        ),
        p.lines(
            "Processor",
            "Share of one processor that each service uses.",
            Query(
                "sum by (job) "
                '(rate(process_cpu_seconds_total{job!="prometheus"}[$__rate_interval]))',
                "{{job}}",
            ),
            unit="percentunit",
            names=_JOBS,
        ),
        p.lines(
            "Memory",
            "Memory that each service holds, all its processes together.",
            Query('sum by (job) (process_resident_memory_bytes{job!="prometheus"})', "{{job}}"),
            unit="bytes",
            names=_JOBS,
        ),
        p.lines(
            "Connections",
            "Files and connections that the gateway and the balancer hold open; dashed: their "
            "limit.",
            Query(f'max by (job) (process_open_fds{{job=~"{"|".join(_JOBS[:2])}"}})', "{{job}}"),
            Query(f'min(process_max_fds{{job=~"{"|".join(_JOBS[:2])}"}})', "limit"),
            names=_JOBS[:2],
            limits=["limit"],
        ),
        p.lines(
            "Requests",
            "HTTP requests a second, by service.",
            Query("sum by (job) (rate(http_requests_total[$__rate_interval]))", "{{job}}"),
            unit="reqps",
            names=_JOBS,
        ),
        p.lines(
            "Time to answer a scrape",
            "99 in 100 answers to GET /metrics took at most this long, by service: reading the "
            "gauges must not wait on charging.",
            Query(
                "histogram_quantile(0.99, sum by (job, le) (rate("
                'http_request_duration_seconds_bucket{route="/metrics"}[$__rate_interval])))',
                "{{job}}",
            ),
            unit="s",
            names=_JOBS,
            alarm=(0.1, colours.BAD),
        ),
    ]
