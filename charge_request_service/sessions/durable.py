"""Durable sessions: each outlives its connection, and a caller may attach to it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import gevent
from gevent.event import Event

from charge_request_service.balancers.forwarder import Forwarder
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.ledger import Ledger, now_us
from charge_request_service.sessions.outcome import (
    end_of,
    kept_response,
    response_for,
    with_response,
)
from charge_request_service.sessions.problems import KeyReused, SessionRunning, ledger_unavailable
from charge_request_service.sessions.record import Begin, End, Kind, Record
from charge_request_service.sessions.running import RunningSession, StopRequested
from charge_request_service.sessions.stopping import (
    FIRST_PAUSE_S,
    MAX_PAUSE_S,
    stop_at_balancer,
)
from grid_common.api.charge import STOPPED_BY_CALLER
from grid_common.api.problem_type import (
    BALANCER_LOST,
    DRAINING,
    NO_CONNECTION_FREE,
    SESSION_MOVED,
    is_refused,
)
from grid_common.api.problems import Problem, Unavailable
from grid_common.drain import Drain
from grid_common.http.response import UpstreamResponse
from grid_common.logs import Log

# How long a caller waits for a session that another process runs, and between checks, seconds.
_TAKEOVER_TIMEOUT_S, _CHECK_INTERVAL_S = 10.0, 0.1


class Reply(NamedTuple):
    """The response to `POST /charge`."""

    session_id: str
    response: UpstreamResponse | None  # None if the session continues without its caller
    replayed: bool = False  # whether the session existed before this request


@dataclass(eq=False, repr=False)
class DurableSessions:
    """The durable sessions that run in this process."""

    ledger: Ledger
    forwarder: Forwarder
    queries: BalancerQueries
    grace_s: float  # how long one with a key continues without its caller, seconds
    drain: Drain
    log: Log
    _running: dict[str, RunningSession] = field(default_factory=dict, init=False)
    _by_key: dict[tuple[str, str], RunningSession] = field(default_factory=dict, init=False)

    def get(self, session_id: str) -> RunningSession | None:
        """Return a session if it runs here."""
        return self._running.get(session_id)

    def charge(self, begin: Begin, *, request_id: str) -> Reply:
        """Begin a session, or attach to the one that has its key.

        Raises:
            KeyReused: the key was used with another body.
            SessionRunning: another caller with the key is waiting.
            Unavailable: the ledger is unavailable.
        """
        running = self._with_key_of(begin)
        if running is None:
            with self._starting(begin, request_id) as running:
                try:
                    existing = self.ledger.begin(begin)
                except LedgerUnavailable as error:
                    raise ledger_unavailable(str(error)) from None
                if existing is None:
                    self._start(running)
            if existing is None:
                return self._reply(running, begin.kind, replayed=False)
            found = self._find(existing, begin)
            if isinstance(found, Reply):
                return found
            running = found
        if running.begin.digest != begin.digest:
            raise KeyReused(running.begin.session_id)
        if running.has_caller:
            raise SessionRunning(running.begin.session_id)
        return self._reply(running, begin.kind, replayed=True)

    def resume(self, begin: Begin) -> RunningSession:
        """Continue a session of a process that is gone; its caller may attach to it."""
        running = self._add(begin, f"resumed-{begin.session_id}", resumed=True)
        self._start(running)
        return running

    def _add(self, begin: Begin, request_id: str, *, resumed: bool) -> RunningSession:
        running = RunningSession(begin, request_id, self.grace_s, resumed)
        self._running[begin.session_id] = running
        if begin.key is not None:
            self._by_key[begin.owner, begin.key] = running
        return running

    def _remove(self, running: RunningSession) -> None:
        begin = running.begin
        self._running.pop(begin.session_id, None)
        if begin.key is not None and self._by_key.get((begin.owner, begin.key)) is running:
            del self._by_key[begin.owner, begin.key]

    @contextmanager
    def _starting(self, begin: Begin, request_id: str) -> Iterator[RunningSession]:
        """Show the session to others with its key while it is being written to the ledger."""
        running = self._add(begin, request_id, resumed=False)
        running.being_written = written = Event()
        started = False
        try:
            with running.caller():
                yield running
            started = running.started
        finally:
            running.being_written = None
            if not started:
                self._remove(running)
            written.set()

    def _with_key_of(self, begin: Begin) -> RunningSession | None:
        """Return the session that runs here with this key.

        If it is being written, wait until it is: the ledger may have another one with its key.
        """
        if begin.key is None:
            return None
        while running := self._by_key.get((begin.owner, begin.key)):
            if running.being_written is None:
                return running
            running.being_written.wait()
        return None

    def _find(self, existing: Record, begin: Begin) -> RunningSession | Reply:
        """Return the session that has the key, or its response if it does not run here."""
        if existing.begin.digest != begin.digest:
            raise KeyReused(existing.session_id)
        for _ in range(int(_TAKEOVER_TIMEOUT_S / _CHECK_INTERVAL_S)):
            if running := self.get(existing.session_id):
                return running
            if existing.ended:
                return Reply(existing.session_id, kept_response(existing), replayed=True)
            if begin.kind is Kind.ASYNC and existing.begin.kind is Kind.ASYNC:
                return Reply(existing.session_id, None, replayed=True)
            # Another process runs it, or is gone, or the session is about to end.
            gevent.sleep(_CHECK_INTERVAL_S)
            try:
                now = self.ledger.get(existing.session_id)
            except LedgerUnavailable as error:
                so = "the session with this key continues"
                raise ledger_unavailable(str(error), so=so) from None
            if now is None:
                break
            existing = now
        raise SessionRunning(existing.session_id)

    def _start(self, running: RunningSession) -> None:
        running.started = True
        gevent.spawn(self._run, running)

    def _reply(self, running: RunningSession, kind: Kind, *, replayed: bool) -> Reply:
        session_id = running.begin.session_id
        if kind is Kind.ASYNC:
            if running.kind is not Kind.ASYNC:
                try:
                    self.ledger.make_async(session_id)
                except LedgerUnavailable as error:
                    so = "the session continues, and its caller may attach to it with the same key"
                    raise ledger_unavailable(str(error), so=so) from None
                running.make_async()
            return Reply(session_id, None, replayed)
        with running.caller():
            return Reply(session_id, running.wait(), replayed)

    def _run(self, running: RunningSession) -> None:
        is_counted = self.ledger.is_lost_with_this_process
        try:
            if is_counted:
                self.drain.add_new()
            try:
                end, response = self._outcome(running)
            finally:
                if is_counted:
                    self.drain.remove()
        except Exception:
            self.log.exception("unexpected error", request_id=running.request_id)
            problem = Problem("The gateway met an unexpected error; see its log.")
            response = response_for(problem)
            end = end_of(running.begin.session_id, response, now_us(), keep=True)
        is_written = self.ledger.end(end)
        running.finish(response)
        self.log.info(
            "session ended",
            session_id=end.session_id,
            vehicle_id=running.begin.vehicle,
            request_id=running.request_id,
            state=end.state,
            energy_kwh=end.energy_kwh,
            **({"why": end.reason} if end.reason else {}),
        )
        if not is_written:  # until then, callers with its key find it here
            self.ledger.end(end, patience_s=None)
        self._remove(running)

    def _outcome(self, running: RunningSession) -> tuple[End, UpstreamResponse]:
        """Forward the session until it has ended or is stopped."""
        begin, pause_s = running.begin, FIRST_PAUSE_S
        while True:
            try:
                with running.in_flight():
                    response = self.forwarder.charge(
                        begin.session(),
                        request_id=running.request_id,
                        wait_s=begin.wait_s,
                        grace_s=self.grace_s,
                        resumed=running.resumed,
                    )
            except StopRequested:
                why = running.stop_reason or STOPPED_BY_CALLER
                end, response = stop_at_balancer(
                    self.queries, begin, why, request_id=running.request_id
                )
                return with_response(end, response), response
            except Unavailable as problem:
                if problem.reason != BALANCER_LOST and not running.resumed:
                    response = response_for(problem)  # it was never forwarded
                    return end_of(begin.session_id, response, now_us(), keep=True), response
                running.resumed = True
            else:
                if is_refused(response, SESSION_MOVED):
                    running.resumed = True
                elif not (running.resumed and _is_refused_for_now(response)):
                    return end_of(begin.session_id, response, now_us(), keep=True), response
            running.pause(pause_s)
            pause_s = min(MAX_PAUSE_S, 2 * pause_s)


def _is_refused_for_now(response: UpstreamResponse) -> bool:
    return is_refused(response, DRAINING) or is_refused(response, NO_CONNECTION_FREE)
