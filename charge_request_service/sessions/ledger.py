"""The ledger of sessions, for greenlets: nothing here holds up the event loop."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gevent
from prometheus_client import CollectorRegistry
from sqlalchemy import URL, Connection

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.deferred import DeferredBegins
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.group_commit import GroupCommit
from charge_request_service.sessions.metrics import LedgerMetrics
from charge_request_service.sessions.reader import Reader
from charge_request_service.sessions.record import Begin, End, Forget, Record
from charge_request_service.sessions.store import Job, Page, Query, Store, Tally
from charge_request_service.sessions.threads import Threads
from charge_request_service.sessions.writer import Writer
from grid_common.logs import Log

__all__ = ["MAX_IN_MEMORY", "Ledger", "LedgerUnavailable"]

_Result = TypeVar("_Result")

# How long a row may wait to be written, and a reading to be answered, seconds.
_PATIENCE_S = 5.0
# Where nobody waits, two commits begin at least so far apart, seconds.
_LONG_COMMIT_PAUSE_S = 0.02
# A beginning that nobody waits for is held back for so long, and how often is looked, seconds: one
# whose end comes meanwhile is written with it.
_BEGIN_DELAY_S, _BEGIN_CHECK_INTERVAL_S = 0.04, 0.02
# A thread that computes gives way to the event loop after so long, seconds; by default 5 ms.
_SWITCH_INTERVAL_S = 0.0001
_READERS = 4
_CLEANUP_INTERVAL_S = 5.0
# Rows that one transaction removes, and the pause between two, seconds.
_REMOVED_AT_ONCE, _REMOVAL_PAUSE_S = 200, 0.05
# Sessions that a ledger in memory keeps of those that have ended.
MAX_IN_MEMORY = 10_000


def now_us() -> int:
    """Return the time, microseconds since 1970."""
    return time.time_ns() // 1000


class Ledger:
    """Begins, ends and finds sessions.

    Attributes:
        gateway: the name of this process in the ledger, a new one at each start.
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
        """Open it; its tables have to be there, but its server may be down.

        Args:
            url: from `read_ledger_url`.
            retention_s: how long sessions are kept after their end, seconds.
            key_retention_s: how long keys and answers are, seconds.
            log: the service's log.
            registry: for its metrics.
            patience_s: how long a row may wait to be written, and a reading to be answered.
            clock_us: tells the time, microseconds since 1970.
        """
        sys.setswitchinterval(min(_SWITCH_INTERVAL_S, sys.getswitchinterval()))
        self.gateway = secrets.token_hex(8)
        self._log = log
        self._retention_s, self._key_retention_s = retention_s, key_retention_s
        self._patience_s, self._clock_us = patience_s, clock_us
        self._database = Database(url)
        self._store = Store(self._database.dialect)
        if self._database.in_memory:
            self._database.prepare()
        self._writer = Writer(self._database, self._store, gateway=self.gateway, log=log)
        self._writing = Threads(1)
        own = not self._database.in_memory
        self._reading = Threads(_READERS) if own else self._writing
        self._reader = Reader(
            self._database,
            self._reading,
            connections=_READERS if own else 1,
            patience_s=patience_s,
        )
        self._metrics = LedgerMetrics(
            registry,
            waiting=lambda: self._commits.waiting,
            up=lambda: float(self.unavailable_reason() is None),
        )
        self._commits: GroupCommit[Job] = GroupCommit(
            self._writing,
            self._writer.write,
            pause_s=self._database.commit_pause_s,
            long_pause_s=_LONG_COMMIT_PAUSE_S,
            committed=self._metrics.committed,
            changed=self._changed,
        )
        self._begins = DeferredBegins(
            lambda begin: self._commits.submit(begin, lasting=True, awaited=False),
            delay_s=_BEGIN_DELAY_S,
            check_interval_s=_BEGIN_CHECK_INTERVAL_S,
        )
        self._cleanup = gevent.spawn(self._clean_up_forever)

    def unavailable_reason(self) -> str | None:
        """Return why nothing can be written now; None if it can."""
        if (
            self._commits.unavailable_reason is None
            and self._commits.stalled_s() > self._patience_s
        ):
            return "the ledger does not answer"
        return self._commits.unavailable_reason

    def begin(self, begin: Begin) -> Record | None:
        """Write that a session begins.

        Returns:
            The session that has its key already, None where it began.

        Raises:
            LedgerUnavailable: it was not written; the session may not go on.
        """
        if why := self.unavailable_reason():
            raise LedgerUnavailable(why)
        pending = self._commits.submit(begin, lasting=False, awaited=True)
        try:
            is_new = pending.wait(self._patience_s)
        except BaseException as error:
            # It may be written yet; or it is, where the connection broke during the commit.
            if not self._commits.withdraw(pending):
                self.forget(begin.session_id)
            if isinstance(error, gevent.Timeout):
                raise LedgerUnavailable("the ledger does not answer") from None
            raise
        if is_new:
            return None
        there = self.by_key(begin.owner, begin.key) if begin.key is not None else None
        if there is None:  # gone between the two looks, or not of use for another reason
            raise LedgerUnavailable("the session could not be written")
        return there

    def note_begin(self, begin: Begin) -> None:
        """Have it written that a session without a key begins, within some 80 ms.

        Raises:
            LedgerUnavailable: nothing can be written now; the session may not go on.
        """
        if why := self.unavailable_reason():
            raise LedgerUnavailable(why)
        self._begins.add(begin)

    def end(self, end: End, *, patience_s: float | None = _PATIENCE_S) -> bool:
        """Write how a session ended; False where that takes longer than `patience_s`.

        Then it is written as soon as it can be. Of two ends the first one counts.
        """
        job = self._begins.with_begin(end)
        pending = self._commits.submit(job, lasting=True, awaited=True)
        try:
            pending.wait(patience_s)
        except gevent.Timeout:
            return False
        return True

    def note_end(self, end: End) -> None:
        """Have it written how a session ended, within some 20 ms while all is well."""
        self._commits.submit(self._begins.with_begin(end), lasting=True, awaited=False)

    def forget(self, session_id: str) -> None:
        """Have a session be as if it had never come; it is written in its own time."""
        self._commits.submit(Forget(session_id), lasting=True, awaited=False)

    def get(self, session_id: str) -> Record | None:
        """Look a session up. Raises LedgerUnavailable."""
        return self._read(self._store.get, session_id)

    def by_key(self, owner: str, key: str) -> Record | None:
        """Look up the session that has this owner's key. Raises LedgerUnavailable."""
        return self._read(self._store.by_key, owner, key)

    def page(self, query: Query) -> Page:
        """List sessions, newest first. Raises LedgerUnavailable."""
        return self._read(self._store.page, query)

    def tallies(self, since_ms: int, owner: str | None) -> list[Tally]:
        """Sum up the sessions that began since then, by state. Raises LedgerUnavailable."""
        return self._read(self._store.tallies, since_ms, owner)

    def written(self, query: Query, write: Callable[[Page], _Result]) -> tuple[_Result, str | None]:
        """List sessions and write them down, in a thread: thousands take a while.

        Returns:
            What `write` made of them, and where the next page begins. Raises LedgerUnavailable.
        """

        def work(connection: Connection) -> tuple[_Result, str | None]:
            page = self._store.page(connection, query)
            return write(page), page.next

        return self._reader.read(work)

    def take_over(self) -> int:
        """Take over the open sessions of gateways that are gone; return how many.

        Raises LedgerUnavailable.
        """
        return self._writing.run(self._writer.take_over)

    @property
    def is_shared(self) -> bool:
        """Whether other gateways may write to it at the same time."""
        return not self._database.is_sqlite

    @property
    def is_lost_with_this_process(self) -> bool:
        """Whether it is in memory alone."""
        return self._database.in_memory

    def make_async(self, session_id: str) -> None:
        """Write that a session goes on without a caller. Raises LedgerUnavailable."""
        if why := self.unavailable_reason():
            raise LedgerUnavailable(why)
        with gevent.Timeout(self._patience_s, LedgerUnavailable("the ledger does not answer")):
            self._writing.run(
                self._writer.do, lambda connection: self._store.make_async(connection, session_id)
            )

    def open_sessions(self) -> Iterator[Record]:
        """Go through the open sessions that this gateway sees to, oldest first.

        Raises LedgerUnavailable.
        """
        after = ""
        while records := self._read(self._store.open_of, self.gateway, after, 500):
            yield from records
            after = records[-1].session_id

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits, and let go of the database."""
        self._cleanup.kill()
        self._begins.close()
        if left := self._commits.close(timeout_s):
            self._log.error("not written to the ledger", rows=left, why=self.unavailable_reason())
        else:
            self._reader.close()
            self._writing.run(self._writer.close)
            self._database.close()
            self._reading.close()
            self._writing.close()

    def clean_up(self) -> None:
        """Free keys and remove sessions whose time is over; note how large it is.

        Raises LedgerUnavailable.
        """
        now = self._clock_us()
        before = now - int(1e6 * self._retention_s)
        if self._database.in_memory:
            oldest = self._read(self._store.nth_newest_us, MAX_IN_MEMORY)
            before = max(before, oldest or 0)
        keys_before = max(before, now - int(1e6 * self._key_retention_s))
        self._in_batches(self._store.free_keys, keys_before)
        self._metrics.removed.inc(self._in_batches(self._store.remove, before))
        self._metrics.size_bytes.set(self._read(self._database.size_bytes))
        self._metrics.free_bytes.set(self._database.free_bytes())
        oldest_us = self._read(self._store.oldest_open_us)
        self._metrics.oldest_open_s.set(0 if oldest_us is None else (now - oldest_us) / 1e6)

    def _in_batches(self, remove: Callable[[Connection, int, int], int], before_us: int) -> int:
        total, count = 0, _REMOVED_AT_ONCE
        while count == _REMOVED_AT_ONCE:
            count = self._writing.run(
                self._writer.do,
                lambda connection: remove(connection, before_us, _REMOVED_AT_ONCE),
            )
            total += count
            gevent.sleep(_REMOVAL_PAUSE_S)
        return total

    def _clean_up_forever(self) -> None:
        while True:
            try:
                self.clean_up()
            except LedgerUnavailable as error:
                self._log.debug("the ledger cannot be tidied", why=str(error))
            except Exception:
                self._log.exception("unexpected error")
            gevent.sleep(_CLEANUP_INTERVAL_S)

    def _read(self, work: Callable[..., _Result], *args: Any) -> _Result:
        return self._reader.read(lambda connection: work(connection, *args))

    def _changed(self, reason: str | None) -> None:
        if reason is None:
            self._log.warning("ledger available again", rows_to_write=self._commits.waiting)
        else:
            self._log.error("ledger unavailable", why=reason, rows_to_write=self._commits.waiting)
