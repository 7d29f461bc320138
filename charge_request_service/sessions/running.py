"""One session that outlives its callers, while it runs in this gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event

from charge_request_service.sessions.record import Begin, End, Kind
from grid_common.http.cancellation import CancelScope
from grid_common.http.response import UpstreamResponse


class ToStop(BaseException):
    """The session is to stop. A BaseException, so that no library on the way swallows it."""


class Running:
    """A session, and the callers that wait for it.

    Attributes:
        begin: what was asked for.
        request_id: of the request that began it.
        resumed: it was forwarded before, as far as this gateway knows.
        stopping: why it is to stop; None while it is not.
        answer: its answer, once it has ended.
        end: how it ended.
        kind: what becomes of it without a caller.
        started: it is in the ledger, and on its way.
        beginning: while it is being written; is set once that is over.
    """

    __slots__ = (
        "_callers",
        "_cancel_scope",
        "_ended",
        "_grace",
        "_grace_s",
        "_stop_asked",
        "answer",
        "begin",
        "beginning",
        "end",
        "kind",
        "request_id",
        "resumed",
        "started",
        "stopping",
    )

    def __init__(self, begin: Begin, *, request_id: str, grace_s: float, resumed: bool) -> None:
        """Prepare.

        Args:
            begin: what was asked for.
            request_id: of the request that began it.
            grace_s: how long one that has a key goes on without a caller, seconds.
            resumed: whether it was forwarded before.
        """
        self.begin = begin
        self.request_id = request_id
        self.resumed = resumed
        self.stopping: str | None = None
        self._stop_asked: Event | None = None
        self._cancel_scope: CancelScope | None = None
        self.answer: UpstreamResponse | None = None
        self.end: End | None = None
        self.kind = begin.kind
        self.started = False
        self.beginning: Event | None = None
        self._grace_s = grace_s
        self._callers = 0
        self._ended = Event()
        self._grace: Any = None

    @property
    def has_caller(self) -> bool:
        """Whether somebody waits for it."""
        return self._callers > 0

    @contextmanager
    def caller(self) -> Iterator[None]:
        """Count a caller for as long as the block runs."""
        self._callers += 1
        self._end_grace()
        try:
            yield
        finally:
            self._callers -= 1
            if self.started:
                self.watch_grace()

    def watch_grace(self) -> None:
        """Have it stop after the grace, if nobody waits for it, and it does not go on by itself."""
        if not (self._callers or self._ended.is_set() or self.kind is Kind.ASYNC or self._grace):
            self._grace = gevent.spawn_later(self._grace_s, self._grace_is_over)

    def go_on_by_itself(self) -> None:
        """Need no caller from now on."""
        self.kind = Kind.ASYNC
        self._end_grace()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Leave the session to the balancer, until it is to stop.

        Raises:
            ToStop: it is to stop.
        """
        with CancelScope() as cancel_scope:
            self._cancel_scope = cancel_scope
            try:
                if self.stopping is not None:
                    raise ToStop
                yield
            finally:
                self._cancel_scope = None

    def stop(self, why: str) -> None:
        """Have it stop, unless it has ended; `wait` tells when it has."""
        if self.stopping is None and not self._ended.is_set():
            self.stopping = why
            if self._stop_asked is not None:
                self._stop_asked.set()
            if self._cancel_scope is not None:
                self._cancel_scope.throw(ToStop())

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt, or until it is to stop."""
        if self.stopping is None:
            self._stop_asked = Event()
            self._stop_asked.wait(seconds)

    def finish(self, end: End, answer: UpstreamResponse) -> None:
        """Note how it ended, and wake those that wait."""
        self.end, self.answer = end, answer
        self._end_grace()
        self._ended.set()

    def wait(self, timeout_s: float | None = None) -> UpstreamResponse | None:
        """Wait for its answer; None when `timeout_s` passed first."""
        self._ended.wait(timeout_s)
        return self.answer

    def _grace_is_over(self) -> None:
        self._grace = None
        self.stop("its caller did not come back in time")

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.kill(block=False)
            self._grace = None
