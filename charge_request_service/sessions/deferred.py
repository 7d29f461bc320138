"""Beginnings that nobody waits for: a session that is soon over is written once, as a whole.

A row that is written twice costs a database more than twice as much: most indexes are, too.
"""

import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from charge_request_service.sessions.record import Begin, End, Record


class DeferredBegins:
    """Holds back beginnings, in the order in which they come, for a moment each."""

    def __init__(
        self, hand_in: Callable[[Begin], object], *, delay_s: float, look_every_s: float
    ) -> None:
        """Prepare; the first one starts it.

        Args:
            hand_in: has one written.
            delay_s: how long each is held back, seconds.
            look_every_s: how much longer that may take, seconds.
        """
        self._hand_in = hand_in
        self._delay_s, self._look_every_s = delay_s, look_every_s
        self._begins: dict[str, tuple[float, Begin]] = {}
        self._some = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def add(self, begin: Begin) -> None:
        """Hold a beginning back."""
        self._begins[begin.session_id] = (time.monotonic(), begin)
        self._some.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def with_begin(self, end: End) -> End | Record:
        """Return what to write of a session that ends: all of it where its beginning is here."""
        held = self._begins.pop(end.session_id, None)
        return end if held is None else Record.whole(held[1], end)

    def close(self) -> None:
        """Hand all in."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._hand_in_until(time.monotonic())

    def _run(self) -> None:
        while True:
            self._some.wait()
            gevent.sleep(self._look_every_s)
            self._hand_in_until(time.monotonic() - self._delay_s)
            if not self._begins:
                self._some.clear()

    def _hand_in_until(self, until: float) -> None:
        """Hand in those that came until then."""
        due = []
        for since, begin in self._begins.values():
            if since > until:
                break
            due.append(begin)
        for begin in due:
            del self._begins[begin.session_id]
            self._hand_in(begin)
