"""Stops a session at its balancer, however long that takes."""

import gevent

from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.ledger import now_us
from charge_request_service.sessions.outcome import stopped
from charge_request_service.sessions.record import Begin, End
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse

# Bounds of the growing pauses between attempts to continue or to stop a session, seconds.
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 2.0


def stop_at_balancer(
    queries: BalancerQueries, begin: Begin, why: str, *, request_id: str
) -> tuple[End, UpstreamResponse]:
    """Stop a session, retrying until a balancer responds; return how it ended, and its response."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            reported = queries.stop(begin.session_id, request_id=request_id)
        except Unavailable:
            gevent.sleep(pause_s)
            pause_s = min(MAX_PAUSE_S, 2 * pause_s)
        else:
            return stopped(begin, reported or {}, why, now_us())
