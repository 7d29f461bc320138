"""Resource use and responses of each service: panels of the balancer's dashboard."""

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
            "Responses of 5xx except 503 per second, by service.",
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
            "Share of one CPU that each service uses.",
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
            "Memory of each service, all its processes together.",
            Query('sum by (job) (process_resident_memory_bytes{job!="prometheus"})', "{{job}}"),
            unit="bytes",
            names=_JOBS,
        ),
        p.lines(
            "Connections",
            "Open files and connections of the gateway and the balancer; dashed: their limit.",
            Query(f'max by (job) (process_open_fds{{job=~"{"|".join(_JOBS[:2])}"}})', "{{job}}"),
            Query(f'min(process_max_fds{{job=~"{"|".join(_JOBS[:2])}"}})', "limit"),
            names=_JOBS[:2],
            limits=["limit"],
        ),
        p.lines(
            "Requests",
            "HTTP requests per second, by service.",
            Query("sum by (job) (rate(http_requests_total[$__rate_interval]))", "{{job}}"),
            unit="reqps",
            names=_JOBS,
        ),
        p.lines(
            "Time to answer a scrape",
            "99% of the responses to GET /metrics took at most this long, by service. Reading the "
            "gauges must not wait for charging.",
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
