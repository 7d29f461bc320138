"""The ledger of sessions, for greenlets: nothing here blocks the event loop."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import gevent
from prometheus_client import CollectorRegistry
from sqlalchemy import URL, Connection

from charge_request_service.sessions.cleanup import Cleanup
from charge_request_service.sessions.database import Database
from charge_request_service.sessions.delayed_begins import DelayedBegins
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.group_commit import GroupCommit
from charge_request_service.sessions.listing import Page, Query, read_page
from charge_request_service.sessions.metrics import LedgerMetrics
from charge_request_service.sessions.reader import Reader
from charge_request_service.sessions.record import Begin, End, Forget, Record
from charge_request_service.sessions.store import Store, Tally
from charge_request_service.sessions.threads import Threads
from charge_request_service.sessions.writer import Writer
from grid_common.logs import Log

_Result = TypeVar("_Result")

# Maximum time that a row waits to be written, and a query for its result, seconds.
_PATIENCE_S = 5.0
# Minimum time between the beginnings of two commits if nobody waits for them, seconds.
_LONG_COMMIT_PAUSE_S = 0.02
# How long the row of a plain session is delayed, and the time between checks, seconds. If the
# session ends by then, one row is written instead of two.
_BEGIN_DELAY_S, _BEGIN_CHECK_INTERVAL_S = 0.04, 0.02
# A thread that computes gives way to the event loop after this time, seconds; Python's default is
# 5 ms.
_SWITCH_INTERVAL_S = 0.0001
_READERS = 4


def now_us() -> int:
    """Return the time, microseconds since 1970."""
    return time.time_ns() // 1000


class Ledger:
    """Records and finds sessions.

    Each method raises LedgerUnavailable if the database does not respond in time.

    Attributes:
        gateway: name of this process in the ledger, a new one at each start.
        cleanup: removes what is past its retention.
    """

    def __init__(
        self,
        url: URL,
        *,
        retention_s: float,
        key_retention_s: float,
        log: Log,
        registry: CollectorRegistry,
        patience_s: float = _PATIENCE_S,
        clock_us: Callable[[], int] = now_us,
    ) -> None:
        """Open the ledger. Its tables must exist, but its server may be down.

        Args:
            url: result of `read_ledger_url`.
            retention_s: how long sessions are kept after their end, seconds.
            key_retention_s: how long keys and responses are kept, seconds.
            log: the service's log.
            registry: for its metrics.
            patience_s: maximum time that a row waits to be written, and a query for its result,
                seconds.
            clock_us: returns the time, microseconds since 1970.
        """
        sys.setswitchinterval(min(_SWITCH_INTERVAL_S, sys.getswitchinterval()))
        self.gateway = secrets.token_hex(8)
        self._log = log
        self._patience_s = patience_s
        self._database = database = Database(url)
        self._store = Store(database.dialect)
        self._writer = Writer(database, self._store, gateway=self.gateway, log=log)
        readers = 1 if database.in_memory else _READERS
        self._reading = self._writer.thread if database.in_memory else Threads(readers)
        self._reader = Reader(database, self._reading, connections=readers, patience_s=patience_s)
        metrics = LedgerMetrics(
            registry,
            waiting=lambda: self._commits.waiting,
            up=lambda: float(self.unavailable_reason() is None),
        )
        self._commits = GroupCommit(
            self._writer.thread,
            self._writer.write,
            pause_s=database.commit_pause_s,
            long_pause_s=_LONG_COMMIT_PAUSE_S,
            committed=metrics.committed,
            changed=self._changed,
        )
        self._begins = DelayedBegins(
            lambda begin: self._commits.submit(begin, lasting=True, awaited=False),
            delay_s=_BEGIN_DELAY_S,
            check_interval_s=_BEGIN_CHECK_INTERVAL_S,
        )
        self.cleanup = Cleanup(
            database,
            self._store,
            self._reader,
            self._writer,
            retention_s=retention_s,
            key_retention_s=key_retention_s,
            metrics=metrics,
            clock_us=clock_us,
            log=log,
        )

    def unavailable_reason(self) -> str | None:
        """Return why nothing can be written now; None if it can."""
        reason = self._commits.unavailable_reason
        if reason is None and self._commits.stalled_s() > self._patience_s:
            return "the ledger does not answer"
        return reason

    def begin(self, begin: Begin) -> Record | None:
        """Record that a session begins.

        Returns:
            The existing session with its key, or None if it began.

        Raises:
            LedgerUnavailable: it was not recorded; the session must not continue.
        """
        self._require_available()
        pending = self._commits.submit(begin, lasting=False, awaited=True)
        try:
            is_new = pending.wait(self._patience_s)
        except BaseException as error:
            # It may still be written, or already be if the connection broke during the commit.
            if not self._commits.withdraw(pending):
                self.forget(begin.session_id)
            if isinstance(error, gevent.Timeout):
                raise LedgerUnavailable("the ledger does not answer") from None
            raise
        if is_new:
            return None
        existing = self.by_key(begin.owner, begin.key) if begin.key is not None else None
        if existing is None:  # removed in between, or not inserted for another reason
            raise LedgerUnavailable("the session could not be written")
        return existing

    def note_begin(self, begin: Begin) -> None:
        """Record within some 80 ms that a session without a key begins.

        Raises:
            LedgerUnavailable: nothing can be written now; the session must not continue.
        """
        self._require_available()
        self._begins.add(begin)

    def end(self, end: End, *, patience_s: float | None = _PATIENCE_S) -> bool:
        """Record how a session ended; return False if that takes longer than `patience_s`.

        Then it is written as soon as possible. Of two ends the first one counts.
        """
        job = self._begins.with_begin(end)
        pending = self._commits.submit(job, lasting=True, awaited=True)
        try:
            pending.wait(patience_s)
        except gevent.Timeout:
            return False
        return True

    def note_end(self, end: End) -> None:
        """Record how a session ended, within some 20 ms if the database works."""
        self._commits.submit(self._begins.with_begin(end), lasting=True, awaited=False)

    def forget(self, session_id: str) -> None:
        """Delete a session that was never forwarded, without waiting for it."""
        self._commits.submit(Forget(session_id), lasting=True, awaited=False)

    def make_async(self, session_id: str) -> None:
        """Record that a session continues without a caller; it may still be if this raises."""
        self._require_available()
        with gevent.Timeout(self._patience_s, LedgerUnavailable("the ledger does not answer")):
            self._writer.run(self._store.make_async, session_id)

    def take_over(self) -> int:
        """Take over the open sessions of gateways that are gone; return how many."""
        return self._writer.run(self._writer.take_over)

    def get(self, session_id: str) -> Record | None:
        """Return a session."""
        return self._reader.read(self._store.get, session_id)

    def by_key(self, owner: str, key: str) -> Record | None:
        """Return the session with this owner's key."""
        return self._reader.read(self._store.by_key, owner, key)

    def page(self, query: Query) -> Page:
        """List sessions, newest first."""
        return self._reader.read(read_page, query)

    def tallies(self, since_ms: int, owner: str | None) -> list[Tally]:
        """Sum up the sessions that began since then, by state."""
        return self._reader.read(self._store.tallies, since_ms, owner)

    def formatted(
        self, query: Query, format_page: Callable[[Page], _Result]
    ) -> tuple[_Result, str | None]:
        """List sessions and format them in a thread, because thousands take a while.

        Returns:
            The result of `format_page`, and where the next page begins.
        """

        def work(connection: Connection) -> tuple[_Result, str | None]:
            page = read_page(connection, query)
            return format_page(page), page.next

        return self._reader.read(work)

    def open_sessions(self) -> Iterator[Record]:
        """Yield the open sessions of this gateway, oldest first."""
        after = ""
        while records := self._reader.read(self._store.open_of, self.gateway, after, 500):
            yield from records
            after = records[-1].session_id

    @property
    def is_shared(self) -> bool:
        """Whether other gateways may write to it at the same time."""
        return not self._database.is_sqlite

    @property
    def is_lost_with_this_process(self) -> bool:
        """Whether it is in memory only."""
        return self._database.in_memory

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what is pending, for at most `timeout_s` seconds, and close the database."""
        self.cleanup.stop()
        self._begins.close()
        if left := self._commits.close(timeout_s):
            self._log.error("not written to the ledger", rows=left, why=self.unavailable_reason())
        else:
            self._reader.close()
            self._writer.thread.run(self._writer.close)
            self._database.close()
            self._reading.close()
            self._writer.thread.close()

    def _require_available(self) -> None:
        if why := self.unavailable_reason():
            raise LedgerUnavailable(why)

    def _changed(self, reason: str | None) -> None:
        if reason is None:
            self._log.warning("ledger available again", rows_to_write=self._commits.waiting)
        else:
            self._log.error("ledger unavailable", why=reason, rows_to_write=self._commits.waiting)
