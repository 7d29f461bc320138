"""All sessions of a gateway: begins, stops and recovers them, and charges plain ones."""

from dataclasses import dataclass, field

import gevent

from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.durable import DurableSessions
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.ledger import Ledger, now_us
from charge_request_service.sessions.outcome import end_of, response_for, stopped, with_response
from charge_request_service.sessions.problems import ledger_unavailable
from charge_request_service.sessions.record import Begin, Kind, Record
from charge_request_service.sessions.stopping import (
    MAX_PAUSE_S,
    stop_at_balancer,
)
from charge_request_service.sessions.terms import PLAIN, Terms, digest
from grid_common.api.charge import STOPPED_BY_CALLER, Session
from grid_common.api.problem_type import BALANCER_LOST
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse
from grid_common.logs import Log

# How long a request to stop a session waits for the result, seconds.
_STOP_TIMEOUT_S = 15.0
_DISCONNECTED = "its caller disconnected"
_RESTARTED = "its gateway was restarted"


@dataclass(eq=False, repr=False)
class Sessions:
    """The sessions that this gateway handles; `recover` continues those of earlier processes."""

    durable: DurableSessions  # those that outlive their connections; the others are plain
    ledger: Ledger
    forwarder: Forwarder
    queries: BalancerQueries
    log: Log
    _plain: set[str] = field(default_factory=set, init=False)  # those that run here
    _stopping: set[str] = field(default_factory=set, init=False)  # those that do not run here

    def begin(
        self,
        session: Session,
        *,
        terms: Terms = PLAIN,
        owner: str,
        wait_s: float,
        vehicle_id: str | None,
    ) -> Begin:
        """Return the ledger's row of a session that begins now.

        `vehicle_id` is the one that was sent; None if it was generated.
        """
        return Begin(
            session.session_id,
            vehicle_id,
            *session[2:6],
            kind=terms.kind,
            owner=owner,
            key=terms.key,
            digest=None if terms is PLAIN else digest(session, vehicle_id),
            wait_s=wait_s,
            began_us=now_us(),
            gateway=self.ledger.gateway,
        )

    def charge_plain(self, begin: Begin, session: Session, *, request_id: str) -> UpstreamResponse:
        """Charge a vehicle for as long as its caller is connected.

        Raises:
            Unavailable: the ledger or the balancer is unavailable.
        """
        self._plain.add(session.session_id)
        try:
            # Neither the beginning nor the end waits for its commit. If this gateway is killed and
            # its last rows are lost, its plain sessions stop with it; the next process asks the
            # balancer about those without an end.
            self.ledger.note_begin(begin)
            response = self.forwarder.charge(session, request_id=request_id, wait_s=begin.wait_s)
        except LedgerUnavailable as error:
            raise ledger_unavailable(str(error)) from None
        except Unavailable as problem:
            if problem.reason == BALANCER_LOST:
                gevent.spawn(self._settle, begin, problem.detail, request_id)
            else:
                self._note_end(begin, response_for(problem))
            raise
        except BaseException:
            gevent.spawn(self._settle, begin, _DISCONNECTED, request_id)
            raise
        finally:
            self._plain.discard(session.session_id)
        self._note_end(begin, response)
        return response

    def _note_end(self, begin: Begin, response: UpstreamResponse) -> None:
        self.ledger.note_end(end_of(begin.session_id, response, now_us(), keep=False))

    def _settle(self, begin: Begin, why: str, request_id: str) -> None:
        """Stop a plain session whose caller is gone, and record how it ended."""
        end, _ = stop_at_balancer(self.queries, begin, why, request_id=request_id)
        self.ledger.end(end)

    def stop(self, record: Record, *, request_id: str) -> None:
        """Stop a session that has not ended, and wait until it has.

        Raises:
            Unavailable: the balancer cannot be reached. A durable session is stopped as soon as it
                can be.
        """
        running = self.durable.get(record.session_id)
        if running is not None:
            running.stop(STOPPED_BY_CALLER)
            if running.wait(_STOP_TIMEOUT_S) is None:
                raise _not_stopped(
                    "The balancer cannot be reached. The session is stopped as soon as it can be.",
                    record,
                )
            return
        self._stopping.add(record.session_id)
        try:
            self._stop_elsewhere(record, request_id)
        finally:
            self._stopping.discard(record.session_id)
            # This gateway may have resumed it meanwhile.
            if running := self.durable.get(record.session_id):
                running.stop(STOPPED_BY_CALLER)

    def _stop_elsewhere(self, record: Record, request_id: str) -> None:
        """Stop a session that does not run here."""
        reported = self.queries.stop(record.session_id, request_id=request_id)
        if reported is None:
            raise _not_stopped("The balancer does not know this session yet.", record)
        # Whoever runs it writes the same end; the first one written counts. So this one includes
        # the response, too, in case a caller with the session's key asks for it again.
        begin = record.begin
        end, response = stopped(begin, reported, STOPPED_BY_CALLER, now_us())
        self.ledger.end(end if begin.kind is Kind.PLAIN else with_response(end, response))

    def recover(self) -> None:
        """Continue the sessions of gateways that are gone, now and whenever one goes."""
        while True:
            try:
                taken_over = self.ledger.take_over()
                if taken_over:
                    self.log.warning("sessions recovered", sessions=taken_over)
                    self._resume_all()
            except LedgerUnavailable as error:
                self.log.debug("sessions cannot be recovered yet", why=str(error))
                gevent.sleep(MAX_PAUSE_S)
                continue
            except Exception:
                self.log.exception("unexpected error")
            if not self.ledger.is_shared:
                return
            gevent.sleep(MAX_PAUSE_S)

    def _resume_all(self) -> None:
        for record in self.ledger.open_sessions():
            session_id = record.session_id
            if self.durable.get(session_id) or session_id in self._plain:
                continue  # begun by this process
            begin = record.begin
            if begin.kind is Kind.PLAIN:
                gevent.spawn(self._settle, begin, _RESTARTED, f"resumed-{session_id}")
            else:
                running = self.durable.resume(begin)
                if session_id in self._stopping:
                    running.stop(STOPPED_BY_CALLER)
                running.start_grace()


def _not_stopped(detail: str, record: Record) -> Unavailable:
    return Unavailable(
        "balancer-unreachable",
        detail,
        retry_after_s=MAX_PAUSE_S,
        session_id=record.session_id,
    )
