"""Removes sessions and keys after their retention, and measures the ledger."""

from collections.abc import Callable

import gevent
from sqlalchemy import Connection

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.metrics import LedgerMetrics
from charge_request_service.sessions.reader import Reader
from charge_request_service.sessions.store import Store
from charge_request_service.sessions.writer import Writer
from grid_common.logs import Log

# Number of ended sessions that a ledger in memory keeps.
MAX_IN_MEMORY = 10_000
_INTERVAL_S = 5.0
# Maximum number of rows that one transaction changes, and the pause between two, seconds.
_BATCH, _BATCH_PAUSE_S = 200, 0.05


class Cleanup:
    """Cleans a ledger up every few seconds."""

    def __init__(
        self,
        database: Database,
        store: Store,
        reader: Reader,
        writer: Writer,
        *,
        retention_s: float,
        key_retention_s: float,
        metrics: LedgerMetrics,
        clock_us: Callable[[], int],
        log: Log,
    ) -> None:
        """Start; the retentions are seconds, and `clock_us` returns microseconds since 1970."""
        self._database, self._store = database, store
        self._reader, self._writer = reader, writer
        self._retention_s, self._key_retention_s = retention_s, key_retention_s
        self._metrics = metrics
        self._clock_us = clock_us
        self._log = log
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Stop for good."""
        self._greenlet.kill()

    def run_once(self) -> None:
        """Remove what is past its retention, and update the metrics.

        Raises:
            LedgerUnavailable: the ledger cannot be read or written.
        """
        now = self._clock_us()
        before = now - int(1e6 * self._retention_s)
        if self._database.in_memory:
            oldest = self._reader.read(self._store.nth_newest_us, MAX_IN_MEMORY)
            before = max(before, oldest or 0)
        keys_before = max(before, now - int(1e6 * self._key_retention_s))
        self._in_batches(self._store.free_keys, keys_before)
        self._metrics.removed.inc(self._in_batches(self._store.remove, before))
        self._metrics.size_bytes.set(self._reader.read(self._database.size_bytes))
        self._metrics.free_bytes.set(self._database.free_bytes())
        oldest_us = self._reader.read(self._store.oldest_open_us)
        self._metrics.oldest_open_s.set(0 if oldest_us is None else (now - oldest_us) / 1e6)

    def _in_batches(self, change: Callable[[Connection, int, int], int], before_us: int) -> int:
        total, count = 0, _BATCH
        while count == _BATCH:
            count = self._writer.run(change, before_us, _BATCH)
            total += count
            gevent.sleep(_BATCH_PAUSE_S)
        return total

    def _run(self) -> None:
        while True:
            try:
                self.run_once()
            except LedgerUnavailable as error:
                self._log.debug("the ledger cannot be cleaned up", why=str(error))
            except Exception:
                self._log.exception("unexpected error")
            gevent.sleep(_INTERVAL_S)
