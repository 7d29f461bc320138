"""The Flask app that every service builds on: health, metrics, errors, logs."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from werkzeug.exceptions import HTTPException

from grid_common.api.identifier import REQUEST_ID_HEADER, request_id
from grid_common.api.problems import Unavailable, problem_response, register_problem_handlers
from grid_common.drain import Drain
from grid_common.held_limit import HeldLimit
from grid_common.histograms import Histogram, Histograms
from grid_common.http.cancellation import CALLER, Caller, ClientDisconnected
from grid_common.http.refused import RefusedRequest
from grid_common.lean_flask import LeanFlask, current_g, current_request
from grid_common.logs import Log, configure_logs
from grid_common.malformed import MalformedRequests
from grid_common.routes import explain
from grid_common.settings import ServiceSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# nginx's status for "client closed request": for logs and metrics only, because nobody reads it.
_CLIENT_CLOSED_REQUEST = 499
# Counted but not timed: these durations mean nothing, and any client could add a histogram's many
# series to every scrape.
_NOT_ADMITTED = frozenset({401, 421, 429})
_WITHOUT_BODY = frozenset({"HEAD", "OPTIONS"})
# Without our server, as in a unit test, there is no connection to watch.
_NO_CALLER = Caller(None)


class ServiceResponse(Response):
    """Flask's response, except that a non-streamed 200 goes to the server without a copy.

    Flask copies the headers first to add a length, or to drop the body of a HEAD response; the
    server does both anyway. Functions registered with `call_on_close` run only for other responses.
    """

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Return the response as a WSGI app does."""
        if self.status_code != 200 or not self.is_sequence:
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return self.iter_encoded()


class BytesResponse(ServiceResponse):
    """A response whose body is already encoded."""

    def __init__(self, body: bytes, status: int, content_type: str) -> None:
        super().__init__([body], status=status, content_type=content_type)

    def iter_encoded(self) -> Iterator[bytes]:
        """Return the body's pieces."""
        return iter(self.response)  # type: ignore[arg-type] # bytes


def json_response(document: Any, status: int = 200) -> ServiceResponse:
    """Return a JSON response; a document of type bytes is JSON already."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return BytesResponse(body, status, "application/json")


class ServiceApp(LeanFlask):
    """A Flask app with the common parts of every service: log, metrics registry and drain."""

    response_class = ServiceResponse

    def __init__(self, service: str, settings: ServiceSettings, *, ready: Callable[[], str | None]):
        """Create the app; `ready` returns why the service cannot do its job now, if it cannot."""
        super().__init__(service)
        self.max_body_bytes = settings.max_body_bytes
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
        self.log: Log = configure_logs(service, settings)
        self.extensions["log"] = self.log
        self.drain = Drain(service)
        self.held_limit = HeldLimit(service)
        self.registry = CollectorRegistry()
        self._malformed = MalformedRequests(self.registry, self.log)
        self.on_check: Callable[[WSGIEnvironment], object] = lambda _environ: None  # on /healthz
        self.at_exit: list[Callable[[], object]] = []  # called when the process exits regularly
        # True: after the drain the process exits at once, and its connections with it. False:
        # remaining callers are disconnected one by one, and may still get a response.
        self.leaves_at_once = False
        self._ready = ready
        self._register_metrics()
        register_problem_handlers(self, self._explain)
        self.before_request(self._begin)
        self.after_request(self._end)
        self.add_url_rule("/healthz", view_func=self._healthz)
        self.add_url_rule("/readyz", view_func=self._readyz)
        self.add_url_rule("/metrics", view_func=self._metrics)

    def allow_connections(self, connections: int) -> None:
        """Learn how many connections there may be at once."""
        self.held_limit.allow(connections)

    def refuse(
        self, error: RefusedRequest, environ: "WSGIEnvironment"
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of the response to a request that the server refuses."""
        return self._malformed.respond(error, environ)

    def describe(self, document: dict[str, Any]) -> None:
        """Serve an OpenAPI description at /openapi.json."""
        body = orjson.dumps(document)
        self.add_url_rule("/openapi.json", "openapi", lambda: json_response(body))

    def held(
        self, view: Callable[[Caller], Response], *, while_draining: bool = False
    ) -> Callable[[], Response]:
        """Decorate a view that holds its request while a vehicle charges.

        The vehicle counts as in flight until the view returns. If the caller disconnects,
        ClientDisconnected ends the view and is turned into a response that nobody reads.

        With `while_draining` the view itself refuses new vehicles, and those over the limit.
        """
        vehicle = self.drain.any_vehicle() if while_draining else self.drain.vehicle()
        limit = nullcontext() if while_draining else self.held_limit

        @wraps(view)
        def held_view() -> Response:
            try:
                with limit, vehicle, _caller() as caller:
                    return view(caller)
            except ClientDisconnected:
                return Response(status=_CLIENT_CLOSED_REQUEST)

        return held_view

    def _explain(self, error: HTTPException) -> str:
        environ = current_request().environ
        return explain(error, environ["REQUEST_METHOD"], environ["PATH_INFO"], self.url_map)

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
        self._duration = Histograms(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer",
            ["method", "route"],
            registry=self.registry,
        )

        # The children of both metrics by label values: the library's own lookup takes longer than
        # counting.
        self._meters: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}

    def _begin(self) -> None:
        noted = current_g()
        noted.request_id = request_id(current_request().environ)
        noted.began = time.perf_counter()

    def _end(self, response: Response) -> Response:
        asked, noted = current_request(), current_g()
        response.headers.add(REQUEST_ID_HEADER, noted.request_id)
        # An unknown path or method must not become a label: the caller chooses it.
        rule = asked.url_rule
        method, route = (
            (asked.environ["REQUEST_METHOD"], rule.rule) if rule else ("other", "unknown")
        )
        key = method, route, response.status_code
        meters = self._meters.get(key)
        if meters is None:
            meters = self._meters[key] = (
                self._requests.labels(method, route, str(response.status_code)),
                None
                if response.status_code in _NOT_ADMITTED or method in _WITHOUT_BODY
                else self._duration.labels(method, route),
            )
        requests, duration = meters
        requests.inc()
        if duration is not None:
            duration.observe(time.perf_counter() - noted.began)
        return response

    def _healthz(self) -> Response:
        self.on_check(current_request().environ)
        # A service that drains is alive: a liveness probe must not kill it before its last vehicles
        # leave.
        reported = "draining\n" if self.drain.active else "alive\n"
        return Response(reported, content_type="text/plain; charset=utf-8")

    def _readyz(self) -> Response:
        reason = "the service is draining" if self.drain.active else self._ready()
        if reason is None:
            return Response("ready\n", content_type="text/plain; charset=utf-8")
        return problem_response(Unavailable("not-ready", reason, retry_after_s=1))

    def _metrics(self) -> Response:
        # One format for all: the library fails on odd versions in `Accept`, and echoes them.
        return Response(generate_latest(self.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _caller() -> Caller:
    caller: Caller = current_request().environ.get(CALLER, _NO_CALLER)
    return caller
