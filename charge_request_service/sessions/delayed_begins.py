"""Delays writing the start of a session, so that one that ends soon is written only once.

Inserting a row and updating it costs a database more than twice as much as one complete insert,
because most indexes are written twice, too.
"""

import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from charge_request_service.sessions.record import Begin, End, Record


class DelayedBegins:
    """Holds each `Begin` for a short time, and writes them in order of arrival."""

    def __init__(
        self, write: Callable[[Begin], object], *, delay_s: float, check_interval_s: float
    ) -> None:
        """Create an empty queue; its greenlet starts with the first `add`.

        Each is held for `delay_s` seconds, and up to `check_interval_s` longer, then written.
        """
        self._write = write
        self._delay_s, self._check_interval_s = delay_s, check_interval_s
        self._begins: dict[str, tuple[float, Begin]] = {}
        self._not_empty = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def add(self, begin: Begin) -> None:
        """Hold a `Begin`."""
        self._begins[begin.session_id] = (time.monotonic(), begin)
        self._not_empty.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def with_begin(self, end: End) -> End | Record:
        """Return what to write when a session ends: the complete row if its `Begin` is held."""
        held = self._begins.pop(end.session_id, None)
        return end if held is None else Record(held[1], end)

    def close(self) -> None:
        """Write all that are held."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._write_until(time.monotonic())

    def _run(self) -> None:
        while True:
            self._not_empty.wait()
            gevent.sleep(self._check_interval_s)
            self._write_until(time.monotonic() - self._delay_s)
            if not self._begins:
                self._not_empty.clear()

    def _write_until(self, until: float) -> None:
        """Write those that were added by then."""
        due = []
        for since, begin in self._begins.values():
            if since > until:
                break
            due.append(begin)
        for begin in due:
            del self._begins[begin.session_id]
            self._write(begin)
