"""Sessions from their beginning to their end: in the ledger, and at the balancer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import gevent
from gevent.event import Event

from charge_request_service.balancers import Balancers
from charge_request_service.sessions.ledger import Ledger, LedgerUnavailable, now_us
from charge_request_service.sessions.outcome import (
    answer_of,
    end_of,
    problem_answer,
    stopped,
    with_answer,
)
from charge_request_service.sessions.problems import (
    KeyReused,
    SessionRunning,
    ledger_unavailable,
)
from charge_request_service.sessions.record import Begin, End, Kind, Record
from charge_request_service.sessions.running import Running, ToStop
from grid_common.api.charge import Session
from grid_common.api.problems import Problem, Unavailable
from grid_common.drain import Drain, says_it_drains
from grid_common.held_limit import has_no_connection_free
from grid_common.http.response import UpstreamResponse
from grid_common.logs import Log
from grid_common.session_moved import says_session_moved

__all__ = ["Reply", "Sessions"]

# Pauses between attempts to go on with a session, or to stop one, grow between these, seconds.
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 2.0
# How long a caller that stops a session waits to learn what it got, seconds.
_STOP_S = 15.0
# How long a caller waits for a session that another process of this gateway left, seconds.
_TAKE_OVER_S, _LOOK_EVERY_S = 10.0, 0.1
_DISCONNECTED = "its caller disconnected"
_STOPPED = "stopped by its caller"
_RESTARTED = "its gateway was restarted"


class Reply(NamedTuple):
    """What a caller of `POST /charge` is answered.

    Attributes:
        session_id: of its session.
        answer: the session's; None where it goes on by itself.
        replayed: the session was there before.
    """

    session_id: str
    answer: UpstreamResponse | None
    replayed: bool = False


class Sessions:
    """All sessions that this gateway sees to."""

    def __init__(
        self, ledger: Ledger, balancer: Balancers, *, grace_s: float, drain: Drain, log: Log
    ) -> None:
        """Prepare; `recover` goes on with what an earlier process left.

        Args:
            ledger: where they are written.
            balancer: charges them.
            grace_s: how long one with a key goes on without its caller, seconds.
            drain: counts those that would be lost with this process.
            log: the service's log.
        """
        self._ledger = ledger
        self._balancer = balancer
        self._grace_s = grace_s
        self._drain = drain
        self._log = log
        self._running: dict[str, Running] = {}
        self._stopping: set[str] = set()  # those that do not run here
        self._plain: set[str] = set()  # plain ones whose callers are here
        self._by_key: dict[tuple[str, str], Running] = {}
        self._recovered = False

    def begin(
        self, session: Session, *, kind: Kind, owner: str, wait_s: float, named_vehicle: bool
    ) -> Begin:
        """Return the row of a session that begins now."""
        return Begin(
            session.session_id,
            session.vehicle_id if named_vehicle else None,
            *session[2:6],
            kind=kind,
            owner=owner,
            key=None,
            digest=None,
            wait_s=wait_s,
            began_us=now_us(),
            gateway=self._ledger.gateway,
        )

    def charge_plain(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        owner: str = "",
        named_vehicle: bool = True,
    ) -> UpstreamResponse:
        """Charge a vehicle for as long as its caller waits.

        Raises:
            Unavailable: the ledger or the balancer is unavailable.
        """
        begin = self.begin(
            session, kind=Kind.PLAIN, owner=owner, wait_s=wait_s, named_vehicle=named_vehicle
        )
        self._plain.add(session.session_id)
        try:
            return self._charge_plain(begin, session, request_id=request_id, wait_s=wait_s)
        finally:
            self._plain.discard(session.session_id)

    def _charge_plain(
        self, begin: Begin, session: Session, *, request_id: str, wait_s: float
    ) -> UpstreamResponse:
        try:
            # Neither the beginning nor the end is waited for. Were a killed gateway's last rows
            # lost: what it held stops with it, and the next asks the balancer for what has no end.
            self._ledger.note_begin(begin)
        except LedgerUnavailable as error:
            raise ledger_unavailable(str(error)) from None
        try:
            answer = self._balancer.charge(session, request_id=request_id, wait_s=wait_s)
        except Unavailable as problem:
            if problem.reason == "balancer-lost":
                gevent.spawn(self._settle, begin, problem.detail, request_id)
            else:
                answer = problem_answer(problem)
                self._ledger.note_end(end_of(session.session_id, answer, now_us(), keep=False))
            raise
        except BaseException:
            gevent.spawn(self._settle, begin, _DISCONNECTED, request_id)
            raise
        self._ledger.note_end(end_of(session.session_id, answer, now_us(), keep=False))
        return answer

    def charge(self, begin: Begin, *, request_id: str) -> Reply:
        """Charge a vehicle whose session outlives its caller, or find the session that it has.

        Raises:
            KeyReused: its key came with another body.
            SessionRunning: another caller with the key waits.
            Unavailable: the ledger is unavailable.
        """
        running = self._with_key_of(begin)
        if running is None:
            with self._starting(begin, request_id) as running:
                try:
                    there = self._ledger.begin(begin)
                except LedgerUnavailable as error:
                    raise ledger_unavailable(str(error)) from None
                if there is None:
                    self._start(running)
            if there is None:
                return self._reply(running, begin.kind, replayed=False)
            found = self._found(there, begin)
            if isinstance(found, Reply):
                return found
            running = found
        if running.begin.digest != begin.digest:
            raise KeyReused(running.begin.session_id)
        if running.has_caller:
            raise SessionRunning(running.begin.session_id)
        return self._reply(running, begin.kind, replayed=True)

    def stop(self, record: Record, *, request_id: str) -> None:
        """Stop a session that has not ended, and wait until it has.

        Raises:
            Unavailable: the balancer cannot be reached; a session that outlives its caller is
                stopped as soon as it can be.
        """
        running = self._running.get(record.session_id)
        if running is not None:
            running.stop(_STOPPED)
            if running.wait(_STOP_S) is None:
                raise Unavailable(
                    "balancer-unreachable",
                    "The balancer cannot be reached. The session is stopped as soon as it can be.",
                    retry_after_s=_MAX_PAUSE_S,
                    session_id=record.session_id,
                )
            return
        self._stopping.add(record.session_id)
        try:
            self._stop_elsewhere(record, request_id)
        finally:
            self._stopping.discard(record.session_id)
            # This gateway may have begun to go on with it meanwhile.
            if running := self._running.get(record.session_id):
                running.stop(_STOPPED)

    def _stop_elsewhere(self, record: Record, request_id: str) -> None:
        """Stop a session that does not run here."""
        reported = self._balancer.stop(record.session_id, request_id=request_id)
        if reported is None:
            raise Unavailable(
                "balancer-unreachable",
                "The balancer does not know this session yet.",
                retry_after_s=_MAX_PAUSE_S,
                session_id=record.session_id,
            )
        # Its own caller is answered, too, and writes the same; the first to write it counts. So
        # this one has the answer as well, where a key may ask for it again.
        begin = record.begin()
        end, answer = stopped(begin, reported, _STOPPED, now_us())
        self._ledger.end(end if begin.kind is Kind.PLAIN else with_answer(end, answer))

    def recover(self) -> None:
        """Go on with the sessions of gateways that are gone, now and whenever one goes."""
        while True:
            try:
                taken_over = self._ledger.take_over()
                if taken_over:
                    self._log.warning("sessions recovered", sessions=taken_over)
                    self._go_on()
                self._recovered = True
            except LedgerUnavailable as error:
                self._log.debug("sessions cannot be recovered yet", why=str(error))
                gevent.sleep(_MAX_PAUSE_S)
                continue
            except Exception:
                self._log.exception("unexpected error")
            if not self._ledger.is_shared:
                return
            gevent.sleep(_MAX_PAUSE_S)

    def _go_on(self) -> None:
        for record in self._ledger.open_sessions():
            if record.session_id in self._running or record.session_id in self._plain:
                continue  # begun by this process
            begin = record.begin()
            request_id = f"resumed-{record.session_id}"
            if begin.kind is Kind.PLAIN:
                gevent.spawn(self._settle, begin, _RESTARTED, request_id)
            else:
                running = self._made(begin, request_id, resumed=True)
                self._start(running)
                if record.session_id in self._stopping:
                    running.stop(_STOPPED)
                running.watch_grace()

    # A session that outlives its caller.

    def _made(self, begin: Begin, request_id: str, *, resumed: bool) -> Running:
        running = Running(begin, request_id=request_id, grace_s=self._grace_s, resumed=resumed)
        self._running[begin.session_id] = running
        if begin.key is not None:
            self._by_key[begin.owner, begin.key] = running
        return running

    def _gone(self, running: Running) -> None:
        begin = running.begin
        self._running.pop(begin.session_id, None)
        if begin.key is not None and self._by_key.get((begin.owner, begin.key)) is running:
            del self._by_key[begin.owner, begin.key]

    @contextmanager
    def _starting(self, begin: Begin, request_id: str) -> Iterator[Running]:
        """Have others with its key see it while it is being written; its caller is here."""
        running = self._made(begin, request_id, resumed=False)
        running.beginning = written = Event()
        started = False
        try:
            with running.caller():
                yield running
            started = running.started
        finally:
            running.beginning = None
            if not started:
                self._gone(running)
            written.set()

    def _with_key_of(self, begin: Begin) -> Running | None:
        """Find the session that runs here with this key.

        One that is being written is waited for: the ledger may have another one with its key.
        """
        if begin.key is None:
            return None
        while running := self._by_key.get((begin.owner, begin.key)):
            if running.beginning is None:
                return running
            running.beginning.wait()
        return None

    def _found(self, there: Record, begin: Begin) -> Running | Reply:
        """Return the session that has the key: its answer, or itself where it runs."""
        if there.digest != begin.digest:
            raise KeyReused(there.session_id)
        for _ in range(int(_TAKE_OVER_S / _LOOK_EVERY_S)):
            if running := self._running.get(there.session_id):
                return running
            if there.ended:
                return Reply(there.session_id, answer_of(there), replayed=True)
            if begin.kind is Kind.ASYNC and there.kind == Kind.ASYNC:
                return Reply(there.session_id, None, replayed=True)  # it goes on by itself
            # Another process has it, or had it, or it is about to end.
            gevent.sleep(_LOOK_EVERY_S)
            try:
                now = self._ledger.get(there.session_id)
            except LedgerUnavailable as error:
                so = "the session with this key goes on"
                raise ledger_unavailable(str(error), so=so) from None
            if now is None:
                break
            there = now
        raise SessionRunning(there.session_id)

    def _start(self, running: Running) -> None:
        running.started = True
        gevent.spawn(self._run, running)

    def _reply(self, running: Running, kind: Kind, *, replayed: bool) -> Reply:
        session_id = running.begin.session_id
        if kind is Kind.ASYNC:
            if running.kind is not Kind.ASYNC:
                try:
                    self._ledger.make_async(session_id)
                except LedgerUnavailable as error:
                    so = "the session goes on as one whose caller may come back"
                    raise ledger_unavailable(str(error), so=so) from None
                running.go_on_by_itself()
            return Reply(session_id, None, replayed)
        with running.caller():
            return Reply(session_id, running.wait(), replayed)

    def _run(self, running: Running) -> None:
        counts = self._ledger.is_lost_with_this_process
        try:
            if counts:
                self._drain.took()
            try:
                end, answer = self._outcome(running)
            finally:
                if counts:
                    self._drain.left()
        except Exception:
            self._log.exception("unexpected error", request_id=running.request_id)
            problem = Problem("The gateway met an unexpected error; its log tells more.")
            answer = problem_answer(problem)
            end = end_of(running.begin.session_id, answer, now_us(), keep=True)
        is_written = self._ledger.end(end)
        running.finish(end, answer)
        self._log.info(
            "session ended",
            session_id=end.session_id,
            vehicle_id=running.begin.session().vehicle_id,
            request_id=running.request_id,
            state=end.state,
            energy_kwh=end.energy_kwh,
            **({"why": end.reason} if end.reason else {}),
        )
        if not is_written:  # until it is, callers with its key find it here
            self._ledger.end(end, patience_s=None)
        self._gone(running)

    def _outcome(self, running: Running) -> tuple[End, UpstreamResponse]:
        begin, pause_s = running.begin, _FIRST_PAUSE_S
        while True:
            try:
                with running.in_flight():
                    answer = self._balancer.charge(
                        begin.session(),
                        request_id=running.request_id,
                        wait_s=begin.wait_s,
                        grace_s=self._grace_s,
                        resumed=running.resumed,
                    )
            except ToStop:
                why = running.stopping or _STOPPED
                end, answer = self._stop(begin, why, running.request_id)
                return with_answer(end, answer), answer
            except Unavailable as problem:
                if problem.reason != "balancer-lost" and not running.resumed:
                    answer = problem_answer(problem)  # it was in nobody's hands
                    return end_of(begin.session_id, answer, now_us(), keep=True), answer
                running.resumed = True
            else:
                is_to_come_again = says_it_drains(answer) or has_no_connection_free(answer)
                if says_session_moved(answer):
                    running.resumed = True
                elif not (running.resumed and is_to_come_again):
                    return end_of(begin.session_id, answer, now_us(), keep=True), answer
            running.pause(pause_s)
            pause_s = min(_MAX_PAUSE_S, 2 * pause_s)

    def _stop(self, begin: Begin, why: str, request_id: str) -> tuple[End, UpstreamResponse]:
        """Stop a session at the balancer, however long that takes; tell how it ended."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                reported = self._balancer.stop(begin.session_id, request_id=request_id)
                break
            except Unavailable:
                gevent.sleep(pause_s)
                pause_s = min(_MAX_PAUSE_S, 2 * pause_s)
        return stopped(begin, reported or {}, why, now_us())

    def _settle(self, begin: Begin, why: str, request_id: str) -> None:
        """Write how a plain session ended whose caller is gone, with what it got."""
        end, _ = self._stop(begin, why, request_id)
        self._ledger.end(end)
