"""The one connection that writes to the ledger, and the thread in which it does."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import LedgerUnavailable, short_message
from charge_request_service.sessions.store import Job, Store
from charge_request_service.sessions.threads import Threads
from grid_common.logs import Log

_Result = TypeVar("_Result")

# A gateway whose lock is free for this long is gone, seconds. One that only lost its connection to
# the server takes the lock again before that.
_GONE_AFTER_S = 4.0


class Writer:
    """Connects when needed, and again after an error.

    Attributes:
        thread: where all other methods than `run` must be called.
    """

    def __init__(self, database: Database, store: Store, *, gateway: str, log: Log) -> None:
        self.thread = Threads(1)
        self._database = database
        self._store = store
        self._gateway = gateway
        self._log = log
        self._connection: Connection | None = None
        self._free_since: dict[str, float] = {}

    def write(self, jobs: Sequence[Job]) -> list[bool]:
        """Write a batch in one transaction; without jobs, only test whether writing is possible.

        Returns:
            Whether each job was done.

        Raises:
            LedgerUnavailable: nothing can be written.
        """
        if not jobs:
            self.do(self._database.probe)
            return []
        try:
            return self.do(self._store.write, jobs)
        except (IntegrityError, DataError) as error:
            if len(jobs) == 1:
                self._log.error(
                    "not written to the ledger",
                    session_id=jobs[0].session_id,
                    what=type(jobs[0]).__name__.lower(),
                    why=short_message(error),
                )
                return [False]
        # The database does not accept one of them: write the others.
        return [done for job in jobs for done in self.write([job])]

    def run(self, work: Callable[..., _Result], *args: Any) -> _Result:
        """Call `do` in the thread, and wait for the result."""
        done: _Result = self.thread.run(self.do, work, *args)
        return done

    def do(self, work: Callable[..., _Result], *args: Any) -> _Result:
        """Return the result of `work(connection, *args)` in a transaction of its own.

        Raises:
            LedgerUnavailable: it failed.
            DataError, IntegrityError: the database does not accept the values.
        """
        try:
            if self._connection is None:
                self._connection = self._database.writer(self._gateway)
            with self._connection.begin():
                return work(self._connection, *args)
        except (IntegrityError, DataError):
            raise
        except DBAPIError as error:
            self.close()
            raise LedgerUnavailable(short_message(error)) from error

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except DBAPIError:
                connection.invalidate()

    def take_over(self, connection: Connection) -> int:
        """Take over the open sessions of gateways that are gone; return how many."""
        taken_over = 0
        others = self._store.other_gateways(connection, self._gateway)
        self._free_since = {
            other: since for other, since in self._free_since.items() if other in others
        }
        for other in others:
            if self._is_gone(connection, other):
                taken_over += self._store.take_over(connection, other, self._gateway)
        return taken_over

    def _is_gone(self, connection: Connection, other: str) -> bool:
        if self._database.is_sqlite:
            return True  # only one gateway at a time uses the file
        lock = "pg_try_advisory_xact_lock(hashtextextended(:name, 0))"
        if not connection.scalar(text(f"SELECT {lock}"), {"name": other}):
            self._free_since.pop(other, None)
            return False
        return time.monotonic() - self._free_since.setdefault(other, time.monotonic()) > (
            _GONE_AFTER_S
        )
