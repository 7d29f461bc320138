"""Counts and logs malformed requests, which never reach an app."""

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter

from grid_common.addresses import network
from grid_common.http.head import Malformed
from grid_common.log_throttle import LogThrottle
from grid_common.logs import Log
from grid_common.request_id import REQUEST_ID_HEADER, request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class MalformedRequests:
    """The malformed requests of one service."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self._answers = Counter(
            "http_malformed_requests",
            "Malformed requests, and those too large for now; not in http_requests_total",
            ["status"],
            registry=registry,
        )
        self._log = log
        self._log_throttle = LogThrottle()

    def note(self, problem: Malformed, environ: "WSGIEnvironment") -> dict[str, str]:
        """Count a malformed request, log it unless the caller repeats itself, return its ID.

        Args:
            problem: the response.
            environ: the part of the request that was parsed.

        Returns:
            The response header that carries the ID.
        """
        self._answers.labels(str(problem.status.value)).inc()
        address, given_id = environ.get("REMOTE_ADDR", ""), request_id(environ)
        not_logged = self._log_throttle.count(network(address), time.monotonic())
        if not_logged is not None:
            self._log.warning(
                problem.event,
                address=address,
                status=problem.status.value,
                why=problem.detail,
                not_logged=not_logged,
                request_id=given_id,
            )
        return {REQUEST_ID_HEADER: given_id}
