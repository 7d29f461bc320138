"""Counts and logs what reached a service and was no request, so that no app answered it."""

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
    """One for a service."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self._answers = Counter(
            "http_malformed_requests",
            "Answers to what is no request, or too large for now; none is in http_requests_total",
            ["status"],
            registry=registry,
        )
        self._log = log
        self._log_throttle = LogThrottle()

    def note(self, problem: Malformed, environ: "WSGIEnvironment") -> dict[str, str]:
        """Count one, log it unless its caller's last was logged just now, and return its id.

        Args:
            problem: what it is answered with.
            environ: what was read of it.

        Returns:
            The header for its answer that names it.
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
