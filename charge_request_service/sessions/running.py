"""One durable session while it runs in this gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event

from charge_request_service.sessions.record import Begin, Kind
from grid_common.http.cancellation import CancelScope
from grid_common.http.response import UpstreamResponse


class StopRequested(BaseException):
    """The session is to stop. A BaseException, so that no library swallows it."""


@dataclass(slots=True, eq=False, repr=False)
class RunningSession:
    """A session, and the callers that wait for it."""

    begin: Begin  # what was asked for
    request_id: str  # of the request that began it
    grace_s: float  # how long one with a key continues without a caller, seconds
    resumed: bool  # whether it may have been forwarded before
    started: bool = False  # whether it is in the ledger and being forwarded
    being_written: Event | None = None  # set at the end of its being written to the ledger
    stop_reason: str | None = None  # why it is to stop, if it is
    response: UpstreamResponse | None = None  # its response, once it has ended
    kind: Kind = field(init=False)  # what happens to it without a caller
    _callers: int = 0
    _ended: Event = field(default_factory=Event, init=False)
    _stop_asked: Event | None = None
    _cancel_scope: CancelScope | None = None
    _grace: Any = None

    def __post_init__(self) -> None:
        self.kind = self.begin.kind

    @property
    def has_caller(self) -> bool:
        """Whether a caller waits for it."""
        return self._callers > 0

    @contextmanager
    def caller(self) -> Iterator[None]:
        """Count a caller while the block runs."""
        self._callers += 1
        self._end_grace()
        try:
            yield
        finally:
            self._callers -= 1
            if self.started:
                self.start_grace()

    def start_grace(self) -> None:
        """Stop it after the grace, unless a caller waits for it or it is asynchronous."""
        if not (self._callers or self._ended.is_set() or self.kind is Kind.ASYNC or self._grace):
            self._grace = gevent.spawn_later(self.grace_s, self._grace_is_over)

    def make_async(self) -> None:
        """Let it continue without a caller from now on."""
        self.kind = Kind.ASYNC
        self._end_grace()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Run the block, which waits for the balancer, until the session is to stop.

        Raises:
            StopRequested: the session is to stop.
        """
        with CancelScope() as cancel_scope:
            self._cancel_scope = cancel_scope
            try:
                if self.stop_reason is not None:
                    raise StopRequested
                yield
            finally:
                self._cancel_scope = None

    def stop(self, why: str) -> None:
        """Request its stop, unless it has ended; `wait` returns when it has."""
        if self.stop_reason is None and not self._ended.is_set():
            self.stop_reason = why
            if self._stop_asked is not None:
                self._stop_asked.set()
            if self._cancel_scope is not None:
                self._cancel_scope.throw(StopRequested())

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt, or until it is to stop."""
        if self.stop_reason is None:
            self._stop_asked = Event()
            self._stop_asked.wait(seconds)

    def finish(self, response: UpstreamResponse) -> None:
        """Record its response, and wake its callers."""
        self.response = response
        self._end_grace()
        self._ended.set()

    def wait(self, timeout_s: float | None = None) -> UpstreamResponse | None:
        """Wait for its response; return None if `timeout_s` passed first."""
        self._ended.wait(timeout_s)
        return self.response

    def _grace_is_over(self) -> None:
        self._grace = None
        self.stop("its caller did not come back in time")

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.kill(block=False)
            self._grace = None
