"""Removes sessions and keys after their retention, and measures the ledger."""

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(eq=False, repr=False)
class Cleanup:
    """Cleans a ledger up every few seconds, from its creation on."""

    database: Database
    store: Store
    reader: Reader
    writer: Writer
    retention_s: float
    key_retention_s: float
    metrics: LedgerMetrics
    clock_us: Callable[[], int]  # returns microseconds since 1970
    log: Log

    def __post_init__(self) -> None:
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Stop for good."""
        self._greenlet.kill()

    def run_once(self) -> None:
        """Remove what is past its retention, and update the metrics.

        Raises:
            LedgerUnavailable: the ledger cannot be read or written.
        """
        now = self.clock_us()
        before = now - int(1e6 * self.retention_s)
        if self.database.in_memory:
            oldest = self.reader.read(self.store.nth_newest_us, MAX_IN_MEMORY)
            before = max(before, oldest or 0)
        keys_before = max(before, now - int(1e6 * self.key_retention_s))
        self._in_batches(self.store.free_keys, keys_before)
        self.metrics.removed.inc(self._in_batches(self.store.remove, before))
        self.metrics.size_bytes.set(self.reader.read(self.database.size_bytes))
        self.metrics.free_bytes.set(self.database.free_bytes())
        oldest_us = self.reader.read(self.store.oldest_open_us)
        self.metrics.oldest_open_s.set(0 if oldest_us is None else (now - oldest_us) / 1e6)

    def _in_batches(self, change: Callable[[Connection, int, int], int], before_us: int) -> int:
        total, count = 0, _BATCH
        while count == _BATCH:
            count = self.writer.run(change, before_us, _BATCH)
            total += count
            gevent.sleep(_BATCH_PAUSE_S)
        return total

    def _run(self) -> None:
        while True:
            try:
                self.run_once()
            except LedgerUnavailable as error:
                self.log.debug("the ledger cannot be cleaned up", why=str(error))
            except Exception:
                self.log.exception("unexpected error")
            gevent.sleep(_INTERVAL_S)
