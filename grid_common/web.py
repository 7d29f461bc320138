"""The Flask app that every service starts from: its health, its metrics, its errors, its logs."""

import re
import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Request, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from grid_common.drain import Drain
from grid_common.interrupt import Caller, CallerGone, while_caller_waits
from grid_common.logs import Log, configure_logs
from grid_common.problems import Unavailable, problem_response, register_problem_handlers
from grid_common.settings import ServiceSettings

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
# nginx's number for "the caller closed the request": for logs and metrics, nobody else reads it.
_CLIENT_CLOSED_REQUEST = 499
# Counted, and not timed: these times tell nothing, and anyone could add a histogram's many lines
# for each to every scrape from then on.
_TURNED_AWAY = frozenset({401, 421, 429})
_BODILESS = frozenset({"HEAD", "OPTIONS"})
# Charges take seconds to minutes, everything else milliseconds: buckets for both.
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class ServiceApp(Flask):
    """A Flask app with what every service has: a log, a registry of metrics and a drain."""

    def __init__(self, service: str, settings: ServiceSettings, *, ready: Callable[[], str | None]):
        """Build the app.

        Args:
            service: the name that logs and metrics use.
            settings: the service's settings.
            ready: tells why the service cannot do its job now, or None when it can.
        """
        super().__init__(service, static_folder=None)
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
        self.log: Log = configure_logs(service, settings)
        self.extensions["log"] = self.log
        self.drain = Drain(service)
        self.registry = CollectorRegistry()
        self._ready = ready
        self._register_metrics()
        register_problem_handlers(self)
        self.before_request(self._begin)
        self.after_request(self._end)
        self.add_url_rule("/healthz", view_func=_healthz)
        self.add_url_rule("/readyz", view_func=self._readyz)
        self.add_url_rule("/metrics", view_func=self._metrics)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Take a function as it is: Flask would look at each request whether it is a coroutine."""
        return func

    def held(self, view: Callable[[Caller], Response]) -> Callable[[], Response]:
        """Decorate a view that holds its request while a vehicle charges.

        The vehicle counts as in hand until the view returns; the caller's hang-up ends the view
        with CallerGone, which this turns into an answer that nobody reads.
        """

        @wraps(view)
        def held_view() -> Response:
            try:
                with self.drain.vehicle(), while_caller_waits(request.environ) as caller:
                    return view(caller)
            except CallerGone:
                return Response(status=_CLIENT_CLOSED_REQUEST)

        return held_view

    def _register_metrics(self) -> None:
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        Gauge(
            "service_draining",
            "1 while the service finishes its last vehicles",
            registry=self.registry,
        ).set_function(lambda: float(self.drain.active))
        self._requests = Counter(
            "http_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer",
            ["method", "route"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )

        # The children of both by their labels: looking them up there takes longer than counting.
        self._meters: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}

    def _begin(self) -> None:
        g.request_id = _request_id(request)
        g.began = time.perf_counter()

    def _end(self, response: Response) -> Response:
        response.headers[REQUEST_ID_HEADER] = g.request_id
        # An unknown path is the caller's choice and must not become a label, nor must its method.
        rule = request.url_rule
        method, route = (request.method, rule.rule) if rule else ("other", "unknown")
        key = method, route, response.status_code
        meters = self._meters.get(key)
        if meters is None:
            meters = self._meters[key] = (
                self._requests.labels(method, route, str(response.status_code)),
                None
                if response.status_code in _TURNED_AWAY or method in _BODILESS
                else self._duration.labels(method, route),
            )
        requests, duration = meters
        requests.inc()
        if duration is not None:
            duration.observe(time.perf_counter() - g.began)
        return response

    def _readyz(self) -> Response:
        reason = "the service drains" if self.drain.active else self._ready()
        if reason is None:
            return Response("ready\n", content_type="text/plain; charset=utf-8")
        return problem_response(Unavailable("not-ready", reason, retry_after_s=1))

    def _metrics(self) -> Response:
        # One format for all: the library fails on, and echoes, odd versions in `Accept`.
        return Response(generate_latest(self.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _healthz() -> Response:
    return Response("alive\n", content_type="text/plain; charset=utf-8")


def _request_id(incoming: Request) -> str:
    """Take over the caller's request id where it is of a harmless form, or make one."""
    given = incoming.headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
