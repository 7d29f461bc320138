"""Counts, logs and responds to malformed requests, which never reach an app."""

import time
from typing import TYPE_CHECKING

import orjson
from prometheus_client import CollectorRegistry, Counter

from grid_common.addresses import network
from grid_common.api.identifier import REQUEST_ID_HEADER, request_id
from grid_common.api.problem_type import CONTENT_TYPE, unavailable_type
from grid_common.api.problems import Problem
from grid_common.http.refused import RefusedRequest, TooMuchHeld
from grid_common.log_throttle import LogThrottle
from grid_common.logs import Log

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MALFORMED = "urn:ev-grid:problem:malformed"


class MalformedRequests:
    """The malformed requests of one service."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self._responses = Counter(
            "http_malformed_requests",
            "Malformed requests, and those too large for now; not in http_requests_total",
            ["status"],
            registry=registry,
        )
        self._log = log
        self._log_throttle = LogThrottle()

    def respond(
        self, error: RefusedRequest, environ: "WSGIEnvironment"
    ) -> tuple[dict[str, str], bytes]:
        """Count a malformed request, log it unless the caller repeats itself, respond to it.

        `environ` has the part of the request that was parsed. Returns the response's headers, with
        the request's ID, and its body.
        """
        self._responses.labels(str(error.status.value)).inc()
        address, given_id = environ.get("REMOTE_ADDR", ""), request_id(environ)
        not_logged = self._log_throttle.count(network(address), time.monotonic())
        too_large = isinstance(error, TooMuchHeld)
        if not_logged is not None:
            self._log.warning(
                "large request turned away" if too_large else "malformed request",
                address=address,
                status=error.status.value,
                why=error.detail,
                not_logged=not_logged,
                request_id=given_id,
            )
        problem = Problem(error.detail)
        problem.type = unavailable_type("requests-too-large") if too_large else _MALFORMED
        problem.status, problem.title = error.status, error.status.phrase
        headers = {"Content-Type": CONTENT_TYPE, **error.headers, REQUEST_ID_HEADER: given_id}
        return headers, orjson.dumps(problem.document())
