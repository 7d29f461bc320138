"""Plain sessions: each ends with its caller's connection."""

import gevent

from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.ledger import Ledger, now_us
from charge_request_service.sessions.outcome import end_of, problem_answer
from charge_request_service.sessions.problems import ledger_unavailable
from charge_request_service.sessions.record import Begin
from charge_request_service.sessions.stopping import stop_at_balancer
from grid_common.api.charge import Session
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse

_DISCONNECTED = "its caller disconnected"


class PlainSessions:
    """The plain sessions of this process."""

    def __init__(self, ledger: Ledger, forwarder: Forwarder, queries: BalancerQueries) -> None:
        self._ledger = ledger
        self._forwarder = forwarder
        self._queries = queries
        self._running: set[str] = set()

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._running

    def charge(self, begin: Begin, session: Session, *, request_id: str) -> UpstreamResponse:
        """Charge a vehicle for as long as its caller is connected.

        Raises:
            Unavailable: the ledger or the balancer is unavailable.
        """
        self._running.add(session.session_id)
        try:
            return self._charge(begin, session, request_id)
        finally:
            self._running.discard(session.session_id)

    def _charge(self, begin: Begin, session: Session, request_id: str) -> UpstreamResponse:
        try:
            # Neither the beginning nor the end waits for its commit. If this gateway is killed and
            # its last rows are lost, its plain sessions stop with it; the next process asks the
            # balancer about those without an end.
            self._ledger.note_begin(begin)
        except LedgerUnavailable as error:
            raise ledger_unavailable(str(error)) from None
        try:
            answer = self._forwarder.charge(session, request_id=request_id, wait_s=begin.wait_s)
        except Unavailable as problem:
            if problem.reason == "balancer-lost":
                gevent.spawn(self.settle, begin, problem.detail, request_id)
            else:
                answer = problem_answer(problem)
                self._ledger.note_end(end_of(session.session_id, answer, now_us(), keep=False))
            raise
        except BaseException:
            gevent.spawn(self.settle, begin, _DISCONNECTED, request_id)
            raise
        self._ledger.note_end(end_of(session.session_id, answer, now_us(), keep=False))
        return answer

    def settle(self, begin: Begin, why: str, request_id: str) -> None:
        """Stop a session whose caller is gone, and record how it ended."""
        end, _ = stop_at_balancer(self._queries, begin, why, request_id=request_id)
        self._ledger.end(end)
