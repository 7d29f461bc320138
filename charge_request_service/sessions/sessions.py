"""All sessions of a gateway: begins, stops and recovers them."""

import gevent

from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.durable import DurableSessions
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.ledger import Ledger, now_us
from charge_request_service.sessions.outcome import stopped, with_answer
from charge_request_service.sessions.plain import PlainSessions
from charge_request_service.sessions.record import Begin, Kind, Record
from charge_request_service.sessions.stopping import MAX_PAUSE_S, STOPPED_BY_CALLER
from charge_request_service.sessions.terms import PLAIN, Terms, digest
from grid_common.api.charge import Session
from grid_common.api.problems import Unavailable
from grid_common.drain import Drain
from grid_common.logs import Log

# How long a request to stop a session waits for the result, seconds.
_STOP_TIMEOUT_S = 15.0
_RESTARTED = "its gateway was restarted"


class Sessions:
    """The sessions that this gateway handles.

    Attributes:
        plain: those that end with their connections.
        durable: those that outlive them.
    """

    def __init__(
        self,
        ledger: Ledger,
        forwarder: Forwarder,
        queries: BalancerQueries,
        *,
        grace_s: float,
        drain: Drain,
        log: Log,
    ) -> None:
        """Create an empty set; `recover` continues the sessions of earlier processes.

        A session with a key continues for `grace_s` seconds without its caller.
        """
        self._ledger = ledger
        self._queries = queries
        self._log = log
        self.plain = PlainSessions(ledger, forwarder, queries)
        self.durable = DurableSessions(
            ledger, forwarder, queries, grace_s=grace_s, drain=drain, log=log
        )
        self._stopping: set[str] = set()  # those that do not run here

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

        Args:
            session: what is asked for.
            terms: its key, and what happens when its caller disconnects.
            owner: name of its caller's API key; empty if there is none.
            wait_s: how long it may wait for a free point, seconds.
            vehicle_id: as sent; None if it was generated.
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
            gateway=self._ledger.gateway,
        )

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
        reported = self._queries.stop(record.session_id, request_id=request_id)
        if reported is None:
            raise _not_stopped("The balancer does not know this session yet.", record)
        # Whoever runs it writes the same end; the first one written counts. So this one includes
        # the response, too, in case a caller with the session's key asks for it again.
        begin = record.begin()
        end, answer = stopped(begin, reported, STOPPED_BY_CALLER, now_us())
        self._ledger.end(end if begin.kind is Kind.PLAIN else with_answer(end, answer))

    def recover(self) -> None:
        """Continue the sessions of gateways that are gone, now and whenever one goes."""
        while True:
            try:
                taken_over = self._ledger.take_over()
                if taken_over:
                    self._log.warning("sessions recovered", sessions=taken_over)
                    self._resume_all()
            except LedgerUnavailable as error:
                self._log.debug("sessions cannot be recovered yet", why=str(error))
                gevent.sleep(MAX_PAUSE_S)
                continue
            except Exception:
                self._log.exception("unexpected error")
            if not self._ledger.is_shared:
                return
            gevent.sleep(MAX_PAUSE_S)

    def _resume_all(self) -> None:
        for record in self._ledger.open_sessions():
            session_id = record.session_id
            if self.durable.get(session_id) or session_id in self.plain:
                continue  # begun by this process
            begin = record.begin()
            if begin.kind is Kind.PLAIN:
                gevent.spawn(self.plain.settle, begin, _RESTARTED, f"resumed-{session_id}")
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
