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
            # Neither the beginning nor the end waits for its commit. If this gateway is killed and
            # its last rows are lost, its plain sessions stop with it; the next process asks the
            # balancer about those without an end.
            self._ledger.note_begin(begin)
            answer = self._forwarder.charge(session, request_id=request_id, wait_s=begin.wait_s)
        except LedgerUnavailable as error:
            raise ledger_unavailable(str(error)) from None
        except Unavailable as problem:
            if problem.reason == "balancer-lost":
                gevent.spawn(self.settle, begin, problem.detail, request_id)
            else:
                self._note_end(begin, problem_answer(problem))
            raise
        except BaseException:
            gevent.spawn(self.settle, begin, _DISCONNECTED, request_id)
            raise
        finally:
            self._running.discard(session.session_id)
        self._note_end(begin, answer)
        return answer

    def _note_end(self, begin: Begin, answer: UpstreamResponse) -> None:
        self._ledger.note_end(end_of(begin.session_id, answer, now_us(), keep=False))

    def settle(self, begin: Begin, why: str, request_id: str) -> None:
        """Stop a session whose caller is gone, and record how it ended."""
        end, _ = stop_at_balancer(self._queries, begin, why, request_id=request_id)
        self._ledger.end(end)
